"""The states of records: making one row for each record from all its delivered states.

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
RECORD_KEY = ["institution", "record_key"]


def list_deliveries_by_arrival(frames_of_states: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the deliveries in `frames_of_states`, by name.

    Columns: period, end (its last day; null if the name is not the name of a delivery), arrival (rank by last day and version).
    """
    names = pd.concat([pd.Series(frame["delivery"].unique(), dtype="str") for frame in frames_of_states]).drop_duplicates()
    parsed = [DeliveryName.parse(str(name)) for name in names]
    period = [delivery_name.period if delivery_name else str(name) for name, delivery_name in zip(names, parsed, strict=True)]
    end = (
        pd.Series([last_day(delivery_name.period) if delivery_name else None for delivery_name in parsed], dtype="object")
        .astype("datetime64[s]")
        .array
    )
    turns = pd.DataFrame(
        {"end": end, "name": ["" if delivery_name else str(name) for name, delivery_name in zip(names, parsed, strict=True)]}
    )
    turns["version"] = [delivery_name.version if delivery_name else 1 for delivery_name in parsed]
    arrival = turns.fillna({"end": pd.Timestamp(0)}).groupby(list(turns), sort=True).ngroup()
    return pd.DataFrame({"period": pd.array(period, dtype="str"), "end": end, "arrival": arrival.to_numpy()}, index=names.array)


def rank_record_states(states: pd.DataFrame, deliveries: pd.DataFrame, columns_of_same_record: list[str]) -> pd.DataFrame:
    """Add `arrival`, `rank`, `current` and `precedence`, which is the order of states: accepted ones first, then the latest.

    deliveries: from `list_deliveries_by_arrival`. columns_of_same_record: rows of one delivery that agree in these columns are sorted by
    content.
    """
    arrival = look_up_value_of_delivery(states, deliveries, "arrival").to_numpy("int64")
    rank = map_values_to_numbers(states["status"], STATUS_RANK, len(STATUS_RANK))
    content = np.arange(len(states))
    alike = are_rows_repeated(states, columns_of_same_record) if columns_of_same_record else np.zeros(len(states), dtype=bool)
    if alike.any():  # the order of the input must not matter if a delivery has a record twice
        sequence = states[alike].sort_values(list(states.columns), kind="stable").index
        content[np.concatenate([np.flatnonzero(~alike), sequence])] = np.arange(len(states))
    precedence = np.empty(len(states), dtype="int64")
    precedence[np.lexsort((content, -arrival, rank))] = np.arange(len(states))
    return states.assign(arrival=arrival, rank=rank, current=rank == STATUS_RANK["accepted"], precedence=precedence)


def look_up_value_of_delivery(states: pd.DataFrame, deliveries: pd.DataFrame, column: str) -> pd.Series:
    """Return, for each row, the value in `column` of `deliveries` (from `list_deliveries_by_arrival`) for its delivery."""
    code, names = pd.factorize(states["delivery"], use_na_sentinel=False)
    return take_values(deliveries[column].reindex(names), code).set_axis(states.index)


def map_values_to_numbers(column: pd.Series, number_of_value: Mapping[str, int], otherwise: int) -> np.ndarray:
    """Return the number that `number_of_value` has for each value of `column`, and `otherwise` for other values.

    Each distinct value is looked up once.
    """
    code, distinct = pd.factorize(column)
    return np.array([*(number_of_value.get(str(value), otherwise) for value in distinct), otherwise], dtype="int64")[code]


def are_values_among(column: pd.Series, values: pd.Series | pd.Index) -> np.ndarray:
    """Return for each text of `column` whether it is among `values`."""
    texts_, known = (pa.array(texts, type=pa.large_string(), from_pandas=True) for texts in (column, values))
    return np.asarray(pc.is_in(texts_, value_set=known).to_numpy(zero_copy_only=False), dtype=bool)


def number_distinct_rows(frame: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Number the distinct rows of `frame` from 0 in order of appearance. Return the number of each row, and how many numbers there are."""
    code = np.zeros(len(frame), dtype="int64")
    for name in frame.columns:
        codes, distinct = pd.factorize(frame[name])
        code = code * (len(distinct) + 1) + codes + 1
    code, combinations = pd.factorize(code)
    return code, len(combinations)


def are_rows_repeated(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return for each row whether it agrees with another row in `columns`."""
    number, size = number_distinct_rows(frame[columns])
    return np.asarray(np.bincount(number, minlength=size)[number] > 1)


def find_first_row_of_each_number(number_of_row: np.ndarray, number_count: int, rows: np.ndarray) -> np.ndarray:
    """Return, for each number below `number_count`, the first of `rows` with that number in `number_of_row`; -1 if no row has it."""
    first = np.full(number_count, -1)
    first[number_of_row[rows][::-1]] = rows[::-1]
    return first


def take_values(column: pd.Series, rows: np.ndarray) -> pd.Series:
    """Return the values of `column` at `rows` on a RangeIndex; missing where a row is -1."""
    if (rows >= 0).all():
        return pd.Series(column.array.take(rows), copy=False)
    return pd.Series(column.array.take(rows, allow_fill=True), copy=False)


def find_first_values(column: pd.Series, number_of_row: np.ndarray, number_count: int) -> pd.Series:
    """Return, for each number below `number_count`, the first value of `column` that is not missing."""
    return take_values(column, find_first_row_of_each_number(number_of_row, number_count, np.flatnonzero(column.notna().to_numpy())))


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

    def take_first_values(self, column: pd.Series) -> pd.Series:
        """Return, for each record, the first value of `column` that is not missing, among its states by precedence."""
        rows = self.rows[self.rows < len(column)]
        rows = rows[column.notna().to_numpy()[rows]]
        return take_values(column, find_first_row_of_each_number(self.number, len(self.keys), rows))


def index_record_states(states: pd.DataFrame) -> RecordStates:
    """Find the records of `states` (institution, record_key, arrival, precedence), and number them."""
    number, size = number_distinct_rows(states[RECORD_KEY])
    has_key = states[RECORD_KEY].notna().all(axis=1).to_numpy()
    rows = np.argsort(states["precedence"].to_numpy())
    rows = rows[has_key[rows]]
    earliest = np.full(size, np.iinfo("int64").max)
    np.minimum.at(earliest, number, states["arrival"].to_numpy("int64"))
    first = find_first_row_of_each_number(number, size, rows)
    with_key = np.flatnonzero(first >= 0)
    keys = states[RECORD_KEY].iloc[first[with_key]].reset_index(drop=True)
    order = np.lexsort((compute_sort_ranks(keys["record_key"]), _rank_institutions(keys["institution"]), earliest[with_key]))
    rank = np.full(size, -1)
    rank[with_key[order]] = np.arange(len(order))
    return RecordStates(keys.iloc[order].reset_index(drop=True), rank[number], rows, earliest[with_key[order]])


def _rank_institutions(names: pd.Series) -> np.ndarray:
    code, distinct = pd.factorize(names)
    known, named = contract.case_flow_positions(), [str(name) for name in distinct]
    order = sorted(range(len(named)), key=lambda n: (known.get(named[n], len(known)), named[n]))
    return np.argsort(order)[code] if len(order) else code


def compute_sort_ranks(column: pd.Series) -> np.ndarray:
    """Return numbers that sort like the values of `column`, missing ones last."""
    code, distinct = pd.factorize(column, sort=True)
    return np.where(code < 0, len(distinct), code)


def sort_by_content(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` sorted by all its columns, from the first to the last."""
    order = np.lexsort([compute_sort_ranks(frame[name]) for name in reversed(frame.columns)])
    return frame.iloc[order].reset_index(drop=True)


def find_rows_of_records(records: pd.DataFrame, frame: pd.DataFrame, key_column: str = "record_key") -> np.ndarray:
    """Return, for each row of `frame`, the row of `records` with its institution and its `key_column`; -1 if there is none.

    records: institution, record_key, distinct.
    """
    size = len(records)
    codes = []
    for column, other in (("institution", "institution"), ("record_key", key_column)):
        code, distinct = pd.factorize(pd.concat([records[column], frame[other]], ignore_index=True))
        codes.append((code, len(distinct)))
    (institution, _), (record, many) = codes
    both = np.where((institution < 0) | (record < 0), -1, institution * many + record)
    row = np.full(int(both.max(initial=-1)) + 2, -1)
    row[both[:size]] = np.arange(size)
    row[-1] = -1  # rows without a key
    return np.asarray(row[both[size:]])
