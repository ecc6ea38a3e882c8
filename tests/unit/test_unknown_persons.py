"""Unknown and legal persons: recorded, counted as reported (unknown) or in nothing (legal), never a person."""

from __future__ import annotations

import pandas as pd
import pytest
from count_world import World, figure, steps

from warehouse.count import compute_published_tables


@pytest.fixture(scope="module")
def built() -> dict[str, pd.DataFrame]:
    world = World()
    world.case("police", "2013-PR-00001", "c", reported="2013-01-05", group="trafficking", form="sexual")
    world.person("police", "2013-PR-00001/1", "p", file="2013-PR-00001", arrested="2013-01-06", sex="male", kind="natural")
    for n, role in enumerate(("suspect", "suspect", "victim"), start=2):
        nobody = {"file": "2013-PR-00001", "role": role, "arrested": "2013-01-07", "kind": "unknown", "sex": "female"}
        world.person("police", f"2013-PR-00001/{n}", "", **nobody)
    world.person("police", "2013-PR-00001/5", "", file="2013-PR-00001", arrested="2013-01-08", kind="legal")
    world.case("prosecution", "7", "c", received="2013-02-03", indicted="2013-03-01")
    world.person("prosecution", "71", "p", file="7", charges=("prostitution",), kind="natural")
    world.person("prosecution", "72", "", file="7", charges=("slavery",), form="slavery_servitude", kind="unknown")
    world.people = {key: person for key, person in world.people.items() if person}
    return compute_published_tables(world.inputs())


@pytest.mark.parametrize(
    ("indicator", "period", "reported", "harmonised"),
    [
        ("suspects_registered", "2013-Q1", 3, 1),
        ("persons_arrested", "2013", 3, 1),
        ("victims_identified", "2013", 1, 0),
        ("persons_reported", "2013", 2, 1),
        ("persons_indicted", "2013-Q1", 2, 1),  # a decision without a party covers them too
        ("cases_registered", "2013", 1, 1),
    ],
)
def test_unknown_persons_count_as_reported_only_with_a_cause_of_their_own(
    built: dict[str, pd.DataFrame], indicator: str, period: str, reported: int, harmonised: int
) -> None:
    assert figure(built["statistics"], indicator, period) == (reported, harmonised)
    expected = {"unknown_person": harmonised - reported} if reported != harmonised else {}
    assert steps(built["bridge"], indicator, period) == expected


def test_they_count_with_the_sex_that_the_row_has_and_nothing_else_known(built: dict[str, pd.DataFrame]) -> None:
    assert figure(built["statistics"], "suspects_registered", "2013", sex="female") == (2, 0)
    assert figure(built["statistics"], "suspects_registered", "2013", citizenship_group="unknown") == (3, 1)


def test_charges_against_them_count_for_the_case(built: dict[str, pd.DataFrame]) -> None:
    assert figure(built["statistics"], "cases_received_prosecution", "2013", offence_group="slavery") == (1, 1)
    assert figure(built["statistics"], "persons_reported", "2013", offence_group="prostitution") == (1, 1)
    assert figure(built["statistics"], "persons_reported", "2013", offence_group="slavery") == (1, 0)


def test_they_are_no_person_in_lineage_or_facts_and_stay_recorded_with_their_kind(built: dict[str, pd.DataFrame]) -> None:
    lineage = built["lineage"].set_index("record_key")["person_id"]
    assert set(lineage.dropna()) == {"p"}
    assert set(built["fact_person"]["person_id"]) == {"p"}
    kinds = built["fact_person_record"].set_index("record_key")["kind"]
    assert kinds["2013-PR-00001/2"] == "unknown" and kinds["2013-PR-00001/5"] == "legal"
