"""Record status: `counting-rules.md`, sentence by sentence, on small made-up tables of one institution (the police's cases)."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from harmonia.errors import HarmoniaError
from pipelines import record_status as current
from pipelines.record_status import RecordStatuses
from pipelines.validation import validate
from sources.readers.result import ReadResult

COLUMNS = [
    "Nr_rastit",
    "Data_raportimit",
    "Data_e_vepres",
    "Data_dergimit_PSH",
    "Stacioni",
    "Komuna",
    "Vepra_penale",
    "Neni",
    "Forma_shfrytezimit",
    "Statusi",
    "Nr_PP",
]


def key(n: int) -> str:
    return f"2013-PR-{n:05d}"


def delivery(name: str, keys: list[int], state: str = "complete", broken: list[int] | None = None, words: str = "I mbyllur"):
    """A police delivery that holds these case numbers, and quarantined rows whose keys can be read."""
    rows = pd.DataFrame(
        [{"Nr_rastit": key(n), "Data_raportimit": "02.01.2013", "Statusi": words} for n in keys], columns=COLUMNS, dtype="str"
    )
    rows = rows.assign(_file="rastet.csv", _part=None, _line=range(2, len(keys) + 2), _row=range(len(keys)), _parent=None)
    aside = pd.DataFrame(
        [
            {"file": "rastet.csv", "line": 90 + i, "table": "rastet", "record_key": key(n), "rule": "row-cut", "raw": b"x"}
            for i, n in enumerate(broken or [])
        ],
        columns=["file", "part", "line", "table", "record_key", "rule", "raw"],
    )
    counted = {"rastet.csv": len(rows) + len(aside)}
    result = ReadResult(tables={"rastet": rows}, unreadable=aside, files={"rastet.csv": state}, rows=counted)
    return name, result


def resolve(*deliveries) -> RecordStatuses:
    return current.resolve_record_statuses(validate("police", dict(deliveries)))


def statuses(*deliveries) -> dict[tuple[str, int], str]:
    """(delivery, case number) -> status, from the lineage."""
    lineage = resolve(*deliveries).lineage
    return {(r.delivery, int(r.record_key[-5:])): r.status for r in lineage.itertuples()}


def test_the_latest_state_is_accepted_whatever_the_order_of_arrival():
    q1, q2 = delivery("2013-Q1", [1, 2]), delivery("2013-Q2", [2])
    expected = {("2013-Q1", 1): "accepted", ("2013-Q1", 2): "superseded", ("2013-Q2", 2): "accepted"}
    assert statuses(q1, q2) == expected
    assert statuses(q2, q1) == expected


def test_a_correction_replaces_its_quarter_whole():
    found = statuses(delivery("2013-Q1", [1, 2]), delivery("2013-Q1_v2", [2]))
    assert found == {("2013-Q1", 1): "withdrawn", ("2013-Q1", 2): "superseded", ("2013-Q1_v2", 2): "accepted"}


def test_a_withdrawn_state_gives_way_to_that_of_an_earlier_quarter():
    found = statuses(delivery("2013-Q1", [1]), delivery("2013-Q2", [1]), delivery("2013-Q2_v2", [5]))
    assert found[("2013-Q1", 1)] == "accepted"
    assert found[("2013-Q2", 1)] == "withdrawn"


def test_of_several_replaced_versions_the_last_is_withdrawn():
    found = statuses(delivery("2013-Q1", [1]), delivery("2013-Q1_v2", [1]), delivery("2013-Q1_v3", [2]))
    assert found[("2013-Q1", 1)] == "superseded"
    assert found[("2013-Q1_v2", 1)] == "withdrawn"


def test_a_correction_with_the_same_bytes_is_a_delivery_like_any_other():
    found = statuses(delivery("2013-Q1", [1]), delivery("2013-Q1_v2", [1]))
    assert found == {("2013-Q1", 1): "superseded", ("2013-Q1_v2", 1): "accepted"}


def test_an_unreadable_correction_replaces_nothing():
    found = statuses(delivery("2013-Q1", [1]), delivery("2013-Q1_v2", [], state="unreadable"))
    assert found == {("2013-Q1", 1): "accepted"}


def test_a_correction_read_in_part_supersedes_what_it_holds_and_withdraws_nothing():
    found = statuses(delivery("2013-Q1", [1, 2]), delivery("2013-Q1_v2", [2], state="partial"))
    assert found == {("2013-Q1", 1): "accepted", ("2013-Q1", 2): "superseded", ("2013-Q1_v2", 2): "accepted"}


def test_a_quarantined_row_supersedes_and_withdraws_nothing():
    found = statuses(delivery("2013-Q1", [1]), delivery("2013-Q1_v2", [2], broken=[1]))
    assert found[("2013-Q1", 1)] == "accepted"
    assert found[("2013-Q1_v2", 1)] == "quarantined"


def test_identical_rows_keep_the_first_different_rows_the_last():
    same = resolve(delivery("2013-Q1", [1, 1]))
    assert same.lineage["status"].tolist() == ["accepted", "superseded"]
    assert set(same.findings["rule"]) >= {"cross-duplicate-identical"}
    name, result = delivery("2013-Q1", [1, 1])
    result.tables["rastet"]["Stacioni"] = ["a", "b"]
    other = resolve((name, result))
    assert other.lineage["status"].tolist() == ["superseded", "accepted"]
    assert set(other.findings["rule"]) >= {"cross-duplicate-different"}


def test_rows_that_do_not_add_up_stop_the_run_and_name_the_file():
    broken = validate("police", dict([delivery("2013-Q1", [1, 2])]))
    broken.files["read"] = 3
    with pytest.raises(HarmoniaError, match=r"2013-Q1 rastet\.csv"):
        current.resolve_record_statuses(broken)


names = st.sampled_from(["2013-Q1", "2013-Q1_v2", "2013-Q1_v3", "2013-Q2", "2013-Q2_v2", "2013-Q3"])
contents = st.tuples(
    st.lists(st.integers(1, 4), max_size=5), st.sampled_from(["complete", "partial"]), st.lists(st.integers(1, 4), max_size=2)
)


@settings(max_examples=examples(25))
@given(st.dictionaries(names, contents, max_size=6))
def test_every_row_has_one_status_and_a_record_is_accepted_at_most_once(made):
    deliveries = [delivery(name, keys, state, broken) for name, (keys, state, broken) in made.items()]
    effective_verdicts = resolve(*deliveries)
    assert effective_verdicts.accounting["read"].sum() == sum(len(k) + len(b) for k, _, b in made.values())
    accepted = effective_verdicts.lineage[effective_verdicts.lineage["status"] == "accepted"]
    assert not accepted["record_key"].duplicated().any()


PERSON = [
    "Nr_rastit",
    "Nr_rendor",
    "Roli",
    "Mbiemri",
    "Emri",
    "Emri_prindit",
    "Nr_personal",
    "Data_lindjes",
    "Vendlindja",
    "Komuna_banimit",
]
PERSON += ["Gjinia", "Shtetesia", "Data_arrestimit"]


def listing(name: str, places: dict[int, list[int]], state: str = "complete", broken: list[str] | None = None):
    """A police delivery with these places in the lists of these cases, and quarantined rows with these keys."""
    rows = [{"Nr_rastit": key(n), "Nr_rendor": str(place), "Roli": "I dyshuar"} for n, held in places.items() for place in held]
    frame = pd.DataFrame(rows, columns=PERSON, dtype="str")
    frame = frame.assign(_file="personat.csv", _part=None, _line=range(2, len(rows) + 2), _row=range(len(rows)), _parent=None)
    aside = pd.DataFrame(
        [
            {"file": "personat.csv", "line": 90, "table": "personat", "record_key": one, "rule": "row-cut", "raw": b"x"}
            for one in broken or []
        ],
        columns=["file", "part", "line", "table", "record_key", "rule", "raw"],
    )
    counted = {"personat.csv": len(rows) + len(aside)}
    return name, ReadResult(tables={"personat": frame}, unreadable=aside, files={"personat.csv": state}, rows=counted)


def places_of(*deliveries) -> dict[tuple[str, str], str]:
    lineage = resolve(*deliveries).lineage
    return {(r.delivery, r.record_key.removeprefix("2013-PR-")): r.status for r in lineage.itertuples()}


@pytest.mark.parametrize(
    ("later", "third"),
    [
        (listing("2013-Q2", {1: [1, 2]}), "superseded"),  # the latest list is the case's list
        (listing("2013-Q2", {2: [1]}), "accepted"),  # the case did not come again
        (listing("2013-Q2", {1: [1, 2]}, state="partial"), "accepted"),  # a file read in part supersedes nothing by absence
        (listing("2013-Q2", {1: [1, 2]}, broken=["2013-PR-00001/3"]), "accepted"),  # the place is there
    ],
)
def test_a_place_that_a_later_list_lacks_is_superseded(later, third: str) -> None:
    found = places_of(listing("2013-Q1", {1: [1, 2, 3]}), later)
    assert found["2013-Q1", "00001/3"] == third
    if ("2013-Q2", "00001/2") in found:
        assert (found["2013-Q1", "00001/2"], found["2013-Q2", "00001/2"]) == ("superseded", "accepted")


def test_the_list_of_a_correction_counts_and_not_the_one_that_it_replaces() -> None:
    first, wrong = listing("2013-Q1", {1: [1, 2, 3]}), listing("2013-Q2", {1: [1]})
    found = places_of(first, wrong, listing("2013-Q2_v2", {1: [1, 2]}))
    assert (found["2013-Q1", "00001/2"], found["2013-Q1", "00001/3"]) == ("superseded", "superseded")
    assert places_of(first, wrong, listing("2013-Q2_v2", {2: [1]}))["2013-Q1", "00001/3"] == "accepted"


def test_a_place_left_out_is_a_finding_of_the_delivery_with_the_list() -> None:
    found = resolve(listing("2013-Q1", {1: [1, 2, 3]}), listing("2013-Q3", {1: [1, 2]})).findings
    gone = found[found["rule"] == "cross-place-left-out"]
    assert gone[["delivery", "record_key", "field"]].to_numpy().tolist() == [["2013-Q3", "2013-PR-00001/3", "Nr_rendor"]]


def test_one_unknown_code_in_very_many_rows_is_one_finding_and_its_rows_are_set_aside() -> None:
    found = resolve(delivery("2013-Q1", list(range(1, 1002)), words="Pezulluar"))
    actual = found.findings[found.findings["rule"] == "cell-code-unknown"]
    assert actual[["value", "detail", "follows"]].to_numpy().tolist() == [["Pezulluar", "1001: 2-1002", "file-codes-unknown"]]
    assert found.lineage["status"].tolist() == ["quarantined"] * 1001
