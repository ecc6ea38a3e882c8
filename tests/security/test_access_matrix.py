"""The whole matrix role x table x column on a real server: every cell tried by a connection that has the role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import duckdb
import psycopg
import pyarrow as pa
import pytest
from psycopg import errors, sql
from security_world import NOBODY, ROWS, Published
from sqlalchemy import Table

from warehouse import tables
from warehouse.access.matrix import SCHEMAS, Role, roles
from warehouse.access.visible_rows import select_rows_visible_to_role
from warehouse.loading import convert_rows_to_frame
from warehouse.stores import ANALYSTS, IDENTITY, STORES

READ = ("all", "own")


def every_column() -> Iterator[tuple[str, Table, str]]:
    for schema, metadata in SCHEMAS.items():
        for table in metadata.sorted_tables:
            yield from ((schema, table, column.name) for column in table.columns)


def values(connection: psycopg.Connection, schema: str, table: str, column: str) -> Counter[object]:
    asked = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(schema, table))
    return Counter(value for (value,) in connection.execute(asked).fetchall())


def expected(justice: Published, role: Role) -> dict[tuple[str, str], Counter[object]]:
    """(table, column) -> the values that the role should read."""
    out = {}
    for name, frame in select_rows_visible_to_role(role, justice.stores).items():
        table = STORES[role.store].tables[name]
        held = pa.Table.from_pandas(tables.conform_frame(table, frame), schema=tables.arrow_schema(table), preserve_index=False)
        out |= {(name, column): Counter(held[column].to_pylist()) for column in held.column_names}
    return out | in_views(justice, role)


def in_views(justice: Published, role: Role) -> dict[tuple[str, str], Counter[object]]:
    """The same of the views, as DuckDB answers them over the store's tables; whoever reads one reads it whole."""
    metadata, out = STORES[role.store], {}
    with duckdb.connect() as other:
        for table in tables.list_declared_tables_except_views(metadata):
            frame = tables.conform_frame(table, convert_rows_to_frame(justice.stores[role.store][table.name]))
            other.register(table.name, pa.Table.from_pandas(frame, schema=tables.arrow_schema(table), preserve_index=False))
        for view in tables.list_declared_views(metadata) if "all" in role.rows.values() else ():
            rows = other.execute(f'CREATE VIEW "{view.name}" AS {view.info["view"]}').execute(f'FROM "{view.name}"').fetchall()
            if role.visible_rows(role.store, view) == "all":
                out |= {(view.name, column): Counter(row[n] for row in rows) for n, column in enumerate(view.columns.keys())}
    return out


@pytest.mark.slow
def test_every_cell_gives_what_the_matrix_says(justice: Published) -> None:
    tried, leaks, lacking = 0, [], []
    for role in roles():
        may = expected(justice, role)
        with justice.connect(role.name) as connection:
            for schema, table, column in every_column():
                tried += 1
                name = f"{role.name} {schema}.{table.name}.{column}"
                is_readable = role.visible_rows(schema, table) in READ and column in role.readable_columns(schema, table)
                try:
                    got = values(connection, schema, table.name, column)
                except errors.InsufficientPrivilege:
                    if is_readable:
                        lacking.append(name)
                    continue
                if not is_readable or (schema == role.store and got != may[table.name, column]):
                    leaks.append(name)
    assert (leaks, lacking) == ([], [])
    assert tried == len(roles()) * sum(len(table.columns) for metadata in SCHEMAS.values() for table in metadata.sorted_tables)


def test_who_has_no_role_reads_nothing(justice: Published) -> None:
    with justice.connect(NOBODY) as connection:
        for schema, table, column in every_column():
            with pytest.raises(errors.InsufficientPrivilege):
                values(connection, schema, table.name, column)


def test_nobody_writes_anything(justice: Published) -> None:
    writing = ("DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES", "DROP TABLE {}", "ALTER TABLE {} ADD COLUMN more int")
    for role in roles():
        with justice.connect(role.name) as connection:
            for schema, metadata in SCHEMAS.items():
                for table in metadata.sorted_tables:
                    for statement in (*writing, "UPDATE {} SET " + f'"{table.columns.keys()[-1]}" = NULL', "LOCK TABLE {} IN SHARE MODE"):
                        # DROP TABLE on a view says that it is none, DELETE from one that it takes no writing
                        refused = (errors.InsufficientPrivilege, errors.WrongObjectType, errors.ObjectNotInPrerequisiteState)
                        with pytest.raises(refused), connection.transaction():
                            connection.execute(sql.SQL(statement).format(sql.Identifier(schema, table.name)))
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(sql.SQL("CREATE TABLE {} (a int)").format(sql.Identifier(schema, "mine")))


def test_read_as_words_what_the_matrix_says(justice: Published) -> None:
    """A few cells said by hand: the matrix itself could be wrong."""
    by_hand = {
        "engineer": ("SELECT count(DISTINCT institution) FROM warehouse.lineage", 7),
        "steward": ("SELECT count(*) FROM warehouse.lineage WHERE record_key LIKE 'KEY-%'", 7 * (ROWS - 1)),
        "analyst": ("SELECT count(*) FROM analysts.lineage WHERE record_key LIKE 'KEY-%'", 0),
        "institution_police": ("SELECT count(*) FROM warehouse.findings WHERE institution <> 'police'", 0),
        "institution_courts": ("SELECT count(DISTINCT institution) FROM warehouse.lineage", 1),
    }
    for role, (asked, found) in by_hand.items():
        with justice.connect(role) as connection:
            assert connection.execute(asked.encode()).fetchone() == (found,), role
    for role, table in (
        ("engineer", f"{IDENTITY}.persons"),
        ("steward", f"{IDENTITY}.persons"),
        ("steward", "audit.identity_requests"),
        ("analyst", "warehouse.lineage"),
        ("analyst", f"{IDENTITY}.crosswalk"),
        ("institution_police", f"{ANALYSTS}.lineage"),
        ("institution_police", "warehouse.statistics"),
        ("institution_police", "warehouse.fact_event"),
        ("institution_police", "warehouse.bridge_records"),
        ("institution_police", "(SELECT person_id FROM warehouse.lineage) own"),
        ("institution_police", "warehouse.reconciliation"),
    ):
        with justice.connect(role) as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute(f"SELECT * FROM {table}".encode())
