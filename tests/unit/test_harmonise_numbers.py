"""Case numbers: every spelling of a number gives its one normal form, and a normal form gives itself."""

from __future__ import annotations

from itertools import chain

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from pipelines.harmonisation.case_numbers import COLUMNS, contains_case_number, normalise_case_numbers, parse_case_numbers
from sources.number_forms import number_forms
from sources.police.numbers import REGIONS

NORMAL = [form.normal for of_kind in number_forms().values() for form in of_kind]


def found(text: str, **options: object) -> list[tuple[str, str]]:
    out = parse_case_numbers(pd.Series([text]), **options)  # type: ignore[arg-type]
    return list(zip(out["kind"], out["number"], strict=True))


SPELLINGS = {
    (
        "police",
        "2013-PR-00276",
    ): "2013-PR-00276|2013PR00276|2013/PR/276|2013 PR 00276|Rasti 2013-PR-00276|Nr. 2013-PR-276|PR 276/13|PR-276/2013|2013-pr-00276",
    ("inspectorate", "IPK-015/2011"): "IPK-015/2011|IPK-15/2011|I.P.K. 015/2011|IPK 15/11|ipk.nr.15/2011|IPK nr 15-2011",
    (
        "prosecution",
        "PP.I.nr.34/2013",
    ): "PP.I.nr.34/2013|PP.1.nr.34/2013|PP/I nr.34/2013|PPI-34-2013|PP I 34/13|pp.I nr 34/2013|PP.I.nr.34-13|PP.I-34/2013"
    "|PP.I.nr.034/2013|PP.I.nr. 34/13| PP.I.nr.34/2013 |PP.I.NR.34/2013|P.P.I.nr.34/2013|ПП.I.бр.34/2013|PP.l.nr.34/2013|PP.I.nr.34 / 2013",
    ("prosecution", "PP.II.nr.9/2018"): "PP.II.nr.9/2018|PP.2.nr.9/2018|PPII-9-2018|PP/II nr.9/18|PP II 9/18",
    ("prosecution", "PP.?.nr.89/2011"): "PP nr.89/2011|PP 89/11|PP-89-2011|PP.7.nr.89/2011|PP.?.nr.89/2011",
    ("prosecution", "PPS.nr.425/2009"): "PPS 425/09|PPS. No. 425/2009|PPS number 425/09",
    (
        "court",
        "PKR.nr.12/2013",
    ): "PKR.nr.12/2013|P.K.R. nr. 12/2013|PKR-12-2013|PKR 12/13|PKR. no. 12/13|pkr.nr.12/2013"
    "|PKR.nr.012/2013|PKR.P. nr.12/13|PKR br. 12/13",
    ("court", "P.nr.9/2011"): "P.nr.9/2011|P 9/11|P-9-2011|P. no. 9/11|p.nr.9/2011|P br. 9/11",
    ("court", "PAKR.nr.312/2023"): "PAKR.nr312/2023|PAKR 312/23|PAKR No. 312/2023",
    ("court", "2022:19820"): "2022:19820|nr. 2022:19820",
    ("other", "QPS 420/2019"): "QPS 420/2019|qps nr. 420/19|Q.P.S. 420/2019",
}


@pytest.mark.parametrize(("expected", "text"), [(form, text) for form, texts in SPELLINGS.items() for text in texts.split("|")])
def test_spellings_of_one_number(expected: tuple[str, str], text: str) -> None:
    assert found(text) == [expected]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("PP.I.nr.34/2013, PP.II.nr.3/2012", ["PP.I.nr.34/2013", "PP.II.nr.3/2012"]),
        ("PP.I.nr.34/2013 dhe 35/2013", ["PP.I.nr.34/2013", "PP.I.nr.35/2013"]),
        ("PP.I.nr.34/2013/PP.I.nr.35/2013", ["PP.I.nr.34/2013", "PP.I.nr.35/2013"]),
        ("2012-PR-00276;2012-PZ-00001", ["2012-PR-00276", "2012-PZ-00001"]),
        ("PKR.nr.3/2012 (PP.I.nr.34/2011)", ["PKR.nr.3/2012", "PP.I.nr.34/2011"]),
        ("PP.I.nr.34/2013 dt. 12.05.2013", ["PP.I.nr.34/2013"]),
        ("Bashkuar me 2012-PE-00235", ["2012-PE-00235"]),
    ],
)
def test_several_numbers_in_one_field(text: str, numbers: list[str]) -> None:
    assert [number for _, number in found(text)] == numbers


@pytest.mark.parametrize("text", ["", "32", "neni", "2013", "pa numër", "-", "????"])
def test_no_number_no_row(text: str) -> None:
    assert found(text) == []


def test_a_number_without_a_label_is_of_the_kind_that_the_caller_knows() -> None:
    assert found("34/2013") == [("other", "34/2013")]
    assert found("34/2013", kind_without_label="prosecution") == [("prosecution", "PP.?.nr.34/2013")]
    assert found("34/2013", kind_without_label="court") == [("court", "?.nr.34/2013")]


def test_parts_of_a_number_and_the_index_of_its_text() -> None:
    out = parse_case_numbers(pd.Series(["x", "PP.I.nr.34/2013", None, "2013-PR-00276"], index=[10, 20, 30, 40]))
    assert list(out.columns) == list(COLUMNS)
    assert out["row"].tolist() == [20, 40]
    assert out["register"].tolist()[0] == "PP.I"
    assert out["serial"].tolist() == [34, 276]
    assert out["year"].tolist() == [2013, 2013]
    assert out["region"].tolist()[1] == "PR"


def test_own_number_is_null_where_it_is_not_of_the_kind() -> None:
    out = normalise_case_numbers(pd.Series(["2013PR00276", "PP.I.nr.34/2013", None, "x"]), "police")
    assert out.isna().tolist() == [False, True, True, True]
    assert out[0] == "2013-PR-00276"


@settings(max_examples=examples(40), deadline=None)
@given(
    st.integers(1, 99999),
    st.integers(1990, 2030),
    st.sampled_from(REGIONS),
    st.sampled_from(["PP.I", "PP.II", "PP.III", "PP.?", "PPS", "PKR", "P", "PAKR"]),
)
def test_normal_forms_are_their_own(serial: int, year: int, region: str, register: str) -> None:
    forms = [
        f"{year}-{region}-{serial:05d}",
        f"IPK-{serial:03d}/{year}",
        f"{register}.nr.{serial}/{year}",
        f"QPS/{serial % 100:02d}/{serial}",
        f"QPS {serial}/{year}",
    ]
    assert [number for _, number in chain.from_iterable(map(found, forms))] == forms


@settings(max_examples=examples(60), deadline=None)
@given(st.one_of(*(st.from_regex(pattern, fullmatch=True) for pattern in NORMAL)))
def test_a_normal_form_is_read_as_any_other_spelling(text: str) -> None:
    parsed = [parse_case_numbers(pd.Series([spelled])) for spelled in (text, f" {text} ")]
    pd.testing.assert_frame_equal(*parsed)
    assert parsed[0]["number"].tolist() == [text]
    assert contains_case_number(pd.Series([text])).tolist() == [True]
    for kind in ("police", "inspectorate", "prosecution", "court"):
        own = normalise_case_numbers(pd.Series([text, f" {text} "]), kind)
        assert own.isna().tolist() == [parsed[0]["kind"][0] != kind] * 2


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.none() | st.text(max_size=30) | st.from_regex(r"[PKRI0-9 ./:\-]{1,20}", fullmatch=True), max_size=6))
def test_any_text_is_read_and_what_was_read_reads_the_same(texts: list[str | None]) -> None:
    out = parse_case_numbers(pd.Series(texts, dtype="str"))
    assert out["row"].isin(range(len(texts))).all()
    again = parse_case_numbers(out["number"])
    same = again.merge(out.assign(row=out.index), on="row", suffixes=("", "_first"))
    known = same["kind_first"] != "other"
    assert (same.loc[known, "number"] == same.loc[known, "number_first"]).all()
