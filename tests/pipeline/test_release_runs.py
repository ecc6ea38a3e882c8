"""Releases of real runs: the same inbox gives the same bytes; a corrected delivery and a decision change figures with their reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from harmonia.cli.main import app
from sources.simulator import simulate

pytestmark = pytest.mark.slow
_RUN = CliRunner()


def harmonia(*arguments: object) -> str:
    result = _RUN.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, f"{arguments}: {result.output} {result.exception}"
    return result.output


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A home that was run and released once, with the inbox beside it."""
    root = tmp_path_factory.mktemp("releases")
    simulate(root, seed=11, start=2012, years=1, cases_per_year=60, noise="clean")
    shutil.rmtree(root / "truth")
    harmonia("run", "--inbox", root / "inbox", "--home", root / "home")
    harmonia("release", "sign", "--home", root / "home", "--key", root / "key.pem", "--name", "A Coordinator", "--day", "2013-02-01")
    harmonia("release", "create", "--home", root / "home", "--as-of", "2013-03-31")
    return root


def release_files(home: Path, day: str) -> dict[str, bytes]:
    folder = home / "releases" / day
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_another_run_over_the_same_inbox_gives_a_release_of_identical_bytes(place, tmp_path):
    home = tmp_path / "home"
    harmonia("run", "--inbox", place / "inbox", "--home", home)
    for name in ("disclosure_policy.yaml", "disclosure_policy.sig.json", "coordinator.pub"):
        shutil.copyfile(place / "home" / name, home / name)
    harmonia("release", "create", "--home", home, "--as-of", "2013-03-31")
    assert release_files(home, "2013-03-31") == release_files(place / "home", "2013-03-31")


def differences(home: Path, old: str, new: str) -> list[str]:
    return [line for line in harmonia("release", "diff", old, new, "--home", home, "--confidential").splitlines() if "→" in line]


def test_each_difference_after_a_corrected_delivery_and_a_decision_has_its_reason(place):
    home, quarter = place / "home", place / "inbox" / "police" / "2012-Q2"
    corrected = quarter.with_name("2012-Q2_v2")
    shutil.copytree(quarter, corrected)
    persons = corrected / "personat.csv"
    lines = persons.read_bytes().splitlines(keepends=True)
    persons.write_bytes(b"".join(lines[:-8]))  # eight persons are withdrawn
    harmonia("run", "--inbox", place / "inbox", "--home", home)
    harmonia("release", "create", "--home", home, "--as-of", "2013-06-30")
    revisions = differences(home, "2013-03-31", "2013-06-30")
    assert revisions
    assert [line for line in revisions if "(Corrected delivery)" not in line] == []

    a, b = two_victims(home)
    harmonia("review", "decide", f"person:police:{a}~police:{b}", "same", "--why", "one person", "--home", home)
    harmonia("run", "--inbox", place / "inbox", "--home", home)
    harmonia("release", "create", "--home", home, "--as-of", "2013-09-30")
    revisions = differences(home, "2013-06-30", "2013-09-30")
    assert revisions
    assert [line for line in revisions if "(Review decision)" not in line] == []
    assert harmonia("release", "verify", "--home", home).startswith("3 releases")


def two_victims(home: Path) -> tuple[str, str]:
    """The record keys of two women of two cases, each counted once."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        found = warehouse.execute("""
            SELECT min(l.record_key) FROM counted c JOIN lineage l USING (case_id, person_id)
            WHERE c.indicator = 'victims_identified' AND c.sex = 'female' AND year(c.day) = 2012 AND l.institution = 'police'
              AND l.entity = 'person' AND l.status = 'accepted'
            GROUP BY c.person_id HAVING count(*) = 1 ORDER BY 1
        """).fetchall()
    keys = [str(key) for (key,) in found]
    return keys[0], next(key for key in keys if key.split("/")[0] != keys[0].split("/")[0])
