"""Verdicts that need two stewards."""

from __future__ import annotations

import pandas as pd
import pytest

from harmonia.review.deciding import needs_second_steward
from harmonia.review.judgements import combine_judgements
from harmonia.review.pairs import make_pair

PERSON = ("person", "police", "2013-PR-00001/1", "courts", "PKR.nr.1/2013/1")


def _verdict(*given: tuple[str, str]) -> str:
    pair = make_pair(*PERSON)
    rows = pd.concat([pair.assign(verdict=verdict, steward=steward) for steward, verdict in given], ignore_index=True)
    found = combine_judgements(rows)["verdict"]
    return str(found.iloc[0]) if len(found) else ""


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ([("a", "proposed")], "proposed"),
        ([("a", "proposed"), ("A ", "proposed")], "proposed"),
        ([("a", "proposed"), ("b", "proposed")], "same"),
        ([("a", "proposed"), ("b", "same")], "same"),
        ([("a", "proposed"), ("b", "different")], "disputed"),
        ([("a", "proposed"), ("b", "unsure")], "proposed"),
        ([("a", "proposed"), ("b", "proposed"), ("a", "withdrawn")], "proposed"),
        ([("a", "proposed"), ("a", "withdrawn")], ""),
        ([("a", "proposed"), ("a", "different")], "different"),
    ],
)
def test_a_proposal_has_effect_once_a_second_steward_agrees(given: list[tuple[str, str]], verdict: str) -> None:
    assert _verdict(*given) == verdict


def test_only_joining_persons_of_two_institutions_needs_a_second_steward() -> None:
    assert needs_second_steward(make_pair(*PERSON), "same")
    assert not needs_second_steward(make_pair(*PERSON), "different")
    assert not needs_second_steward(make_pair("person", "police", "1/1", "police", "2/1"), "same")
    assert not needs_second_steward(make_pair("case", "police", "1", "courts", "2"), "same")
