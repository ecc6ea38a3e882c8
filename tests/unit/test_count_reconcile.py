"""What two neighbouring institutions should both know."""

from __future__ import annotations

import pandas as pd
import pytest
from count_world import World

from warehouse.count.reconciliation_steps import list_person_comparisons_between_institutions, list_reconciliation_steps
from warehouse.tables import WAREHOUSE


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    w = World()
    w.case("police", "A", "both", reported="2013-01-05", sent="2013-02-01", group="trafficking", state="sent")
    w.person("police", "A/1", "p1", file="A")
    w.case("prosecution", "1", "both", received="2013-02-05", source="police", state="investigating")
    w.person("prosecution", "11", "p2", file="1", charges=("other",))
    w.case("police", "B", "lost", reported="2013-01-05", sent="2013-02-01", group="other")
    w.case("police", "C", "not_yet", reported="2013-01-05", group="other")
    w.case("prosecution", "3", "not_yet", received="2013-04-02", period="2013-Q2", source="police")
    w.case("prosecution", "4", "early", received="2011-04-02", source="police")
    w.case("prosecution", "5", "by_number", received="2013-02-02", source="other")
    w.rows["references"].append({**w._state("prosecution", "5", "5", "2013-Q1", "accepted"), "kind": "police", "number": "2013-PR-1"})
    del w.rows["references"][-1]["period"]
    w.case("police", "E", "by_number", reported="2013-01-05", sent="2013-02-01", group="other")
    w.case("prosecution", "6", "indicted", received="2013-10-02", source="other", indicted="2013-12-20", period="2013-Q4")
    w.case("courts", "F", "convicted", received="2012-10-02")
    w.person("courts", "F/1", "in", file="F", sentence_months=12, final="2013-02-01 convicted", charges=("other",))
    w.person("courts", "F/2", "out", file="F", sentence_months=6, final="2013-02-01 convicted", charges=("other",))
    w.person("courts", "F/3", "fined", file="F", final="2013-02-01 convicted", charges=("other",))
    w.person("corrections", "P-1/x", "in", file="P-1/x", imprisoned="2013-03-01", charges=("other",))
    w.cases["corrections", "P-1/x"] = "convicted"
    return w.model("reconciliation").set_index(["step", "case_id", "person_id"]).sort_index()


def row(found: pd.DataFrame, step: str, case: str, person: str | None = None) -> pd.Series:
    hit = found.loc[(step, case)] if person is None else found.loc[(step, case, person)]
    return hit.iloc[0] if isinstance(hit, pd.DataFrame) else hit


def test_a_case_found_on_both_sides_is_matched_and_what_disagrees_is_named(found: pd.DataFrame) -> None:
    hit = row(found, "police_prosecution", "both")
    assert (hit["outcome"], hit["period"], hit["differs"]) == ("matched", "2013-Q1", "offence,person")


def test_a_case_that_was_sent_and_not_received_is_missing_downstream(found: pd.DataFrame) -> None:
    hit = row(found, "police_prosecution", "lost")
    assert (hit["outcome"], hit["period"]) == ("missing_downstream", "2013-Q1")
    assert hit["detail"] == "no prosecution record of it in any delivery"


def test_a_case_that_the_sender_holds_is_matched_before_it_says_that_it_was_sent(found: pd.DataFrame) -> None:
    hit = row(found, "police_prosecution", "not_yet")
    assert (hit["outcome"], hit["period"]) == ("matched", "2013-Q2")


def test_a_file_without_its_sender_is_missing_upstream_and_says_when_it_lies_before_the_first_delivery(found: pd.DataFrame) -> None:
    hit = row(found, "police_prosecution", "early")
    assert (hit["outcome"], hit["detail"]) == ("missing_upstream", "before the first police delivery")


def test_a_sender_that_is_not_named_is_reported_by_the_number_in_the_file(found: pd.DataFrame) -> None:
    assert row(found, "police_prosecution", "by_number")["outcome"] == "matched"


def test_an_indicted_case_late_in_the_last_delivery_may_still_be_on_its_way(found: pd.DataFrame) -> None:
    hit = row(found, "prosecution_courts", "indicted")
    assert (hit["outcome"], hit["detail"]) == ("missing_downstream", "may have arrived after the last court delivery")


def test_persons_finally_sentenced_to_imprisonment_are_looked_for_in_the_register(found: pd.DataFrame) -> None:
    assert row(found, "courts_corrections", "convicted", "in")["outcome"] == "matched"
    assert row(found, "courts_corrections", "convicted", "out")["outcome"] == "missing_downstream"
    assert ("courts_corrections", "convicted", "fined") not in found.index


def test_the_dictionary_names_every_step() -> None:
    declared = {step.name for step in list_reconciliation_steps()} | {step.step for step in list_person_comparisons_between_institutions()}
    assert set(str(WAREHOUSE.tables["reconciliation"].c.step.comment).split(", ")) == declared
