"""What the summary picks out of a run, on small frames."""

from __future__ import annotations

import io

import pandas as pd
from rich.console import Console

from harmonia import status
from harmonia.cli import summary
from schemas.findings import build_findings

TOTAL = dict.fromkeys(["form", "sex", "age_group", "citizenship_group"], "total")


def figure(indicator: str, group: str, reported: float | None, harmonised: float | None, missing: str | None = None) -> dict[str, object]:
    counts = {"as_reported": reported, "harmonised": harmonised, "incomplete": missing is not None, "missing": missing}
    return {**TOTAL, "indicator": indicator, "period": "2013", "offence_group": group, **counts}


STATISTICS = pd.DataFrame(
    [
        figure("persons_arrested", "total", 1187, 1182),
        figure("persons_arrested", "trafficking", 75, 68),
        figure("persons_arrested", "prostitution", 44, 44),
        figure("cases_registered", "total", None, None, "police 2013-Q1, inspectorate 2013-Q1"),
        {**figure("persons_arrested", "total", 1, 1), "sex": "male"},
        {**figure("persons_arrested", "total", 9, 9), "period": "2012-Q4"},
    ]
)


def test_a_total_is_shown_beside_its_trafficking_part_and_the_minor_offence_apart() -> None:
    table, absent = summary.make_figures_table("2013", summary.select_figures(STATISTICS, "2013"))
    out = io.StringIO()
    Console(file=out, width=120).print(table)
    text = out.getvalue()
    arrested = next(line for line in text.splitlines() if "Persons arrested" in line)
    assert arrested.split("arrested")[1].split() == ["1,187", "→", "1,182", "75", "→", "68", "44", "→", "44"]
    assert "of which trafficking" in text
    registered = next(line for line in text.splitlines() if "Cases registered" in line)
    assert "– → –*" in registered
    assert absent == ["police 2013-Q1", "inspectorate 2013-Q1"]


def test_the_latest_year_is_the_last_published() -> None:
    assert summary.find_latest_year(STATISTICS) == "2013"
    assert summary.find_latest_year(STATISTICS.iloc[:0]) is None


def test_a_year_of_which_little_is_known_yet_is_not_the_latest() -> None:
    broken = STATISTICS.assign(period="2014", harmonised=None)
    assert summary.find_latest_year(pd.concat([STATISTICS, broken])) == "2013"
    assert summary.find_latest_year(broken) == "2014"


def test_new_deliveries_are_named() -> None:
    landed = pd.DataFrame({"institution": ["police"] * 9, "delivery": [f"2013-Q{n}" for n in range(9)], "new": [n > 0 for n in range(9)]})
    line = summary.describe_deliveries(landed)
    assert line.startswith("9 landed, 8 new: police 2013-Q1, police 2013-Q2")
    assert line.endswith("and 2 more")
    assert summary.describe_deliveries(landed.assign(new=False)) == "9 landed, none new"


def test_quarters_that_are_not_complete_are_named_with_their_state() -> None:
    coverage = pd.DataFrame(
        {
            "institution": "courts",
            "period": ["2013", "2013-Q1", "2013-Q2", "2013-Q3"],
            "state": ["partial", "missing", "complete", "partial"],
        }
    )
    assert summary.list_incomplete_quarters(coverage) == "courts 2013-Q1 missing, courts 2013-Q3 partial"
    assert summary.list_incomplete_quarters(coverage.assign(state="complete")) == ""
    landed = pd.DataFrame({"institution": "courts", "delivery": ["2013-Q1_v2", "2013-Q2_v2", "2013-Q3"], "new": True})
    unread = landed[["institution", "delivery"]].assign(period=landed["delivery"].str[:7], state="unreadable")
    states = pd.concat([unread, pd.DataFrame([{"institution": "courts", "delivery": "2013-Q2", "period": "2013-Q2", "state": "complete"}])])
    assert summary.list_unreadable_corrections(landed, states) == "courts 2013-Q2_v2"
    assert summary.list_unreadable_corrections(landed.assign(new=False), states) == ""
    assert summary.list_unreadable_corrections(landed, unread) == ""


def test_what_is_no_delivery_is_named() -> None:
    found = build_findings(
        [
            {"file": "post", "rule": "inbox-unknown-institution"},
            {"institution": "police", "file": "first", "rule": "delivery-name-no-period"},
            {"institution": "police", "delivery": "2013-Q1", "file": "x", "rule": "delivery-file-name"},
        ]
    )
    lines = status.describe_inbox_findings(found)
    assert [line.rpartition("(")[2] for line in lines] == ["police/first)", "post)"]


def test_fixed_findings_are_no_findings_any_more() -> None:
    found = pd.DataFrame({"severity": ["error", "error", "info"], "state": ["new", "fixed", "remains"]})
    assert summary.count_findings(found) == {"reject": 0, "error": 1, "warning": 0, "info": 1}


def test_new_deliveries_unlike_the_own_past_are_named() -> None:
    landed = pd.DataFrame({"institution": "police", "delivery": ["2013-Q1", "2013-Q2", "2013-Q3"], "new": [False, True, True]})
    found = pd.DataFrame(
        {
            "institution": "police",
            "delivery": ["2013-Q1", "2013-Q3", "2013-Q3"],
            "rule": ["cross-volume-unusual", "cross-volume-unusual", "cross-codes-unusual"],
            "field": [None, None, "Roli"],
            "detail": ["rastet: 4 ≠ 40", "rastet: 3 ≠ 40", "personat: 2% ≠ 45%"],
            "state": "new",
        }
    )
    assert (
        summary.list_unusual_deliveries(landed, found)
        == "police 2013-Q3 (rastet: 3 records, usually 40, Roli in personat: one value 2%, usually 45%)"
    )
    assert summary.list_unusual_deliveries(landed, found.assign(state="fixed", detail=None)) == ""
