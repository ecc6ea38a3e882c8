"""A half, double, shifted or relabelled delivery is found against the institution's own past; a usual one, and a small one, is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from math import comb

import numpy as np
import pandas as pd
import pytest

from pipelines import own_past
from sources import contract, periods

POLICE = contract.load("police")
QUARTERS = [f"{year}-Q{n}" for year in (2012, 2013) for n in (1, 2, 3, 4)]
LAST = QUARTERS[-1]
STATES, SHARES = ("investigating", "sent", "closed"), (0.3, 0.6, 0.1)


def rows(delivery: str, count: int, seed: int, states: Mapping[str, str] | None = None, days: int = 0, key: str = "") -> pd.DataFrame:
    """So many cases of a quarter, reported on its working days."""
    rng = np.random.default_rng([seed, QUARTERS.index(delivery[:7])])
    first = pd.Timestamp(periods.first_day(delivery[:7]))
    working = pd.bdate_range(first, pd.Timestamp(periods.last_day(delivery[:7])))
    day = pd.Series(working[rng.integers(0, len(working), count)]).astype("datetime64[s]") + pd.Timedelta(days=days)
    state = pd.Series(rng.choice(STATES, count, p=SHARES), dtype="str").replace(dict(states or {}))
    keys = [f"{delivery[:7]}{key}-{n}" for n in range(count)]
    frame = pd.DataFrame({"_delivery": delivery, "_period": delivery[:7], "_file": "rastet.csv", "_key": keys})
    for column in POLICE.tables["rastet"].columns:
        frame[column.name] = pd.Series(None, index=frame.index, dtype="str")
        frame[f"{column.name}:given"] = True
        if column.type == "date":
            frame[column.name], frame[f"{column.name}:precision"] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]"), "day"
    return frame.assign(Data_raportimit=day, Statusi=state, Stacioni=pd.Series(rng.choice(["A", "B", "C"], count), dtype="str"))


def findings_by_delivery(*frames: pd.DataFrame, states: Mapping[str, str] | None = None) -> dict[str, set[str]]:
    """Delivery -> rules."""
    frame = pd.concat(frames, ignore_index=True)
    names = sorted({*frame["_delivery"], *(states or {})})
    deliveries = pd.DataFrame(
        [("police", name, name[:7], int(name[9:] or 1), (states or {}).get(name, "complete")) for name in names],
        columns=["institution", "delivery", "period", "version", "state"],
    )
    tables = {name: frame if name == "rastet" else frame.iloc[:0] for name in POLICE.tables}
    found: dict[str, set[str]] = {}
    for row in own_past.find_deviations_from_past(POLICE, tables, deliveries):
        found.setdefault(row["delivery"], set()).add(row["rule"].removeprefix("cross-").removesuffix("-unusual"))
    return found


def past(count: int = 120, seed: int = 1) -> list[pd.DataFrame]:
    return [rows(quarter, count, seed) for quarter in QUARTERS[:-1]]


@pytest.mark.parametrize("seed", range(3))
def test_wrong_quarters_are_found_and_usual_ones_are_not(seed: int) -> None:
    before = past(seed=seed)
    assert findings_by_delivery(*before, rows(LAST, 120, seed)) == {}
    assert "volume" in findings_by_delivery(*before, rows(LAST, 60, seed))[LAST]
    assert "volume" in findings_by_delivery(*before, rows(LAST, 240, seed))[LAST]
    assert "days" in findings_by_delivery(*before, rows(LAST, 120, seed, days=-91))[LAST]
    assert "days" in findings_by_delivery(*before, rows(LAST, 120, seed, days=-30))[LAST]
    assert findings_by_delivery(*before, rows(LAST, 120, seed, days=1))[LAST] == {"days"}  # Saturdays in place of Mondays
    assert findings_by_delivery(*before, rows(LAST, 120, seed, states={"sent": "closed"})) == {LAST: {"codes"}}
    assert findings_by_delivery(*before, rows(LAST, 120, seed, states={"sent": "dismissed"})) == {LAST: {"codes"}}


def test_half_a_quarter_is_found_although_the_first_delivery_brought_all_that_was_pending() -> None:
    before = [rows(QUARTERS[0], 400, 1), *past()[1:]]
    assert findings_by_delivery(*before, rows(LAST, 120, 1)) == {}
    assert "volume" in findings_by_delivery(*before, rows(LAST, 60, 1))[LAST]


def test_an_empty_column_a_missing_station_and_repeated_records_are_found() -> None:
    before, last = past(), rows(LAST, 120, 1)
    assert findings_by_delivery(*before, last.assign(**{"Neni:given": False})) == {LAST: {"missing"}}
    assert findings_by_delivery(*before, last.assign(Stacioni=last["Stacioni"].replace("A", "B"))) == {LAST: {"codes"}}
    again = before[-1].assign(_delivery=LAST, _period=LAST)
    assert "repeated" in findings_by_delivery(*before, again)[LAST]
    assert "repeated" in findings_by_delivery(*before, last, again)[LAST]


def test_a_new_code_renumbers_articles_and_an_article_entered_for_another_is_found() -> None:
    before = [frame.assign(Neni="139" if frame["_period"].iloc[0] < "2013" else "171") for frame in past()]
    assert findings_by_delivery(*before, rows(LAST, 120, 1).assign(Neni="171")) == {}
    assert findings_by_delivery(*before, rows(LAST, 120, 1).assign(Neni="231")) == {LAST: {"codes"}}


def test_a_small_register_and_a_short_past_get_no_finding() -> None:
    assert findings_by_delivery(*past(8), rows(LAST, 4, 1)) == {}
    assert findings_by_delivery(*past()[:2], rows(LAST, 20, 1)) == {}
    assert findings_by_delivery(*past(8), rows(LAST, 40, 1))[LAST] == {"volume"}  # five times as many are enough


def test_the_last_version_of_a_period_is_its_past_and_each_version_is_judged() -> None:
    before = past()
    wrong, right = rows(LAST, 30, 1), rows(LAST, 120, 2).assign(_delivery=f"{LAST}_v2")
    assert set(findings_by_delivery(*before, wrong, right)) == {LAST}
    assert findings_by_delivery(*before, wrong, states={LAST: "partial"}) == {}  # that is said already
    none = findings_by_delivery(*before, states={LAST: "complete"})
    assert none == {LAST: {"volume"}}


def test_detail_and_value_say_what_is_and_what_is_usual() -> None:
    frame = pd.concat([*past(), rows(LAST, 30, 1)], ignore_index=True)
    deliveries = pd.DataFrame({"institution": "police", "delivery": QUARTERS, "period": QUARTERS, "version": 1, "state": "complete"})
    tables = {name: frame if name == "rastet" else frame.iloc[:0] for name in POLICE.tables}
    found = own_past.find_deviations_from_past(POLICE, tables, deliveries, LAST)
    assert [(row["rule"], row["detail"], row["file"]) for row in found] == [("cross-volume-unusual", "rastet: 30 ≠ 120", "rastet.csv")]


@pytest.mark.parametrize(("mean", "index", "count"), [(20.0, 3.0, 9), (20.0, 3.0, 40), (6.0, 2.0, 0), (6.0, 2.0, 6)])
def test_the_tails_of_the_negative_binomial(mean: float, index: float, count: int) -> None:
    size, p = mean / (index - 1), Fraction(1) / Fraction(index)
    assert size == int(size)
    exact = [comb(k + int(size) - 1, k) * p ** int(size) * (1 - p) ** k for k in range(count + 1)]
    assert own_past._compute_negative_binomial_tails(mean, index, count) == pytest.approx(
        (float(sum(exact)), float(1 - sum(exact[:-1]))), abs=1e-9
    )


@pytest.mark.parametrize(("a", "b", "size", "count"), [(3, 5, 30, 4), (3, 5, 30, 30), (40, 2, 12, 0), (1, 1, 9, 5)])
def test_the_tails_of_the_beta_binomial(a: int, b: int, size: int, count: int) -> None:
    exact = [Fraction(comb(k + a - 1, k) * comb(size - k + b - 1, size - k), comb(size + a + b - 1, size)) for k in range(count + 1)]
    found = own_past._compute_beta_binomial_tails(size, a / (a + b), 1 / (a + b + 1), count)
    assert found == pytest.approx((float(sum(exact)), float(1 - sum(exact[:-1]))), abs=1e-9)


def test_large_numbers_take_the_normal_distribution_near_the_exact_one() -> None:
    exact = own_past._compute_beta_binomial_tails(own_past._MAX_EXACT_COUNT, 0.3, 1e-5, 15_300)
    assert own_past._compute_beta_binomial_tails(own_past._MAX_EXACT_COUNT + 1, 0.3, 1e-5, 15_300) == pytest.approx(exact, rel=0.05)


def test_usual_quarters_are_rarely_reported() -> None:
    """One in 200 for each of five rules, at most."""
    tally = Counter(
        delivery for seed in range(10) for delivery in findings_by_delivery(*past(seed=seed + 100), rows(LAST, 120, seed + 100))
    )
    assert sum(tally.values()) <= 3  # of 10 × 5 judged quarters
