"""What one delivery alone shows is reported, with the record and the field: one example of each kind."""

from __future__ import annotations

import pandas as pd
import pytest

from pipelines.over_time import find_changes_over_time
from pipelines.validation.cells import parse_column
from schemas import findings
from sources import contract as contracts
from sources.contract import ColumnSpec

END = pd.Timestamp("2013-06-30")


def rules_found(spec: ColumnSpec, value: str | None) -> set[str]:
    text = pd.Series([value], dtype="str")
    out = parse_column(spec, text, pd.Series(END, index=text.index))
    return {rule for rule, mask in out.found.items() if mask.fillna(False).astype(bool).any()}


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        ("personal_number", " 1670067110", "cell-white-space"),
        ("text", "Stacioni\r\nPolicor", "cell-line-break"),
        ("name", "BLERIM", "cell-name-capitals"),
        ("name", "Florim (Arber) Morina", "cell-name-several"),
        ("name", "Besa G. Krasniqi", "cell-name-several"),
        ("country", "RKS", "cell-country-spelling"),
        ("municipality", "Uroševac", "cell-place-spelling"),
        ("form_words", "Prostitucion i detyruar", "cell-words-spelling"),
        ("reference", "GJ 49/22", "cell-reference-implausible"),
        ("reference", "PP.9.nr.126/2013", "cell-reference-implausible"),
        ("reference", "2512-PZ-125", "cell-reference-implausible"),
        ("date", "2012-09-15T00:00:00", "cell-date-other-format"),
    ],
)
def test_a_cell_that_is_not_as_agreed_is_reported(kind: str, value: str, rule: str) -> None:
    assert rule in rules_found(ColumnSpec("c", type=kind), value)


@pytest.mark.parametrize("value", ["PP.I.nr.34/2013", "PP I 4/13", "2013-PR-00012", "PKR.nr.4/2013", "PP 4/13"])
def test_a_reference_that_can_be_is_not_called_implausible(value: str) -> None:
    assert "cell-reference-implausible" not in rules_found(ColumnSpec("c", type="reference"), value)


def test_white_space_is_reported_once_a_column_with_its_number_and_first_rows() -> None:
    cells = pd.DataFrame(
        {
            "delivery": "2013-Q2",
            "file": ["a.csv"] * 7 + ["b.csv"],
            "part": None,
            "line": [9, 2, 3, 4, 5, 6, 7, None],
            "record_key": [f"k{n}" for n in range(8)],
            "field": "Emri",
            "rule": "cell-white-space",
        }
    ).astype({"line": "Int64"})
    combined = findings.complete_columns(findings.combine_findings_by_file_and_column(cells))
    assert combined[["file", "field", "detail"]].to_numpy().tolist() == [
        ["a.csv", "Emri", "7: 2, 3, 4, 5, 6 …"],
        ["b.csv", "Emri", "1: k7"],
    ]
    assert combined[["line", "record_key", "value"]].isna().all(axis=None)
    assert set(combined["severity"]) == {"info"}
    assert findings.list_cells_and_rows(combined) == [(7, "2, 3, 4, 5, 6 …"), (1, "k7")]


@pytest.mark.parametrize(
    ("rule", "number", "expected"), [("cell-empty", 1000, 1000), ("cell-empty", 1001, 1), ("cell-code-unknown", 1001, 1001)]
)
def test_information_on_very_many_cells_is_reported_of_their_column(rule: str, number: int, expected: int) -> None:
    rows = {"line": range(number), "record_key": "k", "field": "Shtetesia", "rule": rule}
    cells = pd.DataFrame({"delivery": "2013-Q2", "file": "a.csv", "part": None, **rows}).astype({"line": "Int64"})
    found = findings.complete_columns(findings.combine_findings_on_cells_by_column(cells))
    assert len(found) == expected
    assert sum(n for n, _ in findings.list_cells_and_rows(found)) == number


def unknown_codes(lines: range, value: str = "X") -> pd.DataFrame:
    rows = {"line": lines, "field": "Statusi", "rule": "cell-code-unknown", "value": value}
    cells = pd.DataFrame({"institution": "police", "delivery": "2013-Q2", "file": "a.csv", **rows})
    return findings.complete_columns(cells.assign(record_key=[f"k{line}" for line in lines]))


def test_an_error_in_very_many_cells_with_one_text_is_reported_once_with_all_their_lines() -> None:
    lines = [*range(2, 700), *range(800, 1103)]
    cells = pd.concat([unknown_codes(range(2, 1103)).query("line < 700 or line >= 800"), unknown_codes(range(700, 703), "Y")])
    records = pd.DataFrame({"delivery": "2013-Q2", "file": "a.csv", "part": None, "line": range(2, 2000)}).astype({"line": "Int64"})
    combined = findings.combine_findings_with_same_text(cells, records)
    one = combined[combined["value"] == "X"]
    assert one[["line", "record_key"]].isna().all(axis=None)
    assert one["detail"].tolist() == ["1001: 2-699, 800-1102"]
    assert findings.parse_affected_lines(one["detail"].iloc[0]) == lines
    assert findings.count_cells(combined).tolist() == [1, 1, 1, 1001]
    assert combined.loc[combined["value"] == "Y", "line"].tolist() == [700, 701, 702]


@pytest.mark.parametrize(("cells", "records"), [(1000, 2000), (1001, 0)])
def test_errors_in_fewer_cells_or_in_rows_that_are_no_records_are_reported_one_by_one(cells: int, records: int) -> None:
    known = pd.DataFrame({"delivery": "2013-Q2", "file": "a.csv", "part": None, "line": range(records)}).astype({"line": "Int64"})
    assert len(findings.combine_findings_with_same_text(unknown_codes(range(cells)), known)) == cells


def test_of_many_lines_the_first_are_shown() -> None:
    details = pd.Series(["9: 1, 3, 5-6, 8, 10, 12-14", "2: 1, 2", "month, a, b, c, d, e, f: 2", None], dtype="str")
    assert findings.shorten_details(details).fillna("-").tolist() == ["9: 1, 3, 5-6, 8, 10 …", "2: 1, 2", details[2], "-"]


def test_an_empty_cell_is_reported_where_the_value_is_usually_known() -> None:
    sex = {"type": "code", "codes": {"1": "male", "9": "unknown"}}
    assert "cell-empty" in rules_found(ColumnSpec("c", expected=True), " ")
    assert "cell-empty" in rules_found(ColumnSpec("c", expected=True, **sex), "9")
    assert "cell-empty" not in rules_found(ColumnSpec("c"), None)


def test_a_year_is_reported_unless_it_is_the_agreed_format() -> None:
    assert "cell-date-year-only" in rules_found(ColumnSpec("c", type="date", format="iso", year_only=True), "1985")
    assert rules_found(ColumnSpec("c", type="date", format="year"), "1985") == set()


def test_of_several_signs_with_one_meaning_the_first_is_the_agreed_one() -> None:
    sex = ColumnSpec("c", type="code", codes={"M": "male", "M.": "male", "Mashkull": "male"})
    assert [("cell-code-spelling" in rules_found(sex, value)) for value in ("M", "M.", "Mashkull")] == [False, True, True]


def test_a_quarter_that_never_came_is_reported_to_the_next_delivery() -> None:
    periods = ["2012-Q1", "2012-Q1_v2", "2012-Q4"]
    deliveries = pd.DataFrame(
        [("police", name, name[:7], 1 + ("_v2" in name), "complete") for name in periods],
        columns=["institution", "delivery", "period", "version", "state"],
    )
    contract = contracts.load("police")
    tables = {name: pd.DataFrame({f"{c.name}:argument": [] for c in spec.columns}) for name, spec in contract.tables.items()}
    lineage = pd.DataFrame(columns=["entity", "record_key", "delivery", "status"], dtype="str")
    found = find_changes_over_time("police", contract, tables, deliveries, lineage)
    gaps = found[found["rule"] == "delivery-missing-quarter"]
    assert list(zip(gaps["delivery"], gaps["detail"], strict=True)) == [("2012-Q4", "2012-Q2"), ("2012-Q4", "2012-Q3")]
