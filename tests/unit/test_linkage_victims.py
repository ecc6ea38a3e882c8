"""Which files of victims belong to which case: whom a cited file names, days, and what a file does not cite."""

from __future__ import annotations

import pandas as pd
import pytest
from linkage_world import World, background, person, together

from pipelines.linkage import compute_detailed_linkage_result, link_records, load_linkage_model

OFFICE, CENTRE, POLICE = "ZM-PZ-2012-0007", "QPS/05/117", "2012-PZ-00777"
WHO = 701
DAY = "2012-03-01"


def victim(n: int) -> dict:
    return person(n, role="victim", sex="female")


def file_of(world: World, n: int, day: str, *, key: str = OFFICE, cites: list | None = None) -> None:
    institution = "social_work" if key.startswith("QPS") else "victim_protection"
    world.file(institution, key, [victim(n)], own=key, cites=cites or [], person_days={"supported": day})


def police(world: World, persons: list, days: dict[str, str]) -> None:
    world.file("police", POLICE, persons, own=POLICE, days=days)


def bits(world: World, kind: str, *keys: str) -> float:
    """What the pair of files with these keys weighs by `kind` of evidence."""
    solved = compute_detailed_linkage_result(world.tables)
    key, pairs = solved.records.files["record_key"], solved.cases.pairs
    found = [pairs[kind].iloc[n] for n, (a, b) in enumerate(zip(pairs["a"], pairs["b"], strict=True)) if {key[a], key[b]} == set(keys)]
    return float(found[0])


@pytest.mark.parametrize("named", [[], [WHO + 1]])
def test_a_cited_file_that_does_not_name_the_victim_is_rather_cited_in_error(named):
    world = background(30)
    police(world, [person(WHO + 5), *map(victim, named)], {"reported": DAY})
    file_of(world, WHO, DAY, cites=[("police", POLICE)])
    assert bits(world, "persons", POLICE, OFFICE) == pytest.approx(-5.64, abs=0.01)


def test_a_cited_file_that_names_the_victim_or_nobody_is_of_her_case():
    for named in ([victim(WHO)], []):
        world = background(30)
        police(world, named, {"reported": DAY})
        file_of(world, WHO, DAY, cites=[("police", POLICE)])
        assert bits(world, "persons", POLICE, OFFICE) >= 0
        assert together(link_records(world.tables), POLICE, OFFICE, entity="case")


def test_the_file_of_another_victim_is_cited_in_error():
    world = background(30)
    file_of(world, WHO, DAY, cites=[("social_work", CENTRE)])
    file_of(world, WHO + 1, "2013-06-01", key=CENTRE)
    assert bits(world, "persons", OFFICE, CENTRE) < -5
    assert not together(link_records(world.tables), OFFICE, CENTRE, entity="case")


def test_the_file_of_another_institution_on_the_same_victim_is_of_her_case():
    world = background(30)
    file_of(world, WHO, DAY, cites=[("social_work", CENTRE)])
    file_of(world, WHO, "2012-03-04", key=CENTRE)
    assert together(link_records(world.tables), OFFICE, CENTRE, entity="case")


def test_a_file_that_cites_no_case_is_rather_a_matter_of_its_own():
    for cites, expected in (([], -3.0), ([("social_work", "QPS/05/300")], -3.0), ([("prosecution", "PP.I.nr.900/2012")], 0.0)):
        world = background(30)
        police(world, [victim(WHO)], {"reported": DAY})
        file_of(world, WHO, DAY, cites=cites)
        assert bits(world, "apart", POLICE, OFFICE) == expected


def test_a_police_file_that_a_file_on_the_victim_cites_is_not_kept_apart_by_silence():
    world = background(30)
    police(world, [victim(WHO)], {"reported": DAY})
    file_of(world, WHO, DAY, cites=[("police", POLICE)])
    assert bits(world, "apart", POLICE, OFFICE) == 0


@pytest.mark.parametrize("known", ["reported", "offence"])
def test_a_file_opened_long_after_the_case_without_citation_is_another_matter(known):
    world = background(30)
    police(world, [victim(WHO)], {known: DAY})
    file_of(world, WHO, "2013-03-20")
    linked = link_records(world.tables)
    assert not together(linked, POLICE, OFFICE, entity="case")
    assert together(linked, f"{POLICE}/1", OFFICE)


def test_days_offence_and_form_are_evidence_between_all_files_of_a_victim():
    found = {(evidence.between, evidence.name.split(":")[0]) for evidence in load_linkage_model().evidence}
    for victims in ("victim_protection", "social_work"):
        for other in ("police", "prosecution"):
            assert {(f"{other}-{victims}", "group"), (f"{other}-{victims}", "form")} <= found


def test_the_day_of_support_is_a_day_of_the_file():
    world = background(3)
    file_of(world, WHO, DAY)
    files = compute_detailed_linkage_result(world.tables).records.files.set_index("record_key")
    assert files.loc[OFFICE, "supported"] == pd.Timestamp(DAY)
    assert files["supported"].notna().sum() == 1
