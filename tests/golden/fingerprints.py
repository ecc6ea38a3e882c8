"""Fingerprints of what a home published, and the rows in which two homes differ."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

RELEASED = ("cube.csv", "bridge.csv", "coverage.csv", "revisions.csv")


def fingerprints(home: Path) -> dict[str, str]:
    """Table, or file of a release → rows and hash of its content, in whatever order its rows lie."""
    found = {}
    with _opened(home) as connection:
        for table in _tables(connection):
            asked = f'SELECT count(*), sha256(string_agg(r::VARCHAR, chr(10) ORDER BY r::VARCHAR)) FROM "{table}" AS r'
            rows, content = connection.execute(asked).fetchall()[0]
            found[table] = f"{rows} {(content or '')[:24]}"
    for release in sorted((home / "releases").iterdir()):
        for name in RELEASED:
            content = (release / "public" / name).read_bytes()
            found[f"{release.name}/{name}"] = f"{len(content.splitlines()) - 1} {hashlib.sha256(content).hexdigest()[:24]}"
    return found


def differing(before: Path, after: Path) -> dict[str, list[str]]:
    """Table → its rows that only one of two homes has, `-` before, `+` after, at most twenty each; tables that differ alone."""
    found = {}
    with _opened(before) as connection:
        connection.execute(f"ATTACH '{after / 'warehouse.duckdb'}' AS later (READ_ONLY)")
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'later'").fetchall()]
        here = _tables(connection)
        for table in sorted({*here, *names}):
            if table not in here or table not in names:
                found[table] = ["only " + ("before" if table in here else "after")]
                continue
            sides = (f'FROM main."{table}"', f'FROM later.main."{table}"')
            lines = []
            for mark, one, other in (("-", *sides), ("+", *reversed(sides))):
                rows = connection.execute(f"SELECT * FROM (({one}) EXCEPT ALL ({other})) ORDER BY ALL LIMIT 20").fetchall()
                lines += [f"{mark} {row}" for row in rows]
            if lines:
                found[table] = lines
    return found


def _opened(home: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(home / "warehouse.duckdb"), read_only=True)


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    asked = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY ALL"
    return [name for (name,) in connection.execute(asked).fetchall()]
