"""Blocking: selects which pairs of records are compared at all.

Belongs here: the blocking keys of person records, as data; for any records and keys, counting the pairs before they are generated, and
narrowing or refusing values that too many records share. Does not belong here: how rows that share a value form pairs (`sharing`),
comparison and weights. No value of a key leaves this module, only names of keys and counts.
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

from pipelines.linkage.hashing import mix_hashes, open_cursor
from pipelines.linkage.score import Likelihoods
from pipelines.linkage.sharing import Groups, Pairs, concatenate_groups, drop_unique_hashes, group_rows
from pipelines.linkage.states import first_rows
from pipelines.resources.integer_arrays import RowIndexByOwner

# A value that more records share than this is refused: 300 records are 44,850 pairs.
MOST_RECORDS = 300
# If on average fewer rows than this agree in the columns of a key with one value, it is evaluated row by row; estimated on a sample.
REPEATED = 5.0
SAMPLE = 20_000
# If more records than this share a value, only those that also agree in a further column (`BlockingKey.further`) are paired.
FEW = 20


@dataclass(frozen=True)
class BlockingKey:
    """A blocking key.

    - an SQL expression over `records`, which gives a text, or with `several` a list of texts; null if the record does not take part
    - `catches`: the errors in spite of which the pair is still found
    - `further`: columns (of `FURTHER`); if more than `FEW` records share a value, pairs must also agree in one of these
    """

    name: str
    expression: str
    catches: str = ""
    further: tuple[str, ...] = ()
    several: bool = False


# The columns that the keys of persons read; they may be absent.
COLUMNS = ("birth_date", "birth_year", "given", "surname", "parent", "number", "register_id", "municipality", "birthplace")
# Further agreement required if a value is too common: each expression is as selective as the parts of a key.
FURTHER = {
    "home": "municipality",
    "born": "birthplace",
    "parent": "parent",
    "year": "birth_year",
    "day": "strftime(birth_date, '%m%d')",
    "given": "left(given, 2)",
    "surname": "left(surname, 2)",
}
PLACES = ("home", "born")
TOKENS = "list_concat(string_split(given, ' '), string_split(surname, ' '))"
KEYS: tuple[BlockingKey, ...] = (
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
        (*PLACES, "parent", "year"),
        several=True,
    ),
    BlockingKey(
        "token_year",
        f"list_transform({TOKENS}, lambda t: t || birth_year)",
        "one name wrong or changed, the day of birth too",
        (*PLACES, "parent", "day"),
        several=True,
    ),
    BlockingKey(
        "two_starts_year",
        "list_transform(string_split(surname, ' '), lambda t: array_to_string(list_sort(list_concat([left(given, 2)], "
        "[left(t, 2)])), ' ') || birth_year)",
        "typing errors in both names",
        (*PLACES, "parent", "day"),
        several=True,
    ),
    BlockingKey("birth_day", "strftime(birth_date, '%Y%m%d')", "both names wrong", (*PLACES, "parent", "given", "surname")),
    BlockingKey(
        "birth_swapped",
        "year(birth_date) || '-' || least(month(birth_date), day(birth_date)) || '-' || greatest(month(birth_date), day(birth_date))",
        "day and month exchanged",
        (*PLACES, "parent", "given", "surname"),
    ),
    BlockingKey("given_parent", "given || ' ' || parent", "a mistyped or changed surname, no birth date", (*PLACES, "year", "surname")),
    BlockingKey(
        "surname_parent",
        "list_transform(string_split(surname, ' '), lambda t: t || ' ' || parent || ' ' || left(given, 1))",
        "a wrong given name, an initial",
        (*PLACES, "year"),
        several=True,
    ),
    BlockingKey(
        "day_name",
        f"list_transform({TOKENS}, lambda t: left(t, 3) || strftime(birth_date, '%m%d'))",
        "a wrong year of birth",
        (*PLACES, "parent", "year"),
        several=True,
    ),
    BlockingKey("register", "register_id", "everything, within one register of persons"),
)


@dataclass(frozen=True)
class SharedValues:
    """Rows that share a value of a blocking key.

    - `groups`: the groups of rows
    - `report`: see `group_by_keys`
    - `refused`: hashes of values that were refused or narrowed
    - `moved`: rows with a value that was not refused in the last run and now is, or the reverse
    """

    groups: Groups
    report: pd.DataFrame
    refused: np.ndarray
    moved: np.ndarray


@dataclass(frozen=True)
class BlockedPairs:
    """Sorted pairs of rows of the input frame (`left` < `right`), the `report` of `group_by_keys`, and the `likelihoods` of pairs that
    are already scored (`pipelines.linkage.spark`)."""

    left: np.ndarray
    right: np.ndarray
    report: pd.DataFrame
    likelihoods: Likelihoods | None = None


def block_persons(persons: pd.DataFrame) -> BlockedPairs:
    """Find all pairs of rows of `persons` that share a value of any blocking key (`KEYS`)."""
    shared = group_by_keys(persons)
    return BlockedPairs(*concatenate_pairs(shared.groups.pairs()), shared.report)


def concatenate_pairs(pairs: Iterable[Pairs]) -> Pairs:
    """Concatenate the chunks of pairs that a generator returns."""
    none = np.empty(0, dtype="int64")
    left, right = zip((none, none), *pairs, strict=True)
    return np.concatenate(left), np.concatenate(right)


def group_by_keys(
    records: pd.DataFrame, keys: tuple[BlockingKey, ...] = KEYS, refused: np.ndarray | None = None, most: int = MOST_RECORDS
) -> SharedValues:
    """Group the rows of `records` that share the value of a blocking key, if at most `most` rows share that value.

    If a column of `COLUMNS` is missing or empty, the key is null. `refused`: `SharedValues.refused` of the last run. The report has one
    row for each key. Columns: key, pairs (including pairs that other keys find too), refused_values, refused_records, refused_pairs (of
    values that more than `most` rows share; only their pairs with further agreement remain).
    """
    before = np.sort(refused) if refused is not None else None
    moved, size = np.zeros(len(records), dtype=bool), len(records)
    found: list[Groups] = []
    out: list[np.ndarray] = []
    rows = []
    with _open_evaluator(records) as evaluator:
        further = cache(lambda name: evaluator.hashes(FURTHER[name]))  # only evaluated if a value is common
        for number, key in enumerate(keys):
            groups, value = group_rows(*evaluator.values(number, key), size)
            many = groups.sizes > (FEW if key.further else most)
            narrower, narrow_value = group_rows(
                *_narrow_values(groups.at(many), value[many], [further(name) for name in key.further] if many.any() else []), size
            )
            too_many = narrower.sizes > most
            for one, hashed, no in ((groups, value, many), (narrower, narrow_value, too_many)):
                found.append(one.at(~no))
                out.append(hashed[no])
                if before is not None:
                    moved[one.row[np.repeat(no != np.isin(hashed, before), one.sizes)]] = True
            rows.append((key.name, found[-2].many_pairs + found[-1].many_pairs, *_count_refused(groups, most)))
    report = pd.DataFrame(rows, columns=["key", "pairs", "refused_values", "refused_records", "refused_pairs"])
    return SharedValues(concatenate_groups(found, size).distinct(), report, np.unique(np.concatenate(out)), moved)


def _count_refused(groups: Groups, most: int) -> tuple[int, int, int]:
    """Count the values, the records and the pairs of groups with more than `most` rows."""
    refused = groups.at(groups.sizes > most)
    return len(refused.sizes), len(refused.row), refused.many_pairs


def _narrow_values(groups: Groups, value: np.ndarray, further: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of `groups` combined with each of `further` (a hash per row, 0 if missing), and their rows."""
    values, rows = [np.empty(0, dtype="uint64")], [np.empty(0, dtype="int64")]
    for number, hashed in enumerate(further):
        agreed = hashed[groups.row]
        values.append(mix_hashes(value[groups.of_entries], agreed, np.full(len(agreed), number))[agreed != 0])
        rows.append(groups.row[agreed != 0])
    return np.concatenate(values), np.concatenate(rows)


@contextmanager
def _open_evaluator(records: pd.DataFrame) -> Iterator[_Evaluator]:
    with open_cursor() as database:
        yield _Evaluator(records, database)


def _as_expression_input(name: str, values: pd.Index) -> pa.Array:
    """Return the values of a column in the types that the expressions read: text, except for days."""
    if name == "birth_date" or pd.api.types.is_datetime64_any_dtype(values):
        return pa.array(pd.to_datetime(values))
    values = values.astype("int64") if pd.api.types.is_float_dtype(values) else values
    return pa.array(values.astype("str"), type=pa.string())


@dataclass(frozen=True)
class _Evaluator:
    """Evaluates expressions over `records`: once for each distinct combination of the columns that an expression reads, unless most
    combinations are distinct."""

    records: pd.DataFrame
    database: duckdb.DuckDBPyConnection
    columns: dict[str, tuple[np.ndarray, pa.Array]] = field(default_factory=dict)

    def column(self, name: str) -> tuple[np.ndarray, pa.Array]:
        """Return the code of each row in the column `name`, and the distinct values by code."""
        if name not in self.columns:
            absent = np.full(len(self.records), -1), pd.Index([], dtype="str")
            code, distinct = pd.factorize(self.records[name]) if name in self.records else absent
            self.columns[name] = code, _as_expression_input(name, distinct)
        return self.columns[name]

    def values(self, number: int, key: BlockingKey) -> tuple[np.ndarray, np.ndarray]:
        """Return the hash of every value of the blocking key `key`, and the row with that value."""
        values = f"unnest(list_distinct({key.expression}))" if key.several else key.expression
        listed = f"SELECT id, {values} AS value FROM records"
        query = f"SELECT id, hash({number}, value) AS h FROM ({listed}) WHERE value <> ''"
        names = self._columns_read(key.expression)
        if not key.several and self._mostly_distinct(names):
            found = self._run_query(query, {name: pa.array(self.records[name], type=pa.string()) for name in names}, len(self.records))
            return drop_unique_hashes(np.asarray(found["h"], dtype="uint64"), found["id"])
        place, found = self._query_distinct(query, names)
        # Sorted before each value is repeated for every record that has it.
        hashed = np.asarray(found["h"], dtype="uint64")
        order = np.argsort(hashed)
        entry, row = RowIndexByOwner(place, int(place.max(initial=-1)) + 1).rows_of(found["id"][order])
        return hashed[order][entry], row

    def hashes(self, expression: str) -> np.ndarray:
        """Return a hash for each record, 0 if `expression` is null or empty."""
        query = f"SELECT id, hash(value) AS h FROM (SELECT id, {expression} AS value FROM records) WHERE value <> ''"
        place, found = self._query_distinct(query, self._columns_read(expression))
        out = np.zeros(int(place.max(initial=-1)) + 1, dtype="uint64")
        out[found["id"]] = found["h"]
        return out[place]

    def _columns_read(self, expression: str) -> list[str]:
        """List the columns that the SQL text `expression` reads."""
        return [name for name in dict.fromkeys([*COLUMNS, *self.records]) if re.search(rf"\b{name}\b", expression)]

    def _query_distinct(self, query: str, names: list[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return, for each record, the number of its combination of values in `names`, and the result of `query` by this number (`id`)."""
        code = np.zeros(len(self.records), dtype="int64")
        for name in names:
            own, distinct = self.column(name)
            code = code * (len(distinct) + 1) + own + 1
        place, found = pd.factorize(code)
        first = first_rows(place, len(found), np.arange(len(code)))
        columns = {}
        for name in names:
            own, distinct = self.column(name)
            columns[name] = distinct.take(pa.array(own[first], mask=own[first] < 0))
        return place, self._run_query(query, columns, len(first))

    def _mostly_distinct(self, names: list[str]) -> bool:
        """Return whether few rows agree in `names`, all of them texts. This is estimated from the duplicates in a sample."""
        if not all(name in self.records and pd.api.types.is_string_dtype(self.records[name]) for name in names):
            return False
        size = len(self.records)
        rows = np.unique(np.random.default_rng(0).integers(0, max(size, 1), min(SAMPLE, size)))
        again = int(self.records[names].iloc[rows].duplicated().sum())
        return 1 + 2 * again * size / max(len(rows), 1) ** 2 < REPEATED

    def _run_query(self, query: str, columns: Mapping[str, pa.Array], size: int) -> dict[str, np.ndarray]:
        self.database.register("records", pa.table({**columns, "id": np.arange(size)}))
        return {name: np.asarray(values) for name, values in self.database.execute(query).fetchnumpy().items()}
