"""Shelters, and the days of stays in them, leave the confidential warehouse for nobody but the centre that delivered them.

Planted: a name for every shelter, and for every stay days on which nothing else happens. Looked for in all that leaves the house.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml
from personal_world import _inside, taken_out, texts
from typer.testing import CliRunner

from harmonia.cli.main import app
from harmonia.review.desk import ReviewDesk
from harmonia.review.published import find_last_published_run, open_home_registry
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate
from warehouse.disclosure import policy

SHELTERS = {"SPS": "Zambaku-i-bardhë", "OJQ-A": "Kodra-e-qetë", "OJQ-B": "Ura-e-vjetër", "OJQ-C": "Lisi-i-madh", "OJQ-D": "Dritarja-e-re"}
OF_VICTIMS = ("victims_identified", "victims_referred", "victims_assisted", "victims_sheltered", "victims_represented")
CALENDAR = ("dim_time",)  # every day of the years, whatever happened on it
CENTRE = "feedback/social_work/"  # the centre's own feedback


def _spellings(day: date) -> tuple[str, ...]:
    return tuple(day.strftime(form) for form in ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%Y%m%d"))


def _days_used(folder: Path) -> set[str]:
    """Every day that a delivery or the truth names, in any form; of a moment in the evening the next day, too."""
    used: set[str] = set()
    for path in folder.rglob("*.*"):
        text = _inside(path)
        for year, month, day in re.findall(r"(\d{4})-(\d\d)-(\d\d)", text):
            moment = date(int(year), int(month), int(day)) if int(day) <= 28 else None
            used |= {f"{year}-{month}-{day}"} | ({str(moment + timedelta(days=1))} if moment else set())
        used |= {f"{year}-{month}-{day}" for day, month, year in re.findall(r"(\d\d)[./](\d\d)[./](\d{4})", text)}
        used |= {str(date(1899, 12, 30) + timedelta(days=int(n))) for n in re.findall(r"<v>(4\d{4})</v>", text)}  # cells of workbooks
    return used


def planted(inbox: Path, truth: Path) -> set[date]:
    """Give every stay different days, within the month that delivers it, and every shelter a name. Returns the days."""
    free = [date(2013, 1, 1) + timedelta(days=n) for n in range(365)]
    used = _days_used(inbox) | _days_used(truth)
    free = [day for day in free if str(day) not in used]
    given: dict[str, tuple[date, date]] = {}
    for folder in sorted((inbox / "social_work").iterdir()):
        path = folder / "sherbimet.csv"
        rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
        for row in rows[1:]:
            if row[2] != "Strehim":
                continue
            key = "/".join(row[:2])
            if key not in given:
                month = int(folder.name[5:7])
                first = next((day for day in free if day.month == month), None)
                last = next((day for day in free if first and first < day and day.month == month), None)
                if first is None or last is None:
                    continue
                free = [day for day in free if day not in (first, last)]
                given[key] = (first, last)
            row[3], row[4] = (day.strftime("%d/%m/%Y") for day in given[key])
            row[6] = SHELTERS[row[6]]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        path.write_bytes(text.getvalue().encode("utf-8-sig"))
    return {day for pair in given.values() for day in pair}


def _policy() -> str:
    """The shipped policy, for the indicators of victims and no others."""
    raw = yaml.safe_load(policy.SHIPPED.read_text("utf-8"))
    raw["indicators"] = {code: raw["indicators"][code] for code in OF_VICTIMS}
    return str(yaml.safe_dump(raw, sort_keys=False))


def _feedback_texts(home: Path) -> dict[str, str]:
    """What the commands for engineers and stewards say of the stays."""
    said = {}
    for n, name in enumerate(("victims_sheltered 2013", "victims_sheltered 2013-Q2", "victims_assisted 2013")):
        result = CliRunner().invoke(app, ["explain", "figure", *name.split(), "--home", str(home)])
        said[f"explain {n}"] = result.output
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        files = connection.execute(
            "SELECT DISTINCT record_key FROM fact_event WHERE event = 'sheltered' AND institution = 'social_work'"
        ).fetchall()
    for (key,) in files[:6]:
        for kind in ("case", "person"):
            case = CliRunner().invoke(app, ["explain", kind, f"social_work:{key}", "--home", str(home)])
            said[f"explain {kind} {key}"] = case.output
    return said


@pytest.mark.slow  # a whole run, a release, every report and export
def test_no_shelter_and_no_day_of_a_stay_leaves_the_house(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    made = simulate(tmp_path / "set", seed=31, start=2013, years=1, cases_per_year=24, noise="clean", victims=True)
    days = planted(made.inbox, made.truth)
    assert len(days) >= 20
    place = Workplace.from_paths(made.inbox, tmp_path / "home")
    run_everything(place, SilentListener())
    home = place.home.root
    taken_out(home, "2014-06-30", "2013", _policy())
    output = capfd.readouterr()
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        known = {row[0] for row in connection.execute("SELECT DISTINCT sheltered FROM fact_victim WHERE sheltered IS NOT NULL").fetchall()}
    assert known & days, "the confidential warehouse has them"
    searched = {**dict(_open_texts(home)), **_feedback_texts(home), **_desk(place), "log": caplog.text, "output": output.out + output.err}
    looked_for = {spelling for day in days for spelling in _spellings(day)}
    for where, text in searched.items():
        assert not [name for name in SHELTERS.values() if name in text], f"a shelter is named in {where}"
        if not where.startswith("warehouse.duckdb ") and "/confidential/" not in where:
            assert not [day for day in looked_for if day in text], f"a day of a stay is in {where}"


def _open_texts(home: Path) -> dict[str, str]:
    """Everything outside the confidential stores, and the feedback to all others."""
    found = {where: text for where, text in texts(home) if not where.endswith(CALENDAR)}
    for path in (home / "feedback").rglob("*"):
        name = str(path.relative_to(home))
        if path.is_file() and not name.startswith(CENTRE):
            found[name] = _inside(path)
    assert any(name.startswith("analysts.duckdb") for name in found) and any(name.startswith("feedback/police") for name in found)
    return found


def _desk(place: Workplace) -> dict[str, str]:
    """What the pages of a steward show of every record: its days, one by one and in a line."""
    registry = open_home_registry(place)
    run = find_last_published_run(place.home, registry)
    desk = ReviewDesk(run, registry)
    clusters = run.read_clusters()
    said = {}
    for entity in ("case", "person"):
        members = clusters.loc[clusters["entity"] == entity, ["institution", "record_key"]]
        said[f"desk {entity}"] = desk.list_events(members, entity).to_csv()
        assert "supported" in said[f"desk {entity}"]
    desk.close()
    return said
