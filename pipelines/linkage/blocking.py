"""Blocking: selecting the pairs of records that are compared at all.

Belongs here: the list of blocking keys for person records; counting pairs before they are generated; and limiting blocking values that too
many records share. Does not belong here: how rows that share a value form pairs (`row_groups`), comparison and weights.

If many records share a value of a blocking key, the value is narrowed: only those of its records are paired that also agree in a further
column. If the key has no further column, or if even then too many records agree, the value is refused and finds no pairs. Values of keys
are personal data and do not leave this module; only names of keys, counts and hashes do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.linkage.hashing import mix_hashes, open_shared_in_memory_database
from pipelines.linkage.record_states import find_first_row_of_each_number
from pipelines.linkage.row_groups import Pairs, RowGroups, concatenate_groups, drop_unique_hashes, group_rows_by_value
from pipelines.linkage.score import Likelihoods
from pipelines.resources.integer_arrays import RowIndexByOwner

# A value that more records share than this is refused: 300 records are 44,850 pairs.
MAX_RECORDS_PER_VALUE = 300
# If a combination of values in the columns of a key occurs in fewer rows than this on average (estimated from a sample), the key is
# evaluated row by row, and not once for each combination. This applies to keys that give one value for each record.
MIN_REPETITION = 5.0
SAMPLE_SIZE = 20_000
# Number of rows that DuckDB scans at a time; with more rows than this, two threads hash the values.
BATCH_ROWS = 122_880
# If more records than this share a value, only those that also agree in a further column (`BlockingKey.further`) are paired.
MAX_RECORDS_WITHOUT_FURTHER = 20


@dataclass(frozen=True)
class BlockingKey:
    """A blocking key.

    - `expression`: an SQL expression over the table `records`. Its result is a text, or a list of texts if `several` is true. It is null if
      a record has no value for this key.
    - `catches`: the errors in two records of one person in spite of which this key finds the pair
    - `further`: names in `FURTHER_COLUMNS`. If more than `MAX_RECORDS_WITHOUT_FURTHER` records share a value of the key, only those that
      also agree in one of these columns are paired.
    """

    name: str
    expression: str
    catches: str = ""
    further: tuple[str, ...] = ()
    several: bool = False


# The columns that the blocking keys of persons read; they may be absent.
KEY_COLUMNS = ("birth_date", "birth_year", "given", "surname", "parent", "number", "register_id", "municipality", "birthplace")
# The columns in one of which records must also agree if they share a value that is too common, as SQL expressions by name.
FURTHER_COLUMNS = {
    "home": "municipality",
    "born": "birthplace",
    "parent": "parent",
    "year": "birth_year",
    "day": "strftime(birth_date, '%m%d')",
    "given": "left(given, 2)",
    "surname": "left(surname, 2)",
}
PLACE_NAMES = ("home", "born")
TOKENS = "list_concat(string_split(given, ' '), string_split(surname, ' '))"
BLOCKING_KEYS: tuple[BlockingKey, ...] = (
    BlockingKey("number", "number", "everything but the number"),
    BlockingKey(
        "number_less_one",
        "CASE WHEN length(number) BETWEEN 9 AND 10 THEN list_concat([number], list_transform("
        "range(1, length(number) + 1), lambda i: left(number, i - 1) || substr(number, i + 1))) END",
        "one digit of the number wrong, lost, or two exchanged",
        several=True,
    ),
    BlockingKey(
        "two_names",
        "CASE WHEN given IS NOT NULL AND surname IS NOT NULL THEN list_transform(string_split(surname, ' '), "
        "lambda t: array_to_string(list_sort(list_concat([given], [t])), ' ')) END",
        "number and birth date wrong or missing, names in exchanged places, double surnames",
        (*PLACE_NAMES, "parent", "year"),
        several=True,
    ),
    BlockingKey(
        "token_year",
        f"list_transform({TOKENS}, lambda t: t || birth_year)",
        "one name wrong or changed, the day of birth too",
        (*PLACE_NAMES, "parent", "day"),
        several=True,
    ),
    BlockingKey(
        "two_starts_year",
        "list_transform(string_split(surname, ' '), lambda t: array_to_string(list_sort(list_concat([left(given, 2)], "
        "[left(t, 2)])), ' ') || birth_year)",
        "typing errors in both names",
        (*PLACE_NAMES, "parent", "day"),
        several=True,
    ),
    BlockingKey("birth_day", "strftime(birth_date, '%Y%m%d')", "both names wrong", (*PLACE_NAMES, "parent", "given", "surname")),
    BlockingKey(
        "birth_swapped",
        "year(birth_date) || '-' || least(month(birth_date), day(birth_date)) || '-' || greatest(month(birth_date), day(birth_date))",
        "day and month exchanged",
        (*PLACE_NAMES, "parent", "given", "surname"),
    ),
    BlockingKey(
        "given_parent", "given || ' ' || parent", "a mistyped or changed surname, no birth date", (*PLACE_NAMES, "year", "surname")
    ),
    BlockingKey(
        "surname_parent",
        "list_transform(string_split(surname, ' '), lambda t: t || ' ' || parent || ' ' || left(given, 1))",
        "a wrong given name, an initial",
        (*PLACE_NAMES, "year"),
        several=True,
    ),
    BlockingKey(
        "day_name",
        f"list_transform({TOKENS}, lambda t: left(t, 3) || strftime(birth_date, '%m%d'))",
        "a wrong year of birth",
        (*PLACE_NAMES, "parent", "year"),
        several=True,
    ),
    BlockingKey("register", "register_id", "everything, within one register of persons"),
)


@dataclass(frozen=True)
class BlockingGroups:
    """The groups of rows that share a value of a blocking key.

    - `groups`: the groups of rows
    - `report`: counts for each key, see `group_records_by_blocking_keys`
    - `refused`: hashes of the values that were refused or narrowed (see the module)
    - `moved`: for each row, whether one of its values is in `refused` now but was not in the last run, or the reverse
    """

    groups: RowGroups
    report: pd.DataFrame
    refused: np.ndarray
    moved: np.ndarray


@dataclass(frozen=True)
class BlockedPairs:
    """Sorted pairs of rows of the input frame (`left` < `right`).

    report: the report of `group_records_by_blocking_keys`. likelihoods: the levels and bits of the pairs if Spark has already scored them,
    otherwise None.
    """

    left: np.ndarray
    right: np.ndarray
    report: pd.DataFrame
    likelihoods: Likelihoods | None = None


def find_person_pairs_by_blocking(persons: pd.DataFrame) -> BlockedPairs:
    """Find all pairs of rows of `persons` that share a value of a blocking key (`BLOCKING_KEYS`)."""
    shared = group_records_by_blocking_keys(persons)
    return BlockedPairs(*concatenate_pairs(shared.groups.generate_pairs()), shared.report)


def concatenate_pairs(pairs: Iterable[Pairs]) -> Pairs:
    """Concatenate the chunks of pairs that a generator yields."""
    none = np.empty(0, dtype="int64")
    left, right = zip((none, none), *pairs, strict=True)
    return np.concatenate(left), np.concatenate(right)


def group_records_by_blocking_keys(
    records: pd.DataFrame,
    blocking_keys: tuple[BlockingKey, ...] = BLOCKING_KEYS,
    refused: np.ndarray | None = None,
    max_rows: int = MAX_RECORDS_PER_VALUE,
) -> BlockingGroups:
    """Group the rows of `records` that share the value of a blocking key, if at most `max_rows` rows share that value.

    If a column of `KEY_COLUMNS` is missing or empty, the keys that read it are null. refused: `BlockingGroups.refused` of the last run. The
    report has one row for each key, with these columns:

    - `key`: the name of the key
    - `pairs`: the number of pairs that the key finds, including pairs that other keys find too
    - `refused_values`: the number of values that more than `max_rows` rows share, and `refused_records` and `refused_pairs`: the records
      with these values and the pairs that they would form. Of these pairs only those that agree in a further column are generated.
    """
    refused_before = np.sort(refused) if refused is not None else None
    moved, size = np.zeros(len(records), dtype=bool), len(records)
    all_groups: list[RowGroups] = []
    refused_values: list[np.ndarray] = []
    rows = []
    with _open_sql_expression_evaluator(records) as evaluator:
        hash_further_column = cache(lambda name: evaluator.hash_expression(FURTHER_COLUMNS[name]))  # only evaluated if a value is common
        for number, key in enumerate(blocking_keys):
            groups, value = group_rows_by_value(*evaluator.hash_blocking_key_values(number, key), size)
            is_common = groups.sizes > (MAX_RECORDS_WITHOUT_FURTHER if key.further else max_rows)
            narrower, narrow_value = group_rows_by_value(
                *_combine_key_values_with_further_columns(
                    groups.select_groups(is_common),
                    value[is_common],
                    [hash_further_column(name) for name in key.further] if is_common.any() else [],
                ),
                size,
            )
            is_refused = narrower.sizes > max_rows
            for groups_of_step, hashed, excluded in ((groups, value, is_common), (narrower, narrow_value, is_refused)):
                all_groups.append(groups_of_step.select_groups(~excluded))
                refused_values.append(hashed[excluded])
                if refused_before is not None:
                    moved[groups_of_step.row[np.repeat(excluded != np.isin(hashed, refused_before), groups_of_step.sizes)]] = True
            rows.append(
                (key.name, all_groups[-2].count_of_pairs + all_groups[-1].count_of_pairs, *_count_oversized_groups(groups, max_rows))
            )
    report = pd.DataFrame(rows, columns=["key", "pairs", "refused_values", "refused_records", "refused_pairs"])
    return BlockingGroups(
        concatenate_groups(all_groups, size).drop_duplicate_groups(), report, np.unique(np.concatenate(refused_values)), moved
    )


def _count_oversized_groups(groups: RowGroups, max_rows: int) -> tuple[int, int, int]:
    """Count the values, the records and the pairs of groups with more than `max_rows` rows."""
    refused = groups.select_groups(groups.sizes > max_rows)
    return len(refused.sizes), len(refused.row), refused.count_of_pairs


def _combine_key_values_with_further_columns(
    groups: RowGroups, key_values: np.ndarray, further_hashes: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Combine the key value of each group with the value of one further column, for each further column separately.

    Return the combined values, and the row of each. further_hashes: one array for each further column. It has a hash for each row, which is
    0 if the row has no value in the column.
    """
    values, rows = [np.empty(0, dtype="uint64")], [np.empty(0, dtype="int64")]
    for number, hashed in enumerate(further_hashes):
        agreed = hashed[groups.row]
        values.append(mix_hashes(key_values[groups.group_of_entries], agreed, np.full(len(agreed), number))[agreed != 0])
        rows.append(groups.row[agreed != 0])
    return np.concatenate(values), np.concatenate(rows)


@contextmanager
def _open_sql_expression_evaluator(records: pd.DataFrame) -> Iterator[_SqlExpressionEvaluator]:
    """Open an evaluator of SQL expressions over `records`, with a database that is closed afterwards."""
    with open_shared_in_memory_database(2 if len(records) > BATCH_ROWS else 1) as database:
        yield _SqlExpressionEvaluator(records, database)


def _convert_values_for_sql(column_name: str, values: pd.Index) -> pa.Array:
    """Return the values of a column in the types that SQL expressions expect: days as dates, all other values as text."""
    if column_name == "birth_date" or pd.api.types.is_datetime64_any_dtype(values):
        return pa.array(pd.to_datetime(values))
    values = values.astype("int64") if pd.api.types.is_float_dtype(values) else values
    return pa.array(values.astype("str"), type=pa.string())


@dataclass(frozen=True)
class _SqlExpressionEvaluator:
    """Evaluates SQL expressions over `records`.

    An expression is evaluated once for each distinct combination of the columns that it reads, unless most combinations are distinct.
    """

    records: pd.DataFrame
    database: duckdb.DuckDBPyConnection
    columns: dict[str, tuple[np.ndarray, pa.Array]] = field(default_factory=dict)

    def encode_column(self, column_name: str) -> tuple[np.ndarray, pa.Array]:
        """Number the distinct values of the column `column_name`. Return the number of the value of each row, and the distinct values."""
        if column_name not in self.columns:
            absent = np.full(len(self.records), -1), pd.Index([], dtype="str")
            code, distinct = pd.factorize(self.records[column_name]) if column_name in self.records else absent
            self.columns[column_name] = code, _convert_values_for_sql(column_name, distinct)
        return self.columns[column_name]

    def hash_blocking_key_values(self, key_number: int, blocking_key: BlockingKey) -> tuple[np.ndarray, np.ndarray]:
        """Return the hashes of all values of `blocking_key`, and for each hash the row that has the value.

        Values that only one row has may be left out.
        """
        values = f"unnest(list_distinct({blocking_key.expression}))" if blocking_key.several else blocking_key.expression
        selection = f"SELECT id, {values} AS value FROM records"
        query = f"SELECT id, hash({key_number}, value) AS h FROM ({selection}) WHERE value <> ''"
        names = self._list_columns_in_expression(blocking_key.expression)
        if not blocking_key.several and self._are_values_mostly_distinct(names):
            result = self._run_query(query, {name: pa.array(self.records[name], type=pa.string()) for name in names}, len(self.records))
            return drop_unique_hashes(np.asarray(result["h"], dtype="uint64"), result["id"])
        combination, result = self._query_once_per_combination(query, names)
        # Sorted before each value is repeated for every record that has it.
        hashed = np.asarray(result["h"], dtype="uint64")
        order = np.argsort(hashed)
        entry, row = RowIndexByOwner(combination, int(combination.max(initial=-1)) + 1).find_rows_of_owners(result["id"][order])
        return hashed[order][entry], row

    def hash_expression(self, expression: str) -> np.ndarray:
        """Return a hash of the value of `expression` for each record; 0 if the value is null or empty."""
        query = f"SELECT id, hash(value) AS h FROM (SELECT id, {expression} AS value FROM records) WHERE value <> ''"
        combination, result = self._query_once_per_combination(query, self._list_columns_in_expression(expression))
        out = np.zeros(int(combination.max(initial=-1)) + 1, dtype="uint64")
        out[result["id"]] = result["h"]
        return out[combination]

    def _list_columns_in_expression(self, expression: str) -> list[str]:
        """List the columns that the SQL text `expression` reads."""
        return [name for name in dict.fromkeys([*KEY_COLUMNS, *self.records]) if re.search(rf"\b{name}\b", expression)]

    def _query_once_per_combination(self, query: str, column_names: list[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Run `query` over the distinct combinations of values in `column_names`, and not over all records.

        Return the number of the combination that each record has, and the result of `query`, in which `id` is the number of a combination.
        """
        code = np.zeros(len(self.records), dtype="int64")
        for name in column_names:
            codes, distinct = self.encode_column(name)
            code = code * (len(distinct) + 1) + codes + 1
        combination, combinations = pd.factorize(code)
        first = find_first_row_of_each_number(combination, len(combinations), np.arange(len(code)))
        columns = {}
        for name in column_names:
            codes, distinct = self.encode_column(name)
            columns[name] = distinct.take(pa.array(codes[first], mask=codes[first] < 0))
        return combination, self._run_query(query, columns, len(first))

    def _are_values_mostly_distinct(self, column_names: list[str]) -> bool:
        """Return whether `column_names` are text columns in which few rows have the same values, as estimated from a sample of rows."""
        if not all(name in self.records and pd.api.types.is_string_dtype(self.records[name]) for name in column_names):
            return False
        size = len(self.records)
        rows = np.unique(np.random.default_rng(0).integers(0, max(size, 1), min(SAMPLE_SIZE, size)))
        duplicates = int(self.records[column_names].iloc[rows].duplicated().sum())
        return 1 + 2 * duplicates * size / max(len(rows), 1) ** 2 < MIN_REPETITION

    def _run_query(self, query: str, columns: Mapping[str, pa.Array], row_count: int) -> dict[str, np.ndarray]:
        """Run `query` over a table `records` with the given columns, and return the result by column."""
        table = pa.table({**columns, "id": np.arange(row_count)})
        self.database.register("records", pa.Table.from_batches(table.to_batches(max_chunksize=BATCH_ROWS), table.schema))
        return {name: np.asarray(values) for name, values in self.database.execute(query).fetchnumpy().items()}
