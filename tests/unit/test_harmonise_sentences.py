"""Sentences in words: the same length of time however it is written."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from pipelines.harmonisation.sentences import parse_prison_sentences_in_days, parse_prison_sentences_in_months


@pytest.mark.parametrize(
    ("months", "texts"),
    [
        (
            42.0,
            "3 vjet e 6 muaj|3 vjet 6 muaj|42 muaj|3 vejt e 6 muja|tre vjet e gjashtë muaj"
            "|3,5 vjet|3 godine i 6 meseci|3 years 6 months|3v 6m",
        ),
        (18.0, '1 vit e 6 muaj|=CONCATENATE(18," muaj")|një vit e gjysmë'),
        (8.0, "8 muaj|8 MUAJ|8 mjesec"),
        (36.0, "3 vjet|3 vjet burgim dhe 2500 euro gjobë"),
    ],
)
def test_months(months: float, texts: str) -> None:
    assert parse_prison_sentences_in_months(pd.Series(texts.split("|"))).round(6).tolist() == [months] * len(texts.split("|"))


def test_days_and_weeks() -> None:
    assert parse_prison_sentences_in_days(pd.Series(["60 ditë", "30 dana", "2 javë"])).tolist() == [60.0, 30.0, 14.0]


@pytest.mark.parametrize("text", ["", "vjet", "84", "i përjetshëm", "2500 euro"])
def test_no_length_of_time(text: str) -> None:
    assert parse_prison_sentences_in_days(pd.Series([text])).isna().all()


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.none() | st.text(max_size=20) | st.from_regex(r"[0-9]{1,3} (vjet|muaj|dite) ?", fullmatch=True), max_size=5))
def test_any_text_gives_a_length_or_none(texts: list[str | None]) -> None:
    out = parse_prison_sentences_in_days(pd.Series(texts, dtype="str"))
    assert (out.dropna() >= 0).all()
