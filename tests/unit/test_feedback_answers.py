"""What an answer makes of a finding: closed while it holds, for the value that it saw, from the delivery answered on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from harmonia.errors import HarmoniaError
from harmonia.feedback import answers, exchange
from harmonia.feedback.finding_states import determine_finding_states
from harmonia.registry import Registry, open_registry
from schemas import findings

KEY = b"k" * 32
CAME = ["2012-Q1", "2012-Q2", "2012-Q3", "2012-Q4"]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = open_registry(f"sqlite:///{tmp_path}/registry.sqlite")
    yield opened
    opened.close()


def lived(value: str = "31.02.2012", **last: str) -> pd.DataFrame:
    """One record with the same fault in four quarters; `last`: what is different in the last one."""
    base = {"institution": "police", "file": "rastet.csv", "line": 2, "record_key": "2012-PR-00001", "field": "Data_raportimit"}
    rows = [{**base, "delivery": name, "rule": "cell-date-impossible", "value": value} for name in CAME]
    rows[-1] |= last
    return determine_finding_states(findings.build_findings(rows), pd.DataFrame({"institution": "police", "delivery": CAME}))


def answer(found: pd.DataFrame, verdict: str, delivery: str = "2012-Q2", person: str = "Drita") -> pd.DataFrame:
    rows = found[found["delivery"] == delivery]
    given = rows.assign(verdict=verdict, reason="the file says so", person=person, origin=None)
    return given.assign(value_mark=answers.hash_finding_values(given["finding"], given["value"], KEY))[list(answers.GIVEN)]


def states(found: pd.DataFrame, registry: Registry) -> list[str]:
    return answers.apply_answers(found, answers.read_answers(registry), KEY)["state"].tolist()


def test_no_error_closes_the_finding_from_the_delivery_answered_on(registry: Registry) -> None:
    found = lived()
    answers.enter_answers(registry, answer(found, "no_error"))
    assert states(found, registry) == ["new", "accepted_as_is", "accepted_as_is", "accepted_as_is"]


def test_another_value_is_another_question(registry: Registry) -> None:
    found = lived(value="31.02.2012")
    answers.enter_answers(registry, answer(found, "no_error"))
    assert states(lived(value="30.02.2012"), registry) == ["new", "remains", "remains", "remains"]


def test_an_announced_correction_leaves_the_finding_open(registry: Registry) -> None:
    found = lived()
    answers.enter_answers(registry, answer(found, "announced"))
    answered = answers.apply_answers(found, answers.read_answers(registry), KEY)
    assert answered["state"].tolist() == ["new", "remains", "remains", "remains"]
    assert answered["answer"].fillna("-").tolist() == ["-", "announced", "announced", "announced"]


def test_accepted_as_it_is_holds_when_countersigned_and_until_it_expires(registry: Registry) -> None:
    found = lived()
    answers.enter_answers(registry, answer(found, "accepted"))
    assert states(found, registry)[1] == "remains", "not without countersignature"
    answers.decide_on_answers(registry, [1], "countersigned", "Arta", date(2012, 9, 30))
    assert states(found, registry) == ["new", "accepted_as_is", "accepted_as_is", "remains"]


def test_a_refused_answer_says_nothing_and_a_later_one_may_follow(registry: Registry) -> None:
    found = lived()
    answers.enter_answers(registry, answer(found, "no_error"))
    with pytest.raises(HarmoniaError, match="needs a reason"):
        answers.decide_on_answers(registry, [1], "refused", "Arta")
    answers.decide_on_answers(registry, [1], "refused", "Arta", reason="the file says otherwise")
    assert states(found, registry) == ["new", "remains", "remains", "remains"]
    answers.enter_answers(registry, answer(found, "announced"))
    assert answers.select_latest_answers(answers.read_answers(registry))["verdict"].tolist() == ["announced"]


def test_the_same_answer_again_changes_nothing(registry: Registry) -> None:
    given = answer(lived(), "accepted")
    assert answers.enter_answers(registry, given).tolist() == [True]
    assert answers.enter_answers(registry, given).tolist() == [False]


def test_an_answer_given_after_the_workbook_was_made_is_not_replaced(registry: Registry) -> None:
    found = lived()
    answers.enter_answers(registry, answer(found, "announced"))
    newest = answers.read_current_answers(registry, "police")
    made_before = exchange.list_seen_answer_numbers(newest, 0)
    assert not answers.enter_answers(registry, answer(found, "no_error"), made_before).any()
    made_after = exchange.list_seen_answer_numbers(newest, max(one.id for one in newest.values()))
    assert answers.enter_answers(registry, answer(found, "no_error"), made_after).all()


def test_nobody_countersigns_what_needs_none_or_what_is_his_own(registry: Registry) -> None:
    answers.enter_answers(registry, answer(lived(), "accepted"))
    with pytest.raises(HarmoniaError, match="somebody else"):
        answers.decide_on_answers(registry, [1], "countersigned", "drita", date(2013, 1, 1))
    with pytest.raises(HarmoniaError, match="does not exist"):
        answers.decide_on_answers(registry, [7], "countersigned", "Arta", date(2013, 1, 1))
    answers.enter_answers(registry, answer(lived(), "announced"))
    with pytest.raises(HarmoniaError, match="only `accepted` needs"):
        answers.decide_on_answers(registry, [2], "countersigned", "Arta", date(2013, 1, 1))


def test_what_was_fixed_is_not_touched_by_an_answer(registry: Registry) -> None:
    found = lived()
    answers.enter_answers(registry, answer(found, "no_error"))
    gone = found.assign(state="fixed")
    assert set(states(gone, registry)) == {"fixed"}


def test_no_value_is_in_the_registry(registry: Registry) -> None:
    answers.enter_answers(registry, answer(lived(), "accepted"))
    assert (
        not answers.read_answers(registry).astype(str).apply(lambda column: column.str.contains("31.02.2012", regex=False)).any(axis=None)
    )
