"""How many persons are unique in the analysts' copy, and do row order or numbers reveal record keys?

    python -m benchmarks analysts_reidentification --home HOME [--out FILE]

Compares `analysts.duckdb` with `warehouse.duckdb` of one home. k: size of the smallest group of victims with equal values. FILE: CSV.
Results: docs/reference/access.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import pandas as pd

from warehouse.reading import open_publication
from warehouse.stores import ANALYSTS, WAREHOUSE

KNOWN = {
    "sex, age, citizenship, municipality, day": ("p.sex, p.age_at_offence, p.citizenship, c.municipality, p.identified", "p.victim"),
    "the same and form, offence": (
        "p.sex, p.age_at_offence, p.citizenship, c.municipality, p.identified, p.form, p.offence_registration",
        "p.victim",
    ),
}
OF_RECORD = ("fact_case_record", "fact_person_record", "fact_charge", "fact_event", "fact_sentence", "fact_stay", "lineage")
"""Tables that hold an institution's own records: what it can hold against what it delivered itself."""
NAMELESS = ("record_key", "file_key", "indictment_number", "case_id", "person_id", "event_id", "chain")


def groups(connection: duckdb.DuckDBPyConnection, store: str, by: str, source: str, where: str = "true") -> tuple[int, int, int, int]:
    """Rows, how many are alone with their values, in a group of fewer than five, the smallest group."""
    asked = f"SELECT count(*) AS n FROM {source.format(store)} WHERE {where} GROUP BY {by}"
    found = connection.execute(
        f"SELECT sum(n), coalesce(sum(n) FILTER (n = 1), 0), coalesce(sum(n) FILTER (n < 5), 0), min(n) FROM ({asked})"
    ).fetchall()[0]
    return tuple(int(one or 0) for one in found)  # type: ignore[return-value]


def fingerprints(connection: duckdb.DuckDBPyConnection, store: str) -> pd.DataFrame:
    """institution, records, unique: by all columns of the tables of records, without keys and ids."""
    parts = []
    for name in OF_RECORD:
        columns = [one for (one,) in connection.execute(f"SELECT column_name FROM (DESCRIBE {store}.{name})").fetchall()]
        said = ", ".join(f"coalesce(CAST(\"{column}\" AS VARCHAR), '')" for column in columns if column not in NAMELESS)
        parts.append(f"SELECT institution, record_key, '{name}' || concat_ws('|', {said}) AS said FROM {store}.{name}")
    whole = (
        f"SELECT institution, record_key, md5(string_agg(said, '#' ORDER BY said)) AS print FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL"
    )
    return connection.execute(
        f"""SELECT institution, CAST(sum(n) AS BIGINT) AS records, CAST(coalesce(sum(n) FILTER (n = 1), 0) AS BIGINT) AS "unique"
        FROM (SELECT institution, print, count(*) AS n FROM ({whole}) WHERE record_key IS NOT NULL GROUP BY ALL) GROUP BY 1 ORDER BY 1"""
    ).df()


def order(connection: duckdb.DuckDBPyConnection, store: str, column: str) -> float:
    """Share of neighbouring files in `lineage`, by `column`, whose record keys ascend: a half where the order tells nothing.

    The record keys of the analysts' rows are looked up in the crosswalk.
    """
    hidden = store == ANALYSTS
    join = " JOIN identity.crosswalk x ON x.pseudonym = l.record_key AND x.institution = l.institution" if hidden else ""
    key = "x.record_key" if hidden else "l.record_key"
    before = f"lag({key}) OVER (PARTITION BY l.institution ORDER BY {column})"
    pairs = f"SELECT {key} AS key, {before} AS before FROM {store}.lineage l{join} WHERE l.entity = 'case'"
    row = connection.execute(f"SELECT avg(CASE WHEN key > before THEN 1.0 ELSE 0.0 END) FROM ({pairs}) WHERE before <> key").fetchall()[0]
    return round(float(row[0]), 3)


def measured(home: Path) -> pd.DataFrame:
    """what, store, rows (or the share, where it is an order), alone, fewer than five, smallest."""
    out: list[tuple[object, ...]] = []
    with open_publication(home, WAREHOUSE, ANALYSTS, "identity") as connection:
        for store in (WAREHOUSE, ANALYSTS):
            persons = "{0}.fact_person p JOIN {0}.fact_case c USING (case_id)"
            out += [(f"victims by {what}", store, *groups(connection, store, by, persons, where)) for what, (by, where) in KNOWN.items()]
            out.append(
                (
                    "lines by delivery, file, part, line",
                    store,
                    *groups(connection, store, "institution, delivery, file, part, line", "{0}.lineage"),
                )
            )
            found = fingerprints(connection, store)
            out += [
                (f"records of {row.institution} by all columns", store, row.records, row.unique, None, None) for row in found.itertuples()
            ]
            out.append(("ascending keys in the order of rows", store, order(connection, store, "l.rowid"), None, None, None))
            out.append(("ascending keys in the order of case ids", store, order(connection, store, "l.case_id, l.rowid"), None, None, None))
    return pd.DataFrame(out, columns=["what", "store", "rows", "alone", "fewer than five", "smallest"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    table = measured(options.home)
    print(table.to_string(index=False))
    if options.out:
        table.to_csv(options.out, index=False)
