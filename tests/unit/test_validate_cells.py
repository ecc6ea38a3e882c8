"""A cell is typed as its column declares, and every cell that is not what it should be has a finding; nothing is dropped."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.validation.cells import parse_column
from sources import contract
from sources.contract import ColumnSpec

STATUS = ColumnSpec("status", "code", codes={"Nën hetim": "investigating", "KPK2003": "KPK2003"}, prefixes={"Bashkuar me": "merged"})
END = pd.Timestamp("2013-06-30")


def judge(spec: ColumnSpec, *values: str | None) -> tuple[pd.DataFrame, dict[str, list[bool]]]:
    """The typed columns, and rule -> which rows break it."""
    text = pd.Series(list(values), dtype="str")
    out = parse_column(spec, text, pd.Series(END, index=text.index))
    hits = {rule: mask.fillna(False).astype(bool).tolist() for rule, mask in out.found.items()}
    return pd.DataFrame(out.columns), {rule: rows for rule, rows in hits.items() if any(rows)}


def test_a_code_is_found_in_any_case_spacing_and_without_diacritics():
    columns, found = judge(STATUS, "Nën hetim", "NEN  HETIM", "nen hetim.")
    assert columns["status"].tolist() == ["investigating"] * 3
    assert found == {"cell-code-spelling": [False, True, True], "cell-white-space": [False, True, False]}


@pytest.mark.parametrize("value", ["KPPK", "KPK", "KPK2004", "2003", "??"])
def test_a_code_that_is_not_in_the_list_is_never_taken_for_a_near_one(value):
    columns, found = judge(STATUS, value)
    assert columns["status"].isna().all()
    assert found == {"cell-code-unknown": [True]}


def test_a_column_in_which_nothing_was_delivered_is_judged_like_any_other():
    columns, found = judge(STATUS, None, None)
    assert columns["status"].isna().all()
    assert found == {}


def test_a_status_with_an_argument_keeps_it():
    columns, found = judge(STATUS, "Bashkuar me 2013-PR-00012", "bashkuar me")
    assert columns["status"].tolist() == ["merged", "merged"]
    assert columns["status:argument"].tolist()[0] == "2013-PR-00012"
    assert columns["status:argument"].isna().tolist()[1]
    assert "cell-code-unknown" not in found


def test_a_day_that_no_calendar_has_is_missing_but_said():
    spec = ColumnSpec("day", "date", event=True)
    columns, found = judge(spec, "31.02.2013", "05.06.2013", None, "yesterday")
    assert columns["day"].notna().tolist() == [False, True, False, False]
    assert columns["day:unreadable"].tolist() == [True, False, False, True]
    assert columns["day:given"].tolist() == [True, True, False, True]
    assert found["cell-date-impossible"] == [True, False, False, False]
    assert found["cell-date-unreadable"] == [False, False, False, True]


def test_the_century_of_a_short_year_comes_from_the_quarter():
    columns, _ = judge(ColumnSpec("born", "date", personal=True), "17.05.75", "01.02.12", "01.02.14")
    assert columns["born:year"].tolist() == [1975, 2012, 1914]


EVERY_COLUMN = [column for name in contract.institutions() for table in contract.load(name).tables.values() for column in table.columns]
ONE_OF_A_KIND = list({column.type: column for column in EVERY_COLUMN}.values())


@pytest.mark.parametrize("spec", ONE_OF_A_KIND, ids=lambda spec: spec.type)
@given(values=st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=6))
def test_no_text_whatever_stops_a_column(spec, values):
    columns, _ = judge(spec, *values)
    assert len(columns) == len(values)
