"""The pathway of victims as cohorts: attrition and durations, recomputed plainly; nothing of a stay in a shelter but its count."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from statistics import median

import duckdb
import pandas as pd
import pytest
from count_world import World

from warehouse import tables
from warehouse.count import compute_published_tables
from warehouse.publish import build_store_file

STEPS = ("identified", "referred", "assisted", "sheltered", "represented", "reintegrated")


def _victim(n: int) -> dict[str, object]:
    """A victim of 2013 who takes the first 1 to 6 steps, `n` days apart; every seventh is unknown to the police."""
    day = date(2013, 2, 1) + timedelta(days=n)
    reached = STEPS[: 1 + n % 6]
    days = {step: day + timedelta(days=(n + 1) * i) if step in reached else None for i, step in enumerate(STEPS)}
    if n % 7 == 0:
        days["identified"], days["referred"] = None, day
    return {
        "case_id": f"c{n}",
        "person_id": f"p{n}",
        "offence_group": "trafficking" if n % 5 else "other",
        "form": "sexual",
        "sex": "female",
        "citizenship": "XKX",
        "citizenship_group": "domestic",
        "age_group": "adult",
        "registration": n % 7 != 0,
        "file": True,
        **days,
    }


VICTIMS = [_victim(n) for n in range(24)]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    calendar = World().case("police", "2013-PR-00001", "c", reported="2013-01-05", sent="2013-12-20")  # the days of its two years
    made = compute_published_tables(calendar.inputs())
    frame = pd.DataFrame(VICTIMS)[list(made["fact_victim"].columns)]
    made["fact_victim"] = frame.assign(**{step: pd.to_datetime(frame[step]) for step in STEPS})
    path = tmp_path_factory.mktemp("flow") / "w.duckdb"
    build_store_file(path, tables.WAREHOUSE.sorted_tables, made)
    return path


def _rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def test_a_cohort_shows_how_many_reached_each_step(warehouse: Path) -> None:
    found = _rows(warehouse, f"SELECT offence_group, victims, {', '.join(STEPS)} FROM flow_victims WHERE cohort = '2013' AND victims > 0")
    expected = []
    for group in ("trafficking", "other"):
        own = [one for one in VICTIMS if one["offence_group"] == group]
        expected.append((group, len(own), *(sum(one[step] is not None for one in own) for step in STEPS)))
    assert found == expected


def test_durations_are_published_of_five_and_more_and_never_of_a_shelter(warehouse: Path) -> None:
    found = _rows(warehouse, "SELECT step, victims, median_days FROM flow_victim_durations WHERE cohort = '2013'")
    assert not any("shelter" in str(step) for step, *_ in found)
    pairs = {
        "identification to referral": STEPS[:2],
        "referral to first service": STEPS[1:3],
        "referral to represented hearing": ("referred", "represented"),
    }
    pairs["first service to reintegration"] = ("assisted", "reintegrated")
    for step, victims, middle in found:
        first, second = pairs[str(step)]
        days = [(one[second] - one[first]).days for one in VICTIMS if one[first] and one[second]]  # type: ignore[operator, union-attr]
        assert victims == len(days)
        assert middle == (float(median(days)) if len(days) >= 5 else None)
    assert any(middle is None for _, _, middle in found) and any(middle is not None for _, _, middle in found)
