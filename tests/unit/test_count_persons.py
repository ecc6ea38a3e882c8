"""Who a person is by all records, and the age on a day."""

from __future__ import annotations

import pandas as pd
import pytest
from count_world import World

from warehouse.count import open_database_of_counting_models


def person(world: World) -> pd.Series:
    """Who the person is whose first case was reported in 2013."""
    return world.case("police", "A", "c", reported="2013-01-10").model("person").set_index("person_id").loc["p"]


def known_at_three(values: tuple[str | None, str | None, str | None], column: str) -> World:
    world = World()
    records = [("police", "A/1", "A"), ("prosecution", "7", "1"), ("courts", "F/1", "F")]
    for (institution, key, file), value in zip(records, values, strict=True):
        world.person(institution, key, "p", file=file, **{column: value})
    return world


def test_most_sources_decide_sex_and_citizenship() -> None:
    assert person(known_at_three(("male", "female", "female"), "sex"))["sex"] == "female"
    assert person(known_at_three((None, None, None), "sex"))["sex"] == "unknown"
    assert person(known_at_three(("ALB", None, "ALB"), "citizenship"))["citizenship_group"] == "foreign"


def test_a_chain_of_register_rows_is_one_voice() -> None:
    world = World().person("police", "A/1", "p", file="A", sex="female")
    for n in range(3):
        world.person("corrections", f"P-1/{n}", "p", file=f"P-1/{n}", register_id="P-1", sex="male")
    assert person(world)["sex"] == "female"  # one against one: the earlier institution


@pytest.mark.parametrize(
    ("born", "best"),
    [
        (("1985-03-04", "1985-04-03", "1985-03-04"), "1985-03-04"),
        (("1958-03-04", "1985-03-04", "1985"), "1985-03-04"),  # a bare year decides between two days
        (("1985-03-04", None, "1986"), "1985-03-04"),  # a day weighs more than a year alone
        (("1993", "2003-03-17", None), "NaT"),  # a suspect of ten years: the year 1993 is kept
        (("2085-03-04", "1985-03-04", None), "1985-03-04"),  # born after the event
    ],
)
def test_the_best_supported_birth_date(born: tuple[str | None, ...], best: str) -> None:
    assert str(person(known_at_three(born, "born"))["birth_date"])[:10] == best


@pytest.mark.parametrize(
    ("day", "born", "group"),
    [
        ("2013-03-03", "1995-03-04", "child"),
        ("2013-03-04", "1995-03-04", "adult"),
        ("2012-02-29", "1994-02-28", "adult"),
        ("2013-06-01", "1995", "unknown"),
        ("2013-06-01", "1996", "child"),
        ("2013-06-01", "1994", "adult"),
        ("2013-06-01", None, "unknown"),
    ],
)
def test_age_group(day: str, born: str | None, group: str) -> None:
    date, year = born if born and len(born) == 10 else None, int(born[:4]) if born else None
    with open_database_of_counting_models(World().inputs()) as models:
        found = models.connection.execute("SELECT age_group_on(?::DATE, ?::INT, ?::DATE)", [date, year, day]).fetchall()
    assert found == [(group,)]


def test_citizenship_is_domestic_or_foreign() -> None:
    countries = {"XXF": "foreign", "XKX": "domestic", "ALB": "foreign", None: "unknown"}
    with open_database_of_counting_models(World().inputs()) as models:
        for country, group in countries.items():
            assert models.connection.execute("SELECT citizenship_group_of(?::VARCHAR)", [country]).fetchall() == [(group,)]
