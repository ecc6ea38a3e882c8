"""Code lists that change on a day: which one a delivered period is read by."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from pipelines.validation.cells import parse_column
from sources.contract import ColumnSpec

ROLES = ColumnSpec(
    "Roli",
    "code",
    codes={"D": "suspect", "V": "victim"},
    codes_from={date(2014, 4, 1): {"1": "suspect", "2": "victim", "D": "witness"}, date(2015, 1, 1): {"S": "suspect"}},
)


@pytest.mark.parametrize(
    ("code", "end", "value"),
    [
        ("D", "2014-03-31", "suspect"),
        ("1", "2014-03-31", None),  # not yet
        ("D", "2014-06-30", "witness"),  # another meaning from then on
        ("1", "2014-06-30", "suspect"),
        ("V", "2014-12-31", "victim"),  # old forms are used up within a year
        ("V", "2015-06-30", None),
        ("2", "2015-06-30", "victim"),
        ("S", "2016-03-31", "suspect"),
        ("2", "2016-03-31", None),
    ],
)
def test_a_code_means_what_its_period_says(code: str, end: str, value: str | None) -> None:
    out = parse_column(ROLES, pd.Series([code], dtype="str"), pd.Series([pd.Timestamp(end)]))
    found = out.columns["Roli"].iloc[0]
    assert (None if pd.isna(found) else found) == value
    assert bool(out.found["cell-code-unknown"].iloc[0]) == (value is None)


def test_periods_are_read_side_by_side_in_the_order_of_the_rows() -> None:
    ends = pd.Series(pd.to_datetime(["2014-06-30", "2014-03-31", "2014-06-30"]), index=[5, 1, 3])
    out = parse_column(ROLES, pd.Series(["D", "D", None], index=[5, 1, 3], dtype="str"), ends)
    assert out.columns["Roli"].to_list()[:2] == ["witness", "suspect"] and list(out.columns["Roli"].index) == [5, 1, 3]
    assert list(out.columns["Roli:given"]) == [True, True, False]


def test_every_code_is_known_to_the_readers() -> None:
    assert ROLES.delivered_codes == ("D", "V", "1", "2", "S")
    assert ROLES.meanings == ("suspect", "victim", "witness")
