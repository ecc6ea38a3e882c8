"""Other periods and new code lists change no figure: runs against a plain recount of the delivered files and the truth. Where the contract
does not know the new codes yet, every figure that needs them is incomplete, the others are as known before, and findings say where and
what to do."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sources.simulator import simulate
from tests.oracle.life import Figures, totals

DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")
ARGUMENTS: dict[str, Any] = {"seed": 8, "start": 2013, "years": 2, "cases_per_year": 60, "noise": "clean"}
CADENCE = {"police": "monthly", "inspectorate": "half_yearly", "prosecution": "monthly", "courts": "half_yearly", "corrections": "yearly"}
NEW_CODES = date(2014, 5, 15)
OF_OTHERS = (  # indicators that courts and corrections count, whose codes stay the same
    *("cases_received_court", "persons_convicted", "persons_convicted_final", "persons_acquitted"),
    *("persons_admitted_sentence", "persons_detained"),
)


def run(made: Path, home: Path, domain: Path | None) -> str:
    environment = {**os.environ, **({"HARMONIA_DOMAIN": str(domain)} if domain else {})}
    command = [str(Path(sys.executable).with_name("harmonia")), "run", "--inbox", str(made / "inbox"), "--home", str(home)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def query(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def published(home: Path, measure: str, condition: str = "true") -> Figures:
    """The totals of a measure by indicator and period, of the indicators that the five institutions count."""
    total = " AND ".join(f"{name} = 'total'" for name in DIMENSIONS)
    rows = query(home, f"SELECT indicator, period, {measure}::INT FROM statistics WHERE {total} AND {measure} IS NOT NULL AND {condition}")
    return Figures({(i, p): figure for i, p, figure in rows if not i.startswith("victims_") or "identified" in i})


def true_totals(made: Path, measure: str) -> Figures:
    with (made / "truth" / "statistics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(row[name] == "total" for name in DIMENSIONS)]
    return Figures({(row["indicator"], row["period"]): int(row[measure]) for row in rows if row[measure]})


@pytest.fixture(scope="module")
def by_quarter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quarters") / "set"
    simulate(folder, **ARGUMENTS, life=["all", "new_codes"])
    return folder


@pytest.mark.slow
def test_figures_of_other_periods_are_those_of_quarters(by_quarter: Path, tmp_path: Path) -> None:
    made = tmp_path / "set"
    domain = simulate(made, **ARGUMENTS, life=["all", "new_codes"], cadence=CADENCE).domain
    run(made, tmp_path / "home", domain)
    expected = totals(made / "inbox", NEW_CODES)
    for measure in ("as_reported", "harmonised"):
        found = published(tmp_path / "home", measure, "NOT incomplete")
        assert len(found) > 100
        assert found == true_totals(made, measure) == true_totals(by_quarter, measure)
    assert published(tmp_path / "home", "as_reported") == Figures({key: expected[key] for key in found})
    assert query(tmp_path / "home", "SELECT count(*) FROM findings WHERE rule = 'cell-code-unknown'") == [(0,)]


@pytest.mark.slow
def test_while_a_contract_does_not_know_the_codes_its_deliveries_wait(tmp_path: Path) -> None:
    made, home, unknown = tmp_path / "set", tmp_path / "home", {f"2014-Q{q}" for q in (2, 3, 4)}
    domain = simulate(made, **ARGUMENTS | {"cases_per_year": 40}, life=["all", "new_codes"]).domain
    without = tmp_path / "without" / "inbox"  # what was delivered in known codes
    recoded = [(name, quarter) for name in ("police", "prosecution") for quarter in unknown]
    shutil.copytree(made / "inbox", without, ignore=lambda folder, names: {n for n in names if (Path(folder).name, n) in recoded})
    run(made, home, None)

    incomplete = query(home, "SELECT DISTINCT indicator, period FROM statistics WHERE incomplete")
    touched = {"2014", *unknown}
    known = totals(without)
    assert set(incomplete) >= {key for key in totals(made / "inbox", NEW_CODES) if key[0] not in OF_OTHERS and key[1] in touched}
    assert {period for indicator, period in incomplete if indicator in {indicator for indicator, _ in known}} == touched
    whole = published(home, "as_reported", "NOT incomplete")
    assert len(whole) > 100 and whole == Figures({key: known[key] for key in whole})
    assert published(home, "as_reported", "incomplete") <= known  # nothing was made up from codes with another meaning
    _check_findings(home)

    run(made, home, domain)  # the owner put the lists into the contracts; nothing was delivered again
    expected = totals(made / "inbox", NEW_CODES)
    found = published(home, "as_reported", "NOT incomplete")
    assert len(found) > 100 and found == Figures({key: expected[key] for key in found}) == published(home, "as_reported")
    assert published(home, "harmonised") == true_totals(made, "harmonised")
    assert query(home, "SELECT count(*) FROM findings WHERE rule IN ('file-codes-unknown', 'cell-code-unknown')") == [(0,)]


def _check_findings(home: Path) -> None:
    """Findings name institution, delivery, file, line and column, and say what to do."""
    found = query(home, "SELECT institution, delivery, file, field FROM findings WHERE rule = 'file-codes-unknown' ORDER BY ALL")
    assert found == [
        *(("police", f"2014-Q{q}", *place) for q in (2, 3, 4) for place in (("personat.csv", "Roli"), ("rastet.csv", "Statusi"))),
        *(("prosecution", f"2014-Q{q}", "psh.sqlite", "roli") for q in (2, 3, 4)),
    ]
    located = "count(CASE institution WHEN 'police' THEN line::TEXT ELSE record_key END)"  # a database has no lines
    cells = query(home, f"SELECT count(*), {located}, count(DISTINCT delivery) FROM findings WHERE rule = 'cell-code-unknown'")
    assert cells[0][0] == cells[0][1] > 100 and cells[0][2] == 3
    page = (home / "feedback" / "police" / "2014-Q2" / "findings.html").read_text("utf-8")
    assert "personat.csv" in page and "listën e re me kuptimin e secilit kod" in page
