"""A run that fails says so in one line, keeps what was published before, and leaves no person in a log."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from pipeline_world import Ran, published
from sqlalchemy import select

from harmonia.cli import main as cli
from harmonia.errors import HarmoniaError
from harmonia.lock import lock_home_for_run
from harmonia.registry import open_registry
from harmonia.registry.tables import Run
from pipelines.assets import publication, statistics
from pipelines.checks import pipeline_wide
from pipelines.definitions import build_definitions
from pipelines.jobs import HARMONISE_EVERYTHING
from pipelines.progress import SilentListener
from pipelines.resources import lake, lake_io
from pipelines.resources.lake import VERSION_FILE
from pipelines.run import run_everything

SECRET = "Arben Krasniqi 1012345678"


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def outcomes(ran: Ran) -> list[str | None]:
    registry = open_registry(ran.place.registry)
    try:
        with registry.read() as session:
            return list(session.scalars(select(Run.outcome).order_by(Run.id)))
    finally:
        registry.close()


def latest(ran: Ran) -> dg.DagsterRun:
    with dg.DagsterInstance.from_config(str(ran.place.home.dagster)) as instance:
        return instance.get_runs(limit=1)[0]


@pytest.fixture(autouse=True)
def _everything_again(few: Ran) -> None:
    """Every stage is done again in a home of which nothing is new."""
    for version in few.place.home.root.rglob(VERSION_FILE):
        version.unlink()


@pytest.mark.slow
def test_a_stage_that_breaks(few: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ValueError(f"cannot read {SECRET}")

    before = fingerprint(few.place.home.warehouse)
    monkeypatch.setattr(statistics, "require_complete_bridges", breaks)
    with pytest.raises(HarmoniaError, match=r"counting failed: ValueError at .*logs/failure") as failed:
        run_everything(few.place, SilentListener())
    assert SECRET not in str(failed.value)
    assert "\n" not in str(failed.value)
    assert fingerprint(few.place.home.warehouse) == before
    assert latest(few).status == dg.DagsterRunStatus.FAILURE
    assert outcomes(few) == ["published", "failed"]
    for path in (*few.place.home.dagster.rglob("*"), *few.place.logs.rglob("*")):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def quotes(*_: object, **__: object) -> None:
    raise ValueError(f"cannot read {SECRET}")


def quotes_behind(*_: object, **__: object) -> None:
    try:
        quotes()
    except ValueError as error:
        raise HarmoniaError("the server refuses") from error


@pytest.mark.parametrize(
    ("place", "breaks", "said"),
    [
        ((pipeline_wide, "find_bridges_that_do_not_add_up"), quotes, "check bridge_adds_up failed: ValueError at"),
        ((lake_io, "convert_value_to_frames"), quotes, "landing: writing to the lake failed: ValueError at"),
        pytest.param((publication, "publish_stores"), quotes_behind, "the server refuses", marks=pytest.mark.slow),
    ],
    ids=["check", "lake", "behind"],
)
def test_what_breaks_beside_the_stages_quotes_nobody(
    few: Ran, monkeypatch: pytest.MonkeyPatch, place: tuple[object, str], breaks: Callable[..., None], said: str
) -> None:
    """Dagster keeps what an exception says, and what those behind it say."""
    monkeypatch.setattr(*place, breaks)
    with pytest.raises(HarmoniaError, match=said):
        run_everything(few.place, SilentListener())
    assert latest(few).status == dg.DagsterRunStatus.FAILURE
    for path in (*few.place.home.dagster.rglob("*"), *few.place.logs.rglob("*")):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_no_check_is_made_but_by_the_one_that_quotes_nobody() -> None:
    made = [path for path in Path(pipeline_wide.__file__).parent.glob("*.py") if "dg.asset_check(" in path.read_text("utf-8")]
    assert made == []


def test_a_disk_that_is_full(few: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = fingerprint(few.place.home.warehouse)
    monkeypatch.setattr(lake.pq, "ParquetWriter", full)
    with pytest.raises(HarmoniaError, match="no space is left"):
        run_everything(few.place, SilentListener())
    assert fingerprint(few.place.home.warehouse) == before


@pytest.mark.slow
def test_a_person_who_interrupts(few: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = fingerprint(few.place.home.warehouse)
    monkeypatch.setattr(publication, "publish_stores", interrupted)
    monkeypatch.setattr(sys, "argv", ["harmonia", "run", "--inbox", str(few.place.inbox), "--home", str(few.place.home.root)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert "interrupted" in capsys.readouterr().err
    assert fingerprint(few.place.home.warehouse) == before
    assert outcomes(few) == ["published", "failed"]


@pytest.mark.slow
def test_a_warehouse_that_someone_has_open(few: Ran) -> None:
    reader = (
        "import sys, duckdb; c = duckdb.connect(sys.argv[1], read_only=True); c.sql('FROM statistics'); print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader, str(few.place.home.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "open"
        run_everything(few.place, SilentListener())
        holder.communicate("\n")
    assert len(published(few.place)["lineage"]) > 0


def test_a_home_that_is_in_use(few: Ran) -> None:
    with lock_home_for_run(few.place.home), pytest.raises(HarmoniaError, match="in use"):
        run_everything(few.place, SilentListener())


def test_a_registry_that_is_none(few: Ran) -> None:
    (few.place.home.root / "registry.sqlite").write_bytes(b"no database at all" * 100)
    for log in few.place.home.root.glob("registry.sqlite-*"):
        log.unlink()
    with pytest.raises(HarmoniaError, match="not a registry"):
        run_everything(few.place, SilentListener())


@pytest.mark.slow
def test_a_run_that_was_killed_is_closed_by_the_next(few: Ran) -> None:
    with dg.DagsterInstance.from_config(str(few.place.home.dagster)) as instance:
        job = build_definitions(few.place).resolve_job_def(HARMONISE_EVERYTHING)
        killed = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    run_everything(few.place, SilentListener())
    with dg.DagsterInstance.from_config(str(few.place.home.dagster)) as instance:
        run = instance.get_run_by_id(killed.run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.FAILURE


def test_a_landed_file_that_was_changed_stops_the_run(few: Ran) -> None:
    victim = next(path for path in few.place.home.landing.rglob("*") if path.is_file() and len(path.name) == 64)
    content = victim.read_bytes()
    victim.chmod(0o600)
    victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    before = fingerprint(few.place.home.warehouse)
    with pytest.raises(HarmoniaError, match="bytes_are_as_received"):
        run_everything(few.place, SilentListener())
    assert fingerprint(few.place.home.warehouse) == before
