"""What became of a finding from one delivery to the next."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from harmonia.feedback.finding_states import COLUMNS_WITH_STATE, determine_finding_states
from schemas import findings


def finding(delivery: str, key: str | None, rule: str = "cell-date-impossible", line: int | None = 5, **more: object) -> dict[str, object]:
    base = {"institution": "police", "delivery": delivery, "file": "rastet.csv", "line": line, "record_key": key}
    return {**base, "field": "Data_raportimit", "rule": rule, "value": "31.02.2012", **more}


def deliveries(*names: str, **state: str) -> pd.DataFrame:
    return pd.DataFrame({"institution": "police", "delivery": names, "state": [state.get(n.replace("-", "_"), "complete") for n in names]})


def records(**keys: list[str]) -> pd.DataFrame:
    rows = [
        {"institution": "police", "delivery": d.replace("_Q", "-Q"), "part": None, "record_key": k, "status": "accepted"}
        for d, found in keys.items()
        for k in found
    ]
    return pd.DataFrame(rows, columns=["institution", "delivery", "part", "record_key", "status"])


def states(found: pd.DataFrame, delivery: str) -> list[tuple[object, str]]:
    of_it = found[found["delivery"] == delivery]
    return sorted(zip(of_it["record_key"].fillna("-"), of_it["state"], strict=True))


def test_the_first_delivery_has_only_new_findings() -> None:
    found = determine_finding_states(findings.build_findings([finding("2012-Q1", "a"), finding("2012-Q1", "b")]), deliveries("2012-Q1"))
    assert states(found, "2012-Q1") == [("a", "new"), ("b", "new")]


def test_a_finding_remains_on_another_line_and_with_another_value() -> None:
    rows = [finding("2012-Q1", "a", line=5), finding("2012-Q2", "a", line=99, value="30.02.2012")]
    assert states(determine_finding_states(findings.build_findings(rows), deliveries("2012-Q1", "2012-Q2")), "2012-Q2") == [
        ("a", "remains")
    ]


def test_a_finding_that_was_gone_when_the_record_came_again_is_reopened() -> None:
    rows = [finding("2012-Q1", "a"), finding("2012-Q3", "a")]
    found = determine_finding_states(
        findings.build_findings(rows), deliveries("2012-Q1", "2012-Q2", "2012-Q3"), records(**{"2012_Q2": ["a"]})
    )
    assert states(found, "2012-Q2") == [("a", "fixed")]
    assert states(found, "2012-Q3") == [("a", "reopened")]


def test_a_record_that_did_not_come_in_between_leaves_its_finding_as_it_was() -> None:
    rows = [finding("2012-Q1", "a"), finding("2012-Q3", "a")]
    found = determine_finding_states(
        findings.build_findings(rows), deliveries("2012-Q1", "2012-Q2", "2012-Q3"), records(**{"2012_Q2": ["b"]})
    )
    assert states(found, "2012-Q3") == [("a", "remains")]
    assert found["since"].tolist() == ["2012-Q1", "2012-Q1"]


def test_a_record_that_comes_again_later_without_its_fault_is_fixed_then() -> None:
    held = records(**{"2012_Q3": ["a"], "2012_Q4": ["a"]})
    found = determine_finding_states(
        findings.build_findings([finding("2012-Q1", "a")]), deliveries("2012-Q1", "2012-Q2", "2012-Q3", "2012-Q4"), held
    )
    assert found.loc[found["state"] == "fixed", ["delivery", "since"]].to_numpy().tolist() == [["2012-Q3", "2012-Q1"]]


def test_a_finding_on_a_whole_file_that_comes_first_later_is_new() -> None:
    found = determine_finding_states(
        findings.build_findings([finding("2012-Q2", None, "cross-column-blank", None)]), deliveries("2012-Q1", "2012-Q2")
    )
    assert found["state"].tolist() == ["new"]


def test_a_finding_keeps_its_name_over_deliveries_and_files() -> None:
    rows = [finding("2012-Q1", "a"), finding("2012-Q1_v2", "a", file="rastet (1).csv", line=9, value="x"), finding("2012-Q1", "b")]
    found = determine_finding_states(findings.build_findings(rows), deliveries("2012-Q1", "2012-Q1_v2"))
    first, second, other, _ = found["finding"]
    assert first == second != other
    assert len(first) == 16


@settings(max_examples=examples(20), deadline=None)
@given(st.permutations(range(6)))
def test_states_do_not_depend_on_the_order_in_which_anything_came(order: list[int]) -> None:
    rows = [finding(d, k) for d, k in (("2012-Q1", "a"), ("2012-Q1", "b"), ("2012-Q1_v2", "a"), ("2012-Q3", "b"), ("2012-Q3", "c"))]
    came = ["2012-Q1", "2012-Q1_v2", "2012-Q2", "2012-Q3"]
    held = records(**{"2012_Q2": ["b"], "2012_Q3": ["b", "c"]})

    def states_of(found: pd.DataFrame) -> list[list[str]]:
        return sorted(found[["delivery", "record_key", "state", "finding", "since"]].to_numpy().tolist())

    mixed = determine_finding_states(
        findings.build_findings([rows[n] for n in order if n < len(rows)]), deliveries(*(came[n] for n in order if n < len(came))), held
    )
    assert states_of(mixed) == states_of(determine_finding_states(findings.build_findings(rows), deliveries(*came), held))


def test_resubmission_with_some_corrected_and_some_new_tells_each_rightly() -> None:
    first = [finding("2012-Q1", f"k{n:03}") for n in range(100)]
    second = [finding("2012-Q1_v2", f"k{n:03}") for n in range(60, 105)]
    found = determine_finding_states(findings.build_findings(first + second), deliveries("2012-Q1", "2012-Q1_v2"))
    counted = found[found["delivery"] == "2012-Q1_v2"]["state"].value_counts().to_dict()
    assert counted == {"fixed": 60, "remains": 40, "new": 5}


def test_in_the_next_quarter_only_a_record_that_came_again_can_be_fixed() -> None:
    rows = [finding("2012-Q1", "again"), finding("2012-Q1", "unchanged")]
    found = determine_finding_states(findings.build_findings(rows), deliveries("2012-Q1", "2012-Q2"), records(**{"2012_Q2": ["again"]}))
    assert states(found, "2012-Q2") == [("again", "fixed")]
    assert found.loc[found["state"] == "fixed", "line"].isna().all()


def test_a_record_that_came_again_but_was_set_aside_is_not_fixed() -> None:
    held = records(**{"2012_Q2": ["again"]}).assign(status="quarantined")
    found = determine_finding_states(findings.build_findings([finding("2012-Q1", "again")]), deliveries("2012-Q1", "2012-Q2"), held)
    assert states(found, "2012-Q2") == []


def test_a_charge_is_looked_up_by_its_party() -> None:
    rows = [finding("2012-Q1", "12", part="akuza", rule="cell-article-unknown"), finding("2012-Q1", "7", part="lenda")]
    rows = [{**row, "institution": "prosecution"} for row in rows]
    came = deliveries("2012-Q1", "2012-Q2").assign(institution="prosecution")
    held = records(**{"2012_Q2": ["12", "7", "8"]}).assign(institution="prosecution", part=["pala", "pala", "lenda"])
    found = determine_finding_states(findings.build_findings(rows), came, held)
    assert states(found, "2012-Q2") == [("12", "fixed")], "case 7 did not come again; party 7 did"
    held.loc[held["part"] == "pala", "record_key"] = "11"
    held.loc[held["part"] == "lenda", "record_key"] = "12"
    found = determine_finding_states(findings.build_findings(rows), came, held)
    assert states(found, "2012-Q2") == [], "party 12 did not come again; case 12 did"


def test_a_correction_that_cannot_be_read_fixes_nothing() -> None:
    found = determine_finding_states(
        findings.build_findings([finding("2012-Q1", "a")]), deliveries("2012-Q1", "2012-Q1_v2", **{"2012_Q1_v2": "unreadable"})
    )
    assert states(found, "2012-Q1_v2") == []


def test_a_correction_read_in_part_fixes_only_what_it_holds() -> None:
    names = deliveries("2012-Q1", "2012-Q1_v2", **{"2012_Q1_v2": "partial"})
    found = determine_finding_states(
        findings.build_findings([finding("2012-Q1", "a"), finding("2012-Q1", "b")]), names, records(**{"2012_Q1_v2": ["b"]})
    )
    assert states(found, "2012-Q1_v2") == [("b", "fixed")]


def test_order_is_that_of_quarter_and_version_never_of_arrival_or_text() -> None:
    rows = [finding("2012-Q1_v10", "a"), finding("2012-Q2", "a"), finding("2012-Q1_v9", "b")]
    found = determine_finding_states(findings.build_findings(rows), deliveries("2012-Q2", "2012-Q1_v10", "2012-Q1_v9"))
    assert states(found, "2012-Q2") == [("a", "remains")]
    assert states(found, "2012-Q1_v10") == [("a", "new"), ("b", "fixed")]


def test_findings_on_a_whole_file_are_the_same_whatever_their_text() -> None:
    rows = [
        finding("2012-Q1", None, "cross-column-blank", None, value="1"),
        finding("2012-Q2", None, "cross-column-blank", None, value="2"),
    ]
    found = determine_finding_states(findings.build_findings(rows), deliveries("2012-Q1", "2012-Q2", "2012-Q3"))
    assert states(found, "2012-Q2") == [("-", "remains")]
    assert states(found, "2012-Q3") == [("-", "fixed")]


def test_unreadable_lines_are_reported_apart_by_their_text() -> None:
    rows = [
        finding("2012-Q1", None, "cell-key-unreadable", 3, value="x;1"),
        finding("2012-Q1", None, "cell-key-unreadable", 4, value="y;2"),
        finding("2012-Q1_v2", None, "cell-key-unreadable", 9, value="y;2"),
    ]
    found = determine_finding_states(findings.build_findings(rows), deliveries("2012-Q1", "2012-Q1_v2"))
    of_it = found[found["delivery"] == "2012-Q1_v2"]
    assert dict(zip(of_it["value"], of_it["state"], strict=True)) == {"y;2": "remains", "x;1": "fixed"}


def test_of_two_equal_findings_one_can_be_fixed() -> None:
    rows = [finding("2012-Q1", "a", line=1), finding("2012-Q1", "a", line=2), finding("2012-Q1_v2", "a", line=1)]
    assert states(determine_finding_states(findings.build_findings(rows), deliveries("2012-Q1", "2012-Q1_v2")), "2012-Q1_v2") == [
        ("a", "fixed"),
        ("a", "remains"),
    ]


def test_what_the_form_permits_is_never_reported_as_fixed() -> None:
    found = determine_finding_states(
        findings.build_findings([finding("2012-Q1", "a", "cell-reference-spelling")]), deliveries("2012-Q1", "2012-Q1_v2")
    )
    assert states(found, "2012-Q1_v2") == []


def test_institutions_do_not_touch_each_other() -> None:
    rows = [finding("2012-Q1", "a"), finding("2012-Q2", "a", institution="courts")]
    came = pd.DataFrame({"institution": ["police", "courts"], "delivery": ["2012-Q1", "2012-Q2"]})
    assert determine_finding_states(findings.build_findings(rows), came)["state"].tolist() == ["new", "new"]


def test_a_finding_in_a_folder_that_is_no_delivery_is_new() -> None:
    rows = [finding("2012-Q9", None, line=None), finding("2012-Q1", "a")]
    assert set(determine_finding_states(findings.build_findings(rows), deliveries("2012-Q9", "2012-Q1"))["state"]) == {"new"}


def test_no_findings_at_all() -> None:
    found = determine_finding_states(findings.build_findings(), deliveries())
    assert tuple(found.columns) == COLUMNS_WITH_STATE
    assert found.empty


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["2012-Q1", "2012-Q1_v2", "2012-Q2"]), st.sampled_from("abc"), st.integers(1, 5)), max_size=12))
def test_no_finding_is_lost_and_what_is_fixed_was_in_the_preceding_delivery(items: list[tuple[str, str, int]]) -> None:
    rows = findings.build_findings([finding(d, k, line=n) for d, k, n in items])
    held = records(**{"2012_Q1_v2": ["a", "b"], "2012_Q2": ["a", "c"]})
    found = determine_finding_states(rows, deliveries("2012-Q1", "2012-Q1_v2", "2012-Q2"), held)
    still = found[found["state"] != "fixed"].reset_index(drop=True)
    pd.testing.assert_frame_equal(still[list(findings.COLUMNS)], rows.astype(still.dtypes[list(findings.COLUMNS)]))
    for before, after in (("2012-Q1", "2012-Q1_v2"), ("2012-Q1_v2", "2012-Q2")):
        of_it = found[found["delivery"] == after]
        carried = of_it["state"].isin(["remains", "fixed"]).sum()
        held_before = (still["delivery"] == before).sum()
        assert carried <= held_before
        if after == "2012-Q1_v2":
            assert carried == held_before, "a complete correction says of every finding what became of it"
