"""One row for each record, from all delivered states of the record.

Belongs here: which state of a record takes precedence, numbers for keys, lookups by number. Does not belong here: the meaning of columns
(`standardise`). Everything is vectorised: keys are converted to numbers once, and there is no loop over groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sources import contract
from sources.contract import DeliveryName
from sources.periods import last_day

STATUS_RANK = {"accepted": 0, "superseded": 1, "withdrawn": 2, "quarantined": 3}
RECORD = ["institution", "record_key"]


def read_deliveries(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the deliveries in `frames`, by name. Columns: period, end (its last day; null if the name is not the name of a delivery),
    arrival (rank by last day and version)."""
    names = pd.concat([pd.Series(frame["delivery"].unique(), dtype="str") for frame in frames]).drop_duplicates()
    parsed = [DeliveryName.parse(str(name)) for name in names]
    period = [one.period if one else str(name) for name, one in zip(names, parsed, strict=True)]
    end = pd.Series([last_day(one.period) if one else None for one in parsed], dtype="object").astype("datetime64[s]").array
    turns = pd.DataFrame({"end": end, "name": ["" if one else str(name) for name, one in zip(names, parsed, strict=True)]})
    turns["version"] = [one.version if one else 1 for one in parsed]
    arrival = turns.fillna({"end": pd.Timestamp(0)}).groupby(list(turns), sort=True).ngroup()
    return pd.DataFrame({"period": pd.array(period, dtype="str"), "end": end, "arrival": arrival.to_numpy()}, index=names.array)


def rank_states(frame: pd.DataFrame, known: pd.DataFrame, apart: list[str]) -> pd.DataFrame:
    """Add `arrival`, `rank`, `current`, and `precedence`, which is the order of states: accepted ones first, then the latest.

    known: see `read_deliveries`; apart: rows of one delivery that agree in these columns are sorted by content.
    """
    arrival = value_of_delivery(frame, known, "arrival").to_numpy("int64")
    rank = map_to_numbers(frame["status"], STATUS_RANK, len(STATUS_RANK))
    content = np.arange(len(frame))
    alike = is_repeated(frame, apart) if apart else np.zeros(len(frame), dtype=bool)
    if alike.any():  # the order of the input must not matter if a delivery has a record twice
        sequence = frame[alike].sort_values(list(frame.columns), kind="stable").index
        content[np.concatenate([np.flatnonzero(~alike), sequence])] = np.arange(len(frame))
    precedence = np.empty(len(frame), dtype="int64")
    precedence[np.lexsort((content, -arrival, rank))] = np.arange(len(frame))
    return frame.assign(arrival=arrival, rank=rank, current=rank == STATUS_RANK["accepted"], precedence=precedence)


def value_of_delivery(frame: pd.DataFrame, known: pd.DataFrame, column: str) -> pd.Series:
    """Return, for each row, the value in `column` of `known` (see `read_deliveries`) for its delivery."""
    code, names = pd.factorize(frame["delivery"], use_na_sentinel=False)
    return take_values(known[column].reindex(names), code).set_axis(frame.index)


def map_to_numbers(column: pd.Series, numbers: Mapping[str, int], otherwise: int) -> np.ndarray:
    """Return the number of each value of `column`; `otherwise` if it has none. Each distinct value is looked up once."""
    code, distinct = pd.factorize(column)
    return np.array([*(numbers.get(str(value), otherwise) for value in distinct), otherwise], dtype="int64")[code]


def is_among(column: pd.Series, values: pd.Series | pd.Index) -> np.ndarray:
    """Return whether each text of `column` is among `values`."""
    texts_, known = (pa.array(texts, type=pa.large_string(), from_pandas=True) for texts in (column, values))
    return np.asarray(pc.is_in(texts_, value_set=known).to_numpy(zero_copy_only=False), dtype=bool)


def number_rows(frame: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Number the distinct rows of `frame` from 0 in order of appearance; return the number of each row, and the count of numbers."""
    code = np.zeros(len(frame), dtype="int64")
    for name in frame.columns:
        own, distinct = pd.factorize(frame[name])
        code = code * (len(distinct) + 1) + own + 1
    code, found = pd.factorize(code)
    return code, len(found)


def is_repeated(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return whether each row agrees with another row in `columns`."""
    number, size = number_rows(frame[columns])
    return np.asarray(np.bincount(number, minlength=size)[number] > 1)


def first_rows(number: np.ndarray, size: int, rows: np.ndarray) -> np.ndarray:
    """Return, for each number below `size`, the first of `rows` with that number in `number`; -1 if no row has it."""
    found = np.full(size, -1)
    found[number[rows][::-1]] = rows[::-1]
    return found


def take_values(column: pd.Series, rows: np.ndarray) -> pd.Series:
    """Return the values of `column` at `rows` on a RangeIndex; missing where a row is -1."""
    if (rows >= 0).all():
        return pd.Series(column.array.take(rows), copy=False)
    return pd.Series(column.array.take(rows, allow_fill=True), copy=False)


def first_values(column: pd.Series, number: np.ndarray, size: int) -> pd.Series:
    """Return, for each number below `size`, the first value of `column` that is not missing."""
    return take_values(column, first_rows(number, size, np.flatnonzero(column.notna().to_numpy())))


@dataclass(frozen=True)
class RecordStates:
    """The states of each record.

    - `keys`: institution, record_key; one row for each record, ordered by earliest delivery, institution and key
    - `number`: the record of each state, -1 if the state has no key
    - `rows`: the states with a key, by precedence
    - `arrival`: the earliest arrival of each record
    """

    keys: pd.DataFrame
    number: np.ndarray
    rows: np.ndarray
    arrival: np.ndarray

    def first(self, column: pd.Series) -> pd.Series:
        """Return, for each record, the first value of `column` that is not missing, among its states by precedence."""
        rows = self.rows[self.rows < len(column)]
        rows = rows[column.notna().to_numpy()[rows]]
        return take_values(column, first_rows(self.number, len(self.keys), rows))


def record_states(states: pd.DataFrame) -> RecordStates:
    """Find the records of `states` (institution, record_key, arrival, precedence)."""
    number, size = number_rows(states[RECORD])
    named = states[RECORD].notna().all(axis=1).to_numpy()
    rows = np.argsort(states["precedence"].to_numpy())
    rows = rows[named[rows]]
    earliest = np.full(size, np.iinfo("int64").max)
    np.minimum.at(earliest, number, states["arrival"].to_numpy("int64"))
    first = first_rows(number, size, rows)
    there = np.flatnonzero(first >= 0)
    keys = states[RECORD].iloc[first[there]].reset_index(drop=True)
    order = np.lexsort((sort_ranks(keys["record_key"]), _rank_of_institution(keys["institution"]), earliest[there]))
    place = np.full(size, -1)
    place[there[order]] = np.arange(len(order))
    return RecordStates(keys.iloc[order].reset_index(drop=True), place[number], rows, earliest[there[order]])


def _rank_of_institution(names: pd.Series) -> np.ndarray:
    code, distinct = pd.factorize(names)
    known, named = contract.position_of(), [str(name) for name in distinct]
    order = sorted(range(len(named)), key=lambda n: (known.get(named[n], len(known)), named[n]))
    return np.argsort(order)[code] if len(order) else code


def sort_ranks(column: pd.Series) -> np.ndarray:
    """Return numbers that sort like the values of `column`, missing ones last."""
    code, distinct = pd.factorize(column, sort=True)
    return np.where(code < 0, len(distinct), code)


def sort_by_content(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` sorted by all its columns, from the first to the last."""
    order = np.lexsort([sort_ranks(frame[name]) for name in reversed(frame.columns)])
    return frame.iloc[order].reset_index(drop=True)


def rows_of(records: pd.DataFrame, frame: pd.DataFrame, key: str = "record_key") -> np.ndarray:
    """Return the row of `records` (institution, record_key, distinct) with the institution and `key` of each row of `frame`; -1 if there
    is none."""
    size = len(records)
    codes = []
    for own, other in (("institution", "institution"), ("record_key", key)):
        code, distinct = pd.factorize(pd.concat([records[own], frame[other]], ignore_index=True))
        codes.append((code, len(distinct)))
    (institution, _), (record, many) = codes
    both = np.where((institution < 0) | (record < 0), -1, institution * many + record)
    row = np.full(int(both.max(initial=-1)) + 2, -1)
    row[both[:size]] = np.arange(size)
    row[-1] = -1  # rows without a key
    return np.asarray(row[both[size:]])
