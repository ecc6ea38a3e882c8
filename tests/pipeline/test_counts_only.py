"""An institution that can deliver only counts: its quarters are due like others'; its figures are compared, and never count."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from pipeline_world import Ran

CONTRACT = """institution: customs
order: 40
stage: registration
publisher: {sq: Dogana, sr: Carina, en: Customs}
language: sq
contact: statistika.dogana@example.org
cadence: quarterly
due_days: 15
files:
  - name: counts.csv
    reader: delimited
    tables: [counts]
    options: {encoding: utf-8, delimiter: ",", line_end: "\\n"}
tables:
  counts:
    counts: {indicator: what, offence_group: offence, value: number}
    columns:
      what: {type: code, required: true, codes: {cases: cases_registered, arrests: persons_arrested}}
      offence: {type: code, codes: {trafficking: trafficking, other: other}}
      number: {type: integer, required: true}
"""
READER = (Path(__file__).parents[2] / "docs/how-to/example/border_police/reader.py").read_text("utf-8")
MAPPING = """OFFENCES = ()


def to_canonical(tables):
    return {}
"""
MODELS = """from schemas.exports.build import build_pandera_models
from sources.contract import load

MODELS = build_pandera_models(load("customs"))
"""
FIRST = "what,offence,number\ncases,,7\ncases,trafficking,3\narrests,,many\nseizures,,2\n"
CORRECTED = "what,offence,number\ncases,,8\n"


def harmonia(root: Path, *arguments: str) -> str:
    environment = {**os.environ, "HARMONIA_SOURCES": str(root / "sources")}
    command = [str(Path(sys.executable).with_name("harmonia")), *arguments, "--inbox", str(root / "inbox"), "--home", str(root / "home")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def root(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("counts")
    folder = root / "sources" / "customs"
    folder.mkdir(parents=True)
    for name, text in (("contract.yaml", CONTRACT), ("reader.py", READER), ("mapping.py", MAPPING), ("exports.py", MODELS)):
        (folder / name).write_text(text, "utf-8")
    shutil.copytree(inbox, root / "inbox")
    for delivery, text in (("2013-Q1", FIRST), ("2013-Q2", "what,offence,number\ncases,,9\n"), ("2013-Q2_v2", CORRECTED)):
        (root / "inbox" / "customs" / delivery).mkdir(parents=True)
        (root / "inbox" / "customs" / delivery / "counts.csv").write_text(text, "utf-8")
    (root / "run.txt").write_text(harmonia(root, "run"), "utf-8")
    return root


def rows(warehouse: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow
def test_its_figures_check_and_never_count(root: Path, ran: Ran) -> None:
    warehouse = root / "home" / "warehouse.duckdb"
    for table in ("statistics", "bridge", "counted", "further_statistics", "reconciliation"):
        for measure in ("count(*)",) if table == "reconciliation" else ("*",):
            query = f"SELECT {measure} FROM {table} ORDER BY ALL"
            left = "case_id|person_id"
            assert len(rows(warehouse, query)) == len(rows(ran.place.home.warehouse, query)), (table, left)
    query = "FROM statistics ORDER BY ALL"
    assert rows(warehouse, query) == rows(ran.place.home.warehouse, query)
    ours = dict(
        rows(
            warehouse,
            """SELECT period || ' ' || offence_group, as_reported FROM statistics WHERE indicator = 'cases_registered' AND form = 'total'
               AND sex = 'total' AND age_group = 'total' AND citizenship_group = 'total'""",
        )
    )
    found = rows(
        warehouse,
        "SELECT kind, institution, indicator, period || ' ' || offence_group, published, as_reported, gap FROM yardstick ORDER BY ALL",
    )
    assert found == [
        ("return", "customs", "cases_registered", when, value, ours[when], ours[when] - value)
        for when, value in (("2013-Q1 total", 7), ("2013-Q1 trafficking", 3), ("2013-Q2 total", 8))
    ]


@pytest.mark.slow
def test_its_quarters_are_shown_like_those_of_others(root: Path) -> None:
    state = dict(rows(root / "home" / "warehouse.duckdb", "SELECT period, state FROM coverage WHERE institution = 'customs'"))
    assert state == {"2013": "partial", "2013-Q1": "complete", "2013-Q2": "complete", "2013-Q3": "missing", "2013-Q4": "missing"}
    shown = harmonia(root, "status")
    assert "customs" in shown and "was due on 2013-10-15" in shown
    assert "customs/2013-Q1 line 4: not compared: value is not a whole number" in " ".join(shown.split())


@pytest.mark.slow
def test_its_feedback_names_the_faulty_cells_and_its_scorecard_its_figures(root: Path) -> None:
    findings = rows(
        root / "home" / "warehouse.duckdb",
        "SELECT delivery, line, field, rule FROM findings WHERE institution = 'customs' AND severity <> 'info' AND line IS NOT NULL",
    )
    assert set(findings) >= {("2013-Q1", 4, "number", "cell-integer-unreadable"), ("2013-Q1", 5, "what", "cell-code-unknown")}
    assert (root / "home" / "feedback" / "customs" / "2013-Q1" / "findings.html").is_file()
    page = (root / "home" / "scorecards" / "customs" / "scorecard.en.html").read_text("utf-8")
    assert 'id="published"' in page and page.count("Return of counts") == 3
