"""Which pairs of person records are compared at all.

Belongs here: the keys as data, the estimate of their pairs before the join, the refusal of values that explode.
Does not belong here: comparison and weights. No value of a key leaves this module: only names of keys and counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

# A value of a key that more records share than this says nothing: 300 records are 44,850 pairs.
MOST_RECORDS = 300
# A key whose remaining values give more pairs than this per record is refused as a whole.
MOST_PAIRS_PER_RECORD = 2_000


@dataclass(frozen=True)
class Key:
    """One blocking key: an SQL expression over `records` (text, or a list of texts), null where the record takes no part."""

    name: str
    expression: str
    catches: str


TOKENS = "list_concat(string_split(given, ' '), string_split(surname, ' '))"
KEYS: tuple[Key, ...] = (
    Key("number", "number", "everything but the number"),
    Key(
        "number_less_one",
        "CASE WHEN length(number) BETWEEN 9 AND 10 THEN list_distinct(list_concat([number], list_transform("
        "range(1, length(number) + 1), lambda i: left(number, i - 1) || substr(number, i + 1)))) END",
        "one digit of the number wrong, lost, or two exchanged",
    ),
    Key(
        "two_names",
        "CASE WHEN given IS NOT NULL AND surname IS NOT NULL THEN list_distinct(list_transform(string_split(surname, ' '), "
        "lambda t: array_to_string(list_sort(list_concat([given], [t])), ' '))) END",
        "number and birth date wrong or missing, names in exchanged places, double surnames",
    ),
    Key("token_year", f"list_transform({TOKENS}, lambda t: t || birth_year)", "one name wrong or changed, the day of birth too"),
    Key(
        "two_starts_year",
        "list_distinct(list_transform(string_split(surname, ' '), lambda t: array_to_string(list_sort(list_concat([left(given, 2)], "
        "[left(t, 2)])), ' ') || birth_year))",
        "typing errors in both names",
    ),
    Key("birth_day", "strftime(birth_date, '%Y%m%d')", "both names wrong"),
    Key(
        "birth_swapped",
        "year(birth_date) || '-' || least(month(birth_date), day(birth_date)) || '-' || greatest(month(birth_date), day(birth_date))",
        "day and month exchanged",
    ),
    Key("given_parent", "given || ' ' || parent", "a mistyped or changed surname, no birth date"),
    Key(
        "surname_parent",
        "list_transform(string_split(surname, ' '), lambda t: t || ' ' || parent || ' ' || left(given, 1))",
        "a wrong given name, an initial",
    ),
    Key("day_name", f"list_transform({TOKENS}, lambda t: left(t, 3) || strftime(birth_date, '%m%d'))", "a wrong year of birth"),
    Key("register", "register_id", "everything, within the prisons' register"),
)


@dataclass(frozen=True)
class Blocked:
    """Pairs (`left` < `right`, rows of the frame given) in order, per key how many pairs it gave and how many values were refused, and
    hashes of the values that were."""

    left: np.ndarray
    right: np.ndarray
    report: pd.DataFrame
    refused: np.ndarray


def block(persons: pd.DataFrame, keys: tuple[Key, ...] = KEYS) -> Blocked:
    """Pairs of rows of `persons` that share a value of any key.

    Needs `given, surname, parent, number, birth_date, birth_year, register_id`; missing parts make a key null. The report has a
    row a key: `key, pairs, refused_values, refused_records, refused_pairs`.
    """
    columns = ["given", "surname", "parent", "number", "birth_date", "birth_year", "register_id"]
    records = persons[columns].reset_index(drop=True)
    records["birth_year"] = records["birth_year"].astype("Int64").astype("str")
    for name in ("given", "surname", "parent", "number", "register_id"):
        records[name] = records[name].astype("str")
    with duckdb.connect(":memory:") as database:
        database.execute("SET threads = 2; SET preserve_insertion_order = false")
        database.register("frame", pa.Table.from_pandas(records.reset_index(names="id"), preserve_index=False))
        database.execute("CREATE TABLE records AS SELECT * FROM frame")
        union = " UNION ALL ".join(f"SELECT {n} AS key, id, {_listed(k)} AS values FROM records" for n, k in enumerate(keys))
        database.execute(
            "CREATE TABLE blocks AS WITH listed AS ("
            + union
            + "), single AS (SELECT DISTINCT key, id, unnest(values) AS value FROM listed) "
            "SELECT key, id, value, count(*) OVER (PARTITION BY key, value) AS n FROM single WHERE value IS NOT NULL AND value <> ''"
        )
        report = _estimate(database, keys)
        allowed = report.index[~report["refused"]].tolist()
        pairs = _join(database, allowed)
        whole = ", ".join(str(n) for n in report.index[report["refused"]]) or "NULL"
        refused = database.execute(f"SELECT DISTINCT hash(key, value) AS h FROM blocks WHERE n > {MOST_RECORDS} OR key IN ({whole})")
        hashed = np.asarray(refused.fetchnumpy()["h"], dtype="uint64")
    return Blocked(pairs["l"].to_numpy("int64"), pairs["r"].to_numpy("int64"), report.drop(columns="refused"), hashed)


def _listed(key: Key) -> str:
    expression = f"({key.expression})"
    is_list = "list_" in key.expression[:40] or "THEN list_" in key.expression
    return expression if is_list else f"[{expression}]"


def _estimate(database: duckdb.DuckDBPyConnection, keys: tuple[Key, ...]) -> pd.DataFrame:
    """Pairs per key before any join, and what is refused; indexed by number of the key."""
    sums = database.execute(
        "WITH sizes AS (SELECT DISTINCT key, value, n FROM blocks) SELECT key, "
        f"sum(n * (n - 1) // 2) FILTER (n <= {MOST_RECORDS}) AS pairs, count(*) FILTER (n > {MOST_RECORDS}) AS refused_values, "
        f"sum(n) FILTER (n > {MOST_RECORDS}) AS refused_records, sum(n * (n - 1) // 2) FILTER (n > {MOST_RECORDS}) AS refused_pairs "
        "FROM sizes GROUP BY key"
    ).df()
    counts = ["pairs", "refused_values", "refused_records", "refused_pairs"]
    report = sums.set_index("key").reindex(range(len(keys))).fillna(0).astype("int64")[counts]
    records = database.execute("SELECT count(*) FROM records").fetchall()[0][0]
    report["refused"] = report["pairs"] > MOST_PAIRS_PER_RECORD * max(records, 1)
    report.insert(0, "key_name", [key.name for key in keys])
    return report.rename(columns={"key_name": "key"})


def _join(database: duckdb.DuckDBPyConnection, allowed: list[int]) -> pd.DataFrame:
    if not allowed:
        return pd.DataFrame({"l": [], "r": []}, dtype="int64")
    return database.execute(
        f"SELECT DISTINCT a.id AS l, b.id AS r FROM blocks a JOIN blocks b ON a.key = b.key AND a.value = b.value AND a.id < b.id "
        f"WHERE a.n BETWEEN 2 AND {MOST_RECORDS} AND a.key IN ({', '.join(map(str, allowed))}) ORDER BY l, r"
    ).df()
