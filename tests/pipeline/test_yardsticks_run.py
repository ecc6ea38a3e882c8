"""Figures that institutions published, in a run: landed, compared, shown; no figure depends on them."""

from __future__ import annotations

import csv
import re
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import psycopg
import pytest
from pipeline_world import Ran
from postgres_world import running
from typer.testing import CliRunner

from harmonia.cli.main import app
from harmonia.registry import open_registry
from harmonia.registry.ledger import read_deliveries, read_everything_received
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate

HEADER = ["institution", "indicator", "period", "offence_group", "unit", "value", "source"]
UNITS = {"cases_registered": "case", "suspects_registered": "person", "persons_convicted": "person"}
OF = {"cases_registered": ("police", "inspectorate"), "suspects_registered": ("police", "inspectorate"), "persons_convicted": ("courts",)}
STAGES = ("police/current", "canonical", "record_status", "links", "identities", "findings", "statistics", "scorecard")


def rows(warehouse: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


def put(inbox: Path, name: str, *lines: tuple[object, ...]) -> Path:
    path = inbox / "yardsticks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *lines])
    return path


@pytest.fixture(scope="module")
def place(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A home in which the deliveries were run first, and then yardsticks, one of them damaged."""
    root = tmp_path_factory.mktemp("yardsticks")
    shutil.copytree(ran.place.inbox, root / "inbox")
    shutil.copytree(ran.place.home.root, root / "home")
    lines = [
        (name, indicator, period, group, UNITS[indicator], 10 + n, "Annual report")
        for n, (indicator, period, group, name) in enumerate(
            (indicator, period, group, name)
            for indicator in UNITS
            for period in ("2013", "2013-Q2")
            for group in ("total", "trafficking")
            for name in OF[indicator]
        )
    ]
    put(root / "inbox", "2013/report.csv", *lines, ("police", "cases_registered", "2013", "total", "person", 5, "Press"))
    (root / "inbox" / "yardsticks" / "2013" / "damaged.csv").write_text("a,b\n1,2\n")
    counted = simulate(root / "set", seed=7, start=2013, years=1, cases_per_year=12, noise="typical", returns=True)
    shutil.copytree(counted.inbox / "yardsticks" / "2013", root / "inbox" / "yardsticks" / "2014")
    found = Workplace.from_paths(root / "inbox", root / "home")
    run_everything(found, SilentListener())
    return found


@pytest.mark.slow
def test_no_figure_depends_on_a_yardstick(ran: Ran, place: Workplace) -> None:
    for table in ("statistics", "bridge", "counted", "coverage", "further_statistics", "lineage"):
        query = f"FROM {table} ORDER BY ALL"
        assert rows(place.home.warehouse, query) == rows(ran.place.home.warehouse, query), table
    assert rows(ran.place.home.warehouse, "FROM yardstick") == []


@pytest.mark.slow
def test_gaps_are_those_of_a_plain_recomputation(place: Workplace) -> None:
    with (place.inbox / "yardsticks" / "2013" / "report.csv").open(encoding="utf-8", newline="") as file:
        published = [row for row in csv.DictReader(file) if row["unit"] == UNITS[row["indicator"]]]
    figure = {
        (indicator, period, group): (as_reported, harmonised)
        for indicator, period, group, as_reported, harmonised in rows(
            place.home.warehouse,
            """SELECT indicator, period, offence_group, as_reported, harmonised FROM statistics
               WHERE form = 'total' AND sex = 'total' AND age_group = 'total' AND citizenship_group = 'total'""",
        )
    }
    state = {(name, period): state for name, period, state in rows(place.home.warehouse, "SELECT institution, period, state FROM coverage")}
    found = {
        row[:4]: row[4:]
        for row in rows(
            place.home.warehouse,
            """SELECT indicator, period, offence_group, institution, published, as_reported, harmonised, gap, gap_percent, incomplete,
               exceeds_tolerance FROM yardstick WHERE source = 'Annual report'""",
        )
    }
    assert len(found) == len(published) == 20
    together: dict[tuple[str, str, str], int] = {}
    for row in published:
        key = row["indicator"], row["period"], row["offence_group"]
        value, as_reported, harmonised, gap, percent, incomplete, exceeds = found[*key, row["institution"]]
        complete = state[row["institution"], row["period"]] == "complete"
        assert value == int(row["value"]) and incomplete == (not complete)
        if as_reported is None:
            assert gap is None and incomplete and state[row["institution"], row["period"]] in ("missing", "unreadable")
            continue
        assert gap == as_reported - value and percent == pytest.approx(100 * (as_reported - value) / value)
        assert exceeds == (complete and abs(gap) > 3 and abs(gap) > 0.05 * value)
        together[key] = together.get(key, 0) + as_reported
        if row["indicator"] == "persons_convicted":
            assert (as_reported, harmonised) == figure[key]
    assert together and together == {key: figure[key][0] for key in together}


@pytest.mark.slow
def test_what_simulated_institutions_count_themselves_is_what_we_report(place: Workplace) -> None:
    gaps = rows(
        place.home.warehouse, "SELECT gap, incomplete FROM yardstick WHERE source LIKE 'Return of counts%' AND as_reported NOT NULL"
    )
    assert len(gaps) > 100
    assert {gap for gap, incomplete in gaps if not incomplete} == {0}


@pytest.mark.slow
def test_analysts_see_the_same_and_an_institution_its_own(place: Workplace) -> None:
    query = "SELECT * FROM yardstick ORDER BY ALL"
    assert rows(place.home.analysts_warehouse, query) == rows(place.home.warehouse, query)
    page = (place.home.root / "scorecards" / "courts" / "scorecard.html").read_text("utf-8")
    assert page.count("Annual report") == 4


@pytest.mark.slow
def test_postgresql_has_the_same_rows(place: Workplace) -> None:
    with running(15) as server:
        url = server.new_database("yardsticks")
        run_everything(Workplace.from_paths(place.inbox, place.home.root, warehouse_url=url), SilentListener())
        with psycopg.connect(url) as connection:
            columns = [name for (name,) in rows(place.home.warehouse, "SELECT column_name FROM (DESCRIBE yardstick)")]
            found = connection.execute(f"SELECT {', '.join(columns)} FROM warehouse.yardstick".encode()).fetchall()
    assert found
    assert Counter(found) == Counter(rows(place.home.warehouse, "FROM yardstick"))


@pytest.mark.slow
def test_they_are_received_like_a_delivery_and_belong_to_no_institution(place: Workplace) -> None:
    registry = open_registry(place.registry)
    try:
        with registry.read() as session:
            own, _ = [one for one in read_everything_received(session) if one.institution == "yardsticks"]
            assert own.name == "2013" and {file.name for file in own.receipts[-1].files} == {"report.csv", "damaged.csv"}
            assert "yardsticks" not in {one.institution for one in read_deliveries(session)}
    finally:
        registry.close()


@pytest.mark.slow
def test_the_console_names_file_line_rule_and_way_out(place: Workplace) -> None:
    shown = CliRunner().invoke(app, ["status", "--inbox", str(place.inbox), "--home", str(place.home.root)])
    text = " ".join(shown.output.split())
    assert shown.exit_code == 0, shown.output
    assert re.search(r"[0-9]+ published figures compared, [0-9]+ gaps", text) and "larger than the tolerance" in text
    assert "yardsticks/2013/damaged.csv line 1: not compared: the columns must be institution, indicator" in text
    assert "yardsticks/2013/report.csv line 22: not compared: the figure counts in another unit, cases_registered in 'case'" in text
    assert "yardsticks" not in text.split("Needs attention")[0]  # no institution of the calendar


@pytest.mark.slow
def test_a_changed_yardstick_makes_the_right_stages_look_again(place: Workplace) -> None:
    def written() -> dict[str, int]:
        return {name: next((place.home.lake / name).glob("*.parquet")).stat().st_mtime_ns for name in STAGES}

    before = written()
    run_everything(place, SilentListener())
    assert written() == before
    put(place.inbox, "2013_v2/report.csv", ("courts", "persons_convicted", "2013", "total", "person", 1, "Corrected report"))
    run_everything(place, SilentListener())
    after = written()
    assert {name for name in STAGES if after[name] != before[name]} == {"statistics", "scorecard"}
    assert rows(place.home.warehouse, "SELECT source, published FROM yardstick WHERE source NOT LIKE 'Return%'") == [
        ("Corrected report", 1)
    ]
