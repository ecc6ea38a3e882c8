"""Who gets which finding: a value is wrong only against two independent sources, otherwise both are asked; stewards get the rest."""

from __future__ import annotations

import itertools
import re

import pandas as pd
import pytest

from harmonia.comparison.agreements import AgreementMatrix, make_matrix_allowing_all
from harmonia.comparison.evidence import EVIDENCE
from harmonia.comparison.permitted import RULES, make_comparison_findings, select_permitted_evidence, select_restricted_evidence
from schemas.findings import rules

NOTHING = AgreementMatrix.from_rows([])


def evidence(*rows: tuple[str, str, str, bool, int, str | None]) -> pd.DataFrame:
    """Rows of receiver, its key, sender, same, group, apart: on the birth date of an accused in an indicted case."""
    columns = ["receiver", "record_key", "sender", "same", "group", "apart"]
    frame = pd.DataFrame(list(rows), columns=columns)
    frame = frame.assign(what="birth_date", field="born", sender_key="s", role="accused", status="indicted")
    return frame[list(EVIDENCE)].astype({"group": "Int64", "apart": "str"})


def rule_of(found: pd.DataFrame) -> list[str]:
    return found["rule"].tolist()


def test_two_that_differ_are_both_asked() -> None:
    found = select_permitted_evidence(
        evidence(("police", "a", "courts", False, 1, None), ("courts", "b", "police", False, 2, None)), make_matrix_allowing_all()
    )
    assert dict(zip(found["institution"], found["rule"], strict=True)) == {"police": "check-birth-date", "courts": "check-birth-date"}


def test_one_is_called_wrong_where_two_apart_agree_against_it() -> None:
    against = [("police", "a", "courts", False, 1, "corrections"), ("police", "a", "corrections", False, 1, "courts")]
    assert rule_of(select_permitted_evidence(evidence(*against), make_matrix_allowing_all())) == ["comparison-birth-date"]


def test_two_that_copied_from_each_other_are_one_source() -> None:
    against = [("police", "a", "courts", False, 1, None), ("police", "a", "prosecution", False, 1, None)]
    assert rule_of(select_permitted_evidence(evidence(*against), make_matrix_allowing_all())) == ["check-birth-date"]


def test_the_second_source_counts_only_where_it_may_be_reported() -> None:
    against = [("police", "a", "courts", False, 1, "corrections"), ("police", "a", "corrections", False, 1, "courts")]
    one = AgreementMatrix.from_rows([("courts", "police", "accused", "indicted", "MoU")])
    assert rule_of(select_permitted_evidence(evidence(*against), one)) == ["check-birth-date"]


def test_who_is_confirmed_by_a_source_of_its_own_is_not_asked() -> None:
    rows = [("police", "a", "courts", True, 1, "police"), ("police", "a", "corrections", False, 2, None)]
    assert rule_of(select_permitted_evidence(evidence(*rows), make_matrix_allowing_all())) == []


def test_without_an_agreement_nothing_is_reported_and_all_goes_to_stewards() -> None:
    known = evidence(("police", "a", "courts", False, 1, None), ("police", "c", "courts", True, 1, "police"))
    assert select_permitted_evidence(known, NOTHING).empty
    assert select_restricted_evidence(known, NOTHING)["record_key"].tolist() == ["a"]
    assert select_restricted_evidence(known, make_matrix_allowing_all()).empty


def test_all_versions_of_a_quarter_are_reported_the_same() -> None:
    rows = pd.DataFrame(
        [("police", "2013-Q2", "a", "born", "check-birth-date")], columns=["institution", "period", "record_key", "field", "rule"]
    )
    names = ["2013-Q1", "2013-Q2", "2013-Q2_v2"]
    deliveries = pd.DataFrame({"institution": "police", "delivery": names, "period": [n[:7] for n in names]})
    lineage = pd.DataFrame(columns=["institution", "delivery", "record_key", "file", "part", "line", "status"], dtype="str")
    found = make_comparison_findings(rows, deliveries, lineage)
    assert found["delivery"].tolist() == ["2013-Q2", "2013-Q2_v2"]
    assert found["value"].isna().all() and found["detail"].isna().all()


TOLD = sorted({rule for pair in RULES.values() for rule in pair if rule})


@pytest.mark.parametrize("code", TOLD)
def test_the_words_name_no_other_institution_and_no_kind_of_difference(code: str) -> None:
    others = r"polic|inspek|inspect|prosec|prokuror|tuži|gjykat|court|\bsud|burg|prison|correct(?!ed|ion)"
    kinds = r"digit|shifr|cifr|swap|exchang|month|muaj|mesec|\bday and|letter(?!s? in)|typing"
    text = " ".join([*rules()[code].text.values(), *rules()[code].action.values()])
    text = text.replace("correct it", "").replace("correct its", "")
    allowed = {"check-no-judgment", "check-no-indictment", "check-reference"}  # the receiver's own document is what they name
    assert not re.search(kinds, text.replace("letter in the file", ""), re.IGNORECASE)
    if code not in allowed:
        assert not re.search(others, text, re.IGNORECASE)


@pytest.mark.parametrize("code", TOLD)
def test_who_is_only_asked_is_never_scored(code: str) -> None:
    assert rules()[code].severity == ("info" if code.startswith("check-") else "warning")


def test_one_rule_a_kind_whatever_the_difference() -> None:
    used = list(itertools.chain.from_iterable(RULES.values()))
    assert len([rule for rule in used if rule]) == len({rule for rule in used if rule})
