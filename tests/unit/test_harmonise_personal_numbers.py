"""Personal numbers: repaired only where that is certain; a failed check digit is said, never dropped."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from pipelines.harmonisation.personal_numbers import COLUMNS, REPAIRS, has_valid_check_digit, parse_personal_numbers


def one(text: str) -> tuple[object, object, object]:
    row = parse_personal_numbers(pd.Series([text])).iloc[0]
    return tuple(None if pd.isna(row[name]) else row[name] for name in COLUMNS)  # type: ignore[return-value]


def with_check(nine: str) -> str:
    return next(nine + digit for digit in "0123456789" if has_valid_check_digit(nine + digit))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1234567892", ("1234567892", True, None)),
        ("1234567893", ("1234567893", False, None)),
        (" 1234567892", ("1234567892", True, "spaces")),
        ("1234 567892", ("1234567892", True, "spaces")),
        ("1234.567.892", ("1234567892", True, "spaces")),
        ("1234567892.0", ("1234567892", True, "float")),
        ("1.234567892E9", ("1234567892", True, "float")),
        ("1.234567892E+09", ("1234567892", True, "float")),
        ("1.23E+09", (None, False, "not_digits")),
        ("12345", ("12345", False, "too_short")),
        ("123456789212", ("123456789212", False, "too_long")),
        ("0101979710006", ("0101979710006", False, "other_kind")),
        ("J12345678A", ("J12345678A", False, "other_kind")),
        ("0000000000", (None, False, "placeholder")),
        ("abc", (None, False, "not_digits")),
        ("", (None, None, None)),
    ],
)
def test_a_number(text: str, expected: tuple[object, object, object]) -> None:
    assert one(text) == expected


def test_a_lost_zero_is_put_back_only_where_the_check_digit_then_holds() -> None:
    number = with_check("012345678")
    assert one(number[1:]) == (number, True, "lost_zero")
    assert one(f"{number[1:]}.0") == (number, True, "lost_zero")
    wrong = number[1:-1] + ("0" if number[-1] != "0" else "1")
    assert one(wrong) == (wrong, False, "too_short")


@settings(max_examples=examples(40), deadline=None)
@given(st.from_regex(r"[0-8][0-9]{8}", fullmatch=True).filter(lambda nine: nine.strip("0")))
def test_numbers_with_their_check_digit_are_valid_and_another_digit_is_not(nine: str) -> None:
    number = with_check(nine)
    if one(number)[2] != "placeholder":
        assert one(number) == (number, True, None)
    other = nine + str((int(number[-1]) + 1) % 10)
    assert not one(other)[1]


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.none() | st.text(max_size=15) | st.from_regex(r"[0-9.,eE+ ]{1,14}", fullmatch=True), max_size=6))
def test_any_text_gives_a_row_and_a_repaired_number_is_its_own(texts: list[str | None]) -> None:
    out = parse_personal_numbers(pd.Series(texts, dtype="str"))
    assert out.dtypes.astype(str).to_dict() == COLUMNS
    assert set(out["repair"].dropna()) <= set(REPAIRS)
    assert out.loc[out["valid"].fillna(False), "number"].str.fullmatch("[0-9]{10}").all()
    whole = out.loc[out["valid"].fillna(False), "number"]
    assert parse_personal_numbers(whole)["number"].tolist() == whole.tolist()


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.from_regex(r"[0-9]{10}", fullmatch=True) | st.none() | st.just("x"), max_size=8))
def test_numbers_read_together_are_read_as_each_alone(texts: list[str | None]) -> None:
    together = parse_personal_numbers(pd.Series(texts, dtype="str", index=range(5, 5 + len(texts))))
    alone = [one(text) if text else (None, None, None) for text in texts]
    assert [tuple(None if pd.isna(cell) else cell for cell in row) for row in together.itertuples(index=False)] == alone
    for text, valid in zip(texts, together["valid"], strict=True):
        if text and text != "x" and not pd.isna(valid) and valid:
            assert has_valid_check_digit(text)
