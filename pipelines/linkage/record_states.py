"""The states of records: functions that make one row for each record from all its delivered states.

Belongs here: which state of a record takes precedence, numbers for keys, lookups by number. Does not belong here: the meaning of columns
(`standardise`). Keys are converted to numbers once, so that all records are treated together and there is no loop over records.
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
    """Return one row for each delivery that occurs in `frames_of_states`, indexed by the name of the delivery.

    Columns: period, end (the last day of the period; null if the name does not follow the rules for names of deliveries), arrival (the rank
    of the delivery by last day and version).
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
    """Add columns that say which state of a record takes precedence.

    - `arrival`: the rank of the delivery of the state
    - `rank`: the rank of its record status (`STATUS_RANK`)
    - `current`: whether the state is accepted
    - `precedence`: the position of the state in the order of precedence: accepted states come first, and later states before earlier ones

    deliveries: the result of `list_deliveries_by_arrival`. columns_of_same_record: if rows agree in these columns, which identify a record
    in a delivery, their precedence depends on their content and not on their order in `states`.
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
    """Return, for the delivery of each row of `states`, its value in `column` of `deliveries`.

    deliveries: the result of `list_deliveries_by_arrival`.
    """
    code, names = pd.factorize(states["delivery"], use_na_sentinel=False)
    return take_values(deliveries[column].reindex(names), code).set_axis(states.index)


def map_values_to_numbers(column: pd.Series, number_of_value: Mapping[str, int], otherwise: int) -> np.ndarray:
    """Return, for each value of `column`, its number in `number_of_value`, or `otherwise` if it is not there.

    Each distinct value is looked up once.
    """
    code, distinct = pd.factorize(column)
    return np.array([*(number_of_value.get(str(value), otherwise) for value in distinct), otherwise], dtype="int64")[code]


def are_values_among(column: pd.Series, values: pd.Series | pd.Index) -> np.ndarray:
    """Return for each text of `column` whether it is among `values`."""
    texts_, known = (pa.array(texts, type=pa.large_string(), from_pandas=True) for texts in (column, values))
    return np.asarray(pc.is_in(texts_, value_set=known).to_numpy(zero_copy_only=False), dtype=bool)


def number_distinct_rows(frame: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Number the distinct rows of `frame` from 0, in the order in which they appear.

    Return the number of each row, and how many distinct rows there are.
    """
    code = np.zeros(len(frame), dtype="int64")
    for name in frame.columns:
        codes, distinct = pd.factorize(frame[name])
        code = code * (len(distinct) + 1) + codes + 1
    code, combinations = pd.factorize(code)
    return code, len(combinations)


def are_rows_repeated(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return for each row whether another row has the same values in `columns`."""
    number, size = number_distinct_rows(frame[columns])
    return np.asarray(np.bincount(number, minlength=size)[number] > 1)


def find_first_row_of_each_number(number_of_row: np.ndarray, number_count: int, rows: np.ndarray) -> np.ndarray:
    """Return, for each number from 0 to `number_count` - 1, the first of `rows` that has this number in `number_of_row`; -1 if none has
    it.
    """
    first = np.full(number_count, -1)
    first[number_of_row[rows][::-1]] = rows[::-1]
    return first


def take_values(column: pd.Series, rows: np.ndarray) -> pd.Series:
    """Return the values of `column` at the positions `rows`, with a new index from 0. The value for row -1 is missing."""
    if (rows >= 0).all():
        return pd.Series(column.array.take(rows), copy=False)
    return pd.Series(column.array.take(rows, allow_fill=True), copy=False)


def find_first_values(column: pd.Series, number_of_row: np.ndarray, number_count: int) -> pd.Series:
    """Return, for each number from 0 to `number_count` - 1, the first value of `column` that is not missing, among the rows with this
    number in `number_of_row`.
    """
    return take_values(column, find_first_row_of_each_number(number_of_row, number_count, np.flatnonzero(column.notna().to_numpy())))


@dataclass(frozen=True)
class RecordStates:
    """An index of the states of each record.

    - `keys`: one row for each record, with the columns institution and record_key, ordered by earliest delivery, institution and key
    - `number`: for each state, the row of its record in `keys`; -1 if the state has no key
    - `rows`: the row numbers of the states that have a key, in the order of precedence
    - `arrival`: for each record, the rank of the earliest delivery that contains it
    """

    keys: pd.DataFrame
    number: np.ndarray
    rows: np.ndarray
    arrival: np.ndarray

    def take_first_values(self, column: pd.Series) -> pd.Series:
        """Return, for each record, the first value of `column` that is not missing. The states of the record are searched in the order of
        precedence.
        """
        rows = self.rows[self.rows < len(column)]
        rows = rows[column.notna().to_numpy()[rows]]
        return take_values(column, find_first_row_of_each_number(self.number, len(self.keys), rows))


def index_record_states(states: pd.DataFrame) -> RecordStates:
    """Find and number the records to which `states` belong. Columns of `states`: institution, record_key, arrival, precedence."""
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
    """Rank institutions by their position in the case flow; unknown institutions come last, by name."""
    code, distinct = pd.factorize(names)
    known, named = contract.case_flow_positions(), [str(name) for name in distinct]
    order = sorted(range(len(named)), key=lambda n: (known.get(named[n], len(known)), named[n]))
    return np.argsort(order)[code] if len(order) else code


def compute_sort_ranks(column: pd.Series) -> np.ndarray:
    """Return a number for each value of `column`, so that numbers have the same order as values. Missing values have the largest number."""
    code, distinct = pd.factorize(column, sort=True)
    return np.where(code < 0, len(distinct), code)


def sort_by_content(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` sorted by all its columns, from the first to the last."""
    order = np.lexsort([compute_sort_ranks(frame[name]) for name in reversed(frame.columns)])
    return frame.iloc[order].reset_index(drop=True)


def find_rows_of_records(records: pd.DataFrame, frame: pd.DataFrame, key_column: str = "record_key") -> np.ndarray:
    """Return, for each row of `frame`, the row of the record that it names by its columns `institution` and `key_column`; -1 if there is
    none.

    records: one row for each record, with the columns institution and record_key.
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
