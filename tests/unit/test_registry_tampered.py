"""Every cell and row of the registry, tampered with by SQL behind the pipeline's back, is found: whoever adds a column learns it here."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, Table, insert, select
from sqlalchemy.orm import Session
from test_registry_seal import lived

from harmonia.operations.backup.verify import verify_home
from harmonia.registry import Registry, open_registry, published_seal, seal
from harmonia.registry.ledger import now
from harmonia.registry.tables import Audit, Base, Instant
from pipelines.resources.workplace import Workplace

TABLES = list(Base.metadata.sorted_tables)
COLUMNS = [column for table in TABLES for column in table.columns]
STRUCTURE = {
    "a moment that is none": "UPDATE run SET started = 'yesterday'",
    "a moment of a seal that is none": "UPDATE seal SET at = 'yesterday'",
    "a number that is none": "UPDATE file SET size = 'many'",
    "a trigger": "CREATE TRIGGER after_it AFTER INSERT ON judgement BEGIN UPDATE judgement SET verdict = 'same'; END",
    "a column more": "ALTER TABLE audit ADD COLUMN note TEXT",
    "a column less": "ALTER TABLE answer DROP COLUMN until",
    "the newest seal removed": "DELETE FROM seal WHERE id = (SELECT max(id) FROM seal)",
    "all seals removed": "DELETE FROM seal",
    "a row and its seal removed": "DELETE FROM audit; DELETE FROM seal WHERE id = (SELECT max(id) FROM seal)",
}


def a_value(column: Column[object], session: Session) -> object:
    """A value for a row that nothing else made: of the row that a key names, else by type."""
    for key in column.foreign_keys:
        return session.scalar(select(key.column).limit(1))
    return {int: 7, float: 0.5, bool: True, str: "x", datetime: now(), date: now().date()}[kind(column)]


def kind(column: Column[object]) -> type:
    """The type of a column's values; of the registry's own `Instant` too."""
    return datetime if isinstance(column.type, Instant) else column.type.python_type


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that has lived, with a row in every table and no empty cell in one row of each, entered as the pipeline enters."""
    path = tmp_path_factory.mktemp("registry") / "r.sqlite"
    registry = lived(open_registry(f"sqlite:///{path}"))
    for table in TABLES:
        with registry.write() as session:
            if table.name != "seal" and session.execute(select(table).limit(1)).first() is None:
                session.execute(insert(table), [{c.name: a_value(c, session) for c in table.columns if c.default is None}])
    registry.close()
    return path


@pytest.fixture
def copied(filled: Path, tmp_path: Path) -> Iterator[Registry]:
    shutil.copy(filled, tmp_path / "r.sqlite")
    registry = open_registry(f"sqlite:///{tmp_path / 'r.sqlite'}")
    yield registry
    registry.close()


def found(registry: Registry) -> list[str]:
    with registry.read() as session:
        return seal.find_integrity_problems(session)


def tampered(registry: Registry, *edits: str) -> list[str]:
    """What is said after each edit alone, made past the pipeline; an edit of which nothing was said comes back."""
    unseen = []
    path = str(registry.engine.url.database)
    for edit in edits:
        backup = sqlite3.connect(path)
        held = sqlite3.connect(":memory:")
        backup.backup(held)
        backup.executescript(f"PRAGMA foreign_keys = OFF; {edit}")
        backup.close()
        try:
            if not found(registry):
                unseen.append(edit)
        finally:
            back = sqlite3.connect(path)
            held.backup(back)
            back.close()
            held.close()
    return unseen


def other(column: Column[object]) -> str:
    """SQL of a value of the column's type that it does not have."""
    values = {
        int: "coalesce({0}, 0) + 1000",
        float: "coalesce({0}, 0) + 1000",
        bool: "NOT coalesce({0}, 0)",
        str: "coalesce({0}, '') || 'x'",
        datetime: "'2001-02-03 04:05:06.000000'",
        date: "'2001-02-03'",
    }
    return values[kind(column)].format(column.name)


def edits_of(table: Table) -> list[str]:
    """Every column of one row changed; the first row removed; the last one."""
    one = f"rowid = (SELECT min(rowid) FROM {table.name})"
    out = [f"UPDATE {table.name} SET {column.name} = {other(column)} WHERE {one}" for column in table.columns]
    last = f"rowid = (SELECT max(rowid) FROM {table.name})"
    return [*out, f"DELETE FROM {table.name} WHERE {one}", f"DELETE FROM {table.name} WHERE {last}"]


def test_a_registry_exchanged_for_an_older_one_is_found(copied: Registry) -> None:
    path = Path(str(copied.engine.url.database)).rename(Path(str(copied.engine.url.database)).with_name("registry.sqlite"))
    workplace = Workplace.from_paths(None, path.parent)
    (path.parent / "published").mkdir()
    older = shutil.copy(path, path.with_name("older.sqlite"))
    registry = open_registry(workplace.registry)
    with registry.write() as session:
        session.add(Audit(at=now(), who="a", action="looked", subject="P0000002"))
    published_seal.store_newest_seal(workplace.home, registry)
    registry.close()
    problems = [line for line in verify_home(workplace) if line.startswith("ledger")]
    assert problems == []
    for left in path.parent.glob("registry.sqlite*"):
        left.unlink()
    shutil.copy(older, path)
    assert any("is older" in line for line in verify_home(workplace))


def test_every_column_is_sealed_or_derived_for_a_reason() -> None:
    sealed = {str(column.property.columns[0]) for stream in seal.STREAMS for column in (stream.position, *stream.columns)}
    sealed |= {str(column.property.columns[0]) for state in seal.STATES for column in (*state.by, *state.columns)}
    sealed |= {"entity_id.kind"}  # each kind of ids is a separate stream
    names = {str(column) for column in COLUMNS}
    assert sealed | set(seal.DERIVED) == names, "seal the column in a Stream or State of harmonia.registry.seal, or say why in DERIVED"
    assert not sealed & set(seal.DERIVED)
    assert all(seal.DERIVED.values())


def test_what_was_entered_is_whole(copied: Registry) -> None:
    assert found(copied) == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_an_edit_of_any_column_and_a_removed_row_are_found(copied: Registry, table: Table) -> None:
    assert tampered(copied, *edits_of(table)) == []


@pytest.mark.parametrize("edit", STRUCTURE.values(), ids=list(STRUCTURE))
def test_triggers_and_lost_seals_are_found(copied: Registry, edit: str) -> None:
    assert tampered(copied, edit) == []
