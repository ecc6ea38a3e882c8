"""One row per record, out of every state that a delivery held.

Belongs here: which state of a record speaks, numbers in place of keys, lookups by them. Does not belong here: what the columns mean
(`standardise`). Everything works on whole columns: keys are turned into numbers once, and no group is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sources import contract

STATUS_RANK = {"accepted": 0, "superseded": 1, "withdrawn": 2, "quarantined": 3}
RECORD = ["institution", "record_key"]


def deliveries(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The deliveries that `frames` name: `quarter` and `arrival` (place by quarter and version), by name of the delivery."""
    names = pd.concat([pd.Series(frame["delivery"].unique(), dtype="str") for frame in frames]).drop_duplicates()
    parts = names.str.extract(r"^(?P<quarter>.*?)(?:_v(?P<version>\d+))?$")
    quarter, version = parts["quarter"].fillna("").astype("str"), parts["version"].fillna("1").astype("int64")
    both = pd.MultiIndex.from_arrays([quarter, version])
    return pd.DataFrame({"quarter": quarter.array, "arrival": both.unique().sort_values().get_indexer(both)}, index=names.array)


def ranked(frame: pd.DataFrame, known: pd.DataFrame, apart: list[str]) -> pd.DataFrame:
    """Add `arrival`, `rank`, `current`, and `turn`: the order in which states speak, accepted ones first, then the latest.

    known: see `deliveries`; apart: rows of one delivery that agree in these are put in the order of their content.
    """
    arrival = of_delivery(frame, known, "arrival").to_numpy("int64")
    rank = mapped(frame["status"], STATUS_RANK, len(STATUS_RANK))
    content = np.arange(len(frame))
    alike = repeated(frame, apart) if apart else np.zeros(len(frame), dtype=bool)
    if alike.any():  # the order of the input must not matter where one delivery names a record twice
        sequence = frame[alike].sort_values(list(frame.columns), kind="stable").index
        content[np.concatenate([np.flatnonzero(~alike), sequence])] = np.arange(len(frame))
    turn = np.empty(len(frame), dtype="int64")
    turn[np.lexsort((content, -arrival, rank))] = np.arange(len(frame))
    return frame.assign(arrival=arrival, rank=rank, current=rank == STATUS_RANK["accepted"], turn=turn)


def of_delivery(frame: pd.DataFrame, known: pd.DataFrame, column: str) -> pd.Series:
    """What `certain_pairs` (see `deliveries`) says in `column` of the delivery of each row."""
    code, names = pd.factorize(frame["delivery"], use_na_sentinel=False)
    return take(known[column].reindex(names), code).set_axis(frame.index)


def mapped(column: pd.Series, numbers: Mapping[str, int], otherwise: int) -> np.ndarray:
    """The number of each value of `column`, `otherwise` where it has none: each distinct value is looked up once."""
    code, distinct = pd.factorize(column)
    return np.array([*(numbers.get(str(value), otherwise) for value in distinct), otherwise], dtype="int64")[code]


def among(column: pd.Series, values: pd.Series | pd.Index) -> np.ndarray:
    """Which texts of `column` are among `values`."""
    texts_, known = (pa.array(texts, type=pa.large_string(), from_pandas=True) for texts in (column, values))
    return np.asarray(pc.is_in(texts_, value_set=known).to_numpy(zero_copy_only=False), dtype=bool)


def numbered(frame: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Number per distinct row of `frame`, from 0 in order of appearance, and how many there are."""
    code = np.zeros(len(frame), dtype="int64")
    for name in frame.columns:
        own, distinct = pd.factorize(frame[name])
        code = code * (len(distinct) + 1) + own + 1
    code, found = pd.factorize(code)
    return code, len(found)


def repeated(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Rows that agree with another row in `columns`."""
    number, size = numbered(frame[columns])
    return np.asarray(np.bincount(number, minlength=size)[number] > 1)


def firsts(number: np.ndarray, size: int, rows: np.ndarray) -> np.ndarray:
    """The first of `rows` (in their order) per number, -1 where a number has none."""
    found = np.full(size, -1)
    found[number[rows][::-1]] = rows[::-1]
    return found


def take(column: pd.Series, rows: np.ndarray) -> pd.Series:
    """The values at `rows`, missing where a row is -1, on a RangeIndex."""
    if (rows >= 0).all():
        return pd.Series(column.array.take(rows), copy=False)
    return pd.Series(column.array.take(rows, allow_fill=True), copy=False)


def filled(column: pd.Series, number: np.ndarray, size: int) -> pd.Series:
    """Per number the first value of `column` that is there."""
    return take(column, firsts(number, size, np.flatnonzero(column.notna().to_numpy())))


@dataclass(frozen=True)
class Spoken:
    """Records out of states. `keys`: `institution, record_key`, a row a record, ordered by earliest delivery, institution and key;
    `number`: the record of each state, -1 where it names none; `rows`: the states that name one, in the order in which they speak;
    `arrival`: earliest of each record."""

    keys: pd.DataFrame
    number: np.ndarray
    rows: np.ndarray
    arrival: np.ndarray

    def first(self, column: pd.Series) -> pd.Series:
        """Per record the first value of `column` (of the states, or of as many as come first) that is there."""
        rows = self.rows[self.rows < len(column)]
        rows = rows[column.notna().to_numpy()[rows]]
        return take(column, firsts(self.number, len(self.keys), rows))


def spoken(states: pd.DataFrame) -> Spoken:
    """The records of `states`: `institution, record_key, arrival, turn`."""
    number, size = numbered(states[RECORD])
    named = states[RECORD].notna().all(axis=1).to_numpy()
    rows = np.argsort(states["turn"].to_numpy())
    rows = rows[named[rows]]
    earliest = np.full(size, np.iinfo("int64").max)
    np.minimum.at(earliest, number, states["arrival"].to_numpy("int64"))
    first = firsts(number, size, rows)
    there = np.flatnonzero(first >= 0)
    keys = states[RECORD].iloc[first[there]].reset_index(drop=True)
    order = np.lexsort((places_in_order(keys["record_key"]), _place_of_institution(keys["institution"]), earliest[there]))
    place = np.full(size, -1)
    place[there[order]] = np.arange(len(order))
    return Spoken(keys.iloc[order].reset_index(drop=True), place[number], rows, earliest[there[order]])


def _place_of_institution(names: pd.Series) -> np.ndarray:
    code, distinct = pd.factorize(names)
    known, named = contract.place_of(), [str(name) for name in distinct]
    order = sorted(range(len(named)), key=lambda n: (known.get(named[n], len(known)), named[n]))
    return np.argsort(order)[code] if len(order) else code


def places_in_order(column: pd.Series) -> np.ndarray:
    """Numbers that sort as the values of `column` do, missing ones last."""
    code, distinct = pd.factorize(column, sort=True)
    return np.where(code < 0, len(distinct), code)


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` sorted by all its columns, the first before the second."""
    order = np.lexsort([places_in_order(frame[name]) for name in reversed(frame.columns)])
    return frame.iloc[order].reset_index(drop=True)


def rows_of(records: pd.DataFrame, frame: pd.DataFrame, key: str = "record_key") -> np.ndarray:
    """Row of `records` (`institution, record_key`, distinct) that each row of `frame` names by institution and `key`; -1 where none."""
    size = len(records)
    codes = []
    for own, other in (("institution", "institution"), ("record_key", key)):
        code, distinct = pd.factorize(pd.concat([records[own], frame[other]], ignore_index=True))
        codes.append((code, len(distinct)))
    (institution, _), (record, many) = codes
    both = np.where((institution < 0) | (record < 0), -1, institution * many + record)
    row = np.full(int(both.max(initial=-1)) + 2, -1)
    row[both[:size]] = np.arange(size)
    row[-1] = -1  # what lacks a key
    return np.asarray(row[both[size:]])
