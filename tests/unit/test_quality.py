"""The scorecard: weighed by figures, against its own tolerance and past; not applicable is not passed; information never counts."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest
from count_world import World

from harmonia.scorecard.page import load_texts, render_pages
from pipelines.checks.quality import get_newest_quality_state
from schemas.findings import DIMENSIONS, LANGUAGES
from schemas.findings import complete_columns as findings_of
from sources.contract import institutions
from warehouse.count import CountInputs, open_database_of_counting_models

PERIODS = ["2013-Q1", "2013-Q2", "2013-Q3"]


def deliveries(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of institution, delivery, state."""
    frame = pd.DataFrame(list(rows), columns=["institution", "delivery", "state"])
    return frame.assign(period=frame["delivery"].str[:7], version=[int(n[9:] or 1) for n in frame["delivery"]])


def lineage(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of institution, delivery, record key."""
    frame = pd.DataFrame(list(rows), columns=["institution", "delivery", "record_key"])
    return frame.assign(entity="case", file="f", part=None, line=1, status="accepted").astype({"part": "str"})


def findings(*rows: tuple[str, str | None, str, str]) -> pd.DataFrame:
    """Rows of delivery, record key, rule, state, all of the police."""
    frame = pd.DataFrame(list(rows), columns=["delivery", "record_key", "rule", "state"])
    return findings_of(frame.assign(institution="police")).assign(state=frame["state"])


def quality(inputs: CountInputs) -> pd.DataFrame:
    with open_database_of_counting_models(inputs) as models:
        return models.read_frame("quality")


def scored(there: pd.DataFrame, held: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    return quality(replace(World().inputs(), deliveries=there, lineage=held, findings=found))


THERE = deliveries(*(("police", period, "complete") for period in PERIODS))
HELD = lineage(*(("police", period, f"2013-PR-0000{n}") for period in PERIODS for n in range(1, 5)))


def cell(table: pd.DataFrame, period: str, dimension: str, unit: str | None = None) -> pd.Series:
    own = table[(table["period"] == period) & (table["dimension"] == dimension) & (table["institution"] == "police")]
    own = own[own["unit"].isna()] if unit is None else own[own["unit"] == unit]
    assert len(own) == 1
    return own.iloc[0]


def test_a_record_at_fault_counts_once_however_many_findings_it_has() -> None:
    found = findings(*((PERIODS[0], "2013-PR-00001", rule, "new") for rule in ("cell-date-impossible", "cell-code-unknown")))
    row = cell(scored(THERE, HELD, found), PERIODS[0], "validity")
    assert (row["records"], row["faulty"], row["score"], row["state"]) == (4, 1, 7500, "beyond")


def test_one_finding_on_many_lines_speaks_of_the_record_of_each() -> None:
    held = HELD.assign(line=HELD["record_key"].str[-1].astype("int64"))
    found = findings((PERIODS[0], None, "cell-code-unknown", "new")).assign(file="f", detail="3: 1-2, 4")
    row = cell(scored(THERE, held, found), PERIODS[0], "validity")
    assert (row["records"], row["faulty"], row["score"], row["whole"]) == (4, 3, 2500, 0)


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("cell-empty", "new"),
        ("cell-reference-spelling", "new"),
        ("cell-date-impossible", "fixed"),
        ("cell-date-impossible", "accepted_as_is"),
    ],
)
def test_information_and_what_is_closed_never_count(rule: str, state: str) -> None:
    table = scored(THERE, HELD, findings((PERIODS[0], "2013-PR-00001", rule, state)))
    assert set(table["faulty"].dropna()) == {0}
    assert cell(table, PERIODS[0], "validity")["state"] == "within"


def test_not_delivered_and_not_judged_is_not_applicable() -> None:
    table = scored(THERE[THERE["period"] != PERIODS[1]], HELD, findings())
    other = scored(deliveries(("police", PERIODS[0], "complete"), ("courts", PERIODS[1], "complete")), HELD, findings())
    assert cell(table, PERIODS[0], "timeliness")["state"] == "not_applicable"
    missing = cell(other, PERIODS[1], "validity")
    assert (missing["state"], missing["records"]) == ("not_applicable", 0)
    assert pd.isna(missing["score"])


def test_a_whole_file_at_fault_is_beyond_whatever_its_records() -> None:
    row = cell(scored(THERE, HELD, findings((PERIODS[0], None, "file-truncated", "new"))), PERIODS[0], "completeness")
    assert (row["score"], row["whole"], row["state"]) == (10000, 1, "beyond")


def test_the_last_readable_version_of_a_quarter_is_judged() -> None:
    there = deliveries(("police", "2013-Q1", "complete"), ("police", "2013-Q1_v2", "complete"), ("police", "2013-Q1_v3", "unreadable"))
    held = lineage(("police", "2013-Q1", "a"), ("police", "2013-Q1_v2", "a"))
    found = findings(("2013-Q1", "a", "cell-date-impossible", "new"))
    assert cell(scored(there, held, found), "2013-Q1", "validity")["faulty"] == 0


def test_each_is_compared_with_its_own_past() -> None:
    found = findings((PERIODS[2], "2013-PR-00001", "cell-date-impossible", "new"))
    table = scored(THERE, HELD, found)
    assert pd.isna(cell(table, PERIODS[0], "validity")["trend"])
    assert cell(table, PERIODS[1], "validity")["trend"] == "same"
    last = cell(table, PERIODS[2], "validity")
    assert (last["before"], last["trend"]) == (10000, "worse")


def test_no_row_hangs_on_another_institution() -> None:
    alone = scored(THERE, HELD, findings((PERIODS[0], "2013-PR-00001", "cell-date-impossible", "new")))
    others = pd.concat([THERE, deliveries(*(("courts", period, "complete") for period in PERIODS))], ignore_index=True)
    held = pd.concat([HELD, lineage(("courts", PERIODS[0], "PKR.nr.1/2013"))], ignore_index=True)
    together = scored(others, held, findings((PERIODS[0], "2013-PR-00001", "cell-date-impossible", "new")))
    own = together[together["institution"] == "police"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone, check_dtype=False)


def test_units_stand_beside_the_whole() -> None:
    keys = [f"2013-PR-{n:05}" for n in range(1, 12)]
    names = ["A"] * 5 + ["B"] * 5 + ["a name that one record bears"]
    held = lineage(*(("police", period, key) for period in PERIODS for key in keys)).assign(unit=names * len(PERIODS))
    table = scored(THERE, held, findings((PERIODS[0], keys[0], "cell-date-impossible", "new")))
    assert cell(table, PERIODS[0], "validity", "A")["score"] == 8000
    assert cell(table, PERIODS[0], "validity", "B")["score"] == 10000
    assert set(table["unit"].dropna()) == {"A", "B", "other"}


def test_a_case_and_a_party_of_one_number_are_two_records() -> None:
    there = deliveries(("prosecution", "2013-Q1", "complete"))
    held = lineage(*(("prosecution", "2013-Q1", key) for key in ("7", "7", "8"))).assign(entity=["case", "person", "person"])
    held = held.assign(part=["lenda", "pala", "pala"]).astype({"part": "str"})
    found = findings(("2013-Q1", "7", "cell-date-impossible", "new")).assign(institution="prosecution")
    for part, faulty in {"akuza": 1, "pala": 1, "lenda": 1}.items():
        table = scored(there, held, found.assign(part=pd.Series([part], dtype="str")))
        row = table[(table["institution"] == "prosecution") & (table["dimension"] == "validity") & table["unit"].isna()].iloc[0]
        assert (row["records"], row["faulty"]) == (3, faulty)


def test_a_record_in_more_figures_weighs_more() -> None:
    world = World()
    world.case("police", "2013-PR-00001", "C1", reported="2013-01-10", sent="2013-02-01")
    world.case("police", "2013-PR-00002", "C2")
    inputs = world.inputs()
    held = lineage(("police", "2013-Q1", "2013-PR-00001"), ("police", "2013-Q1", "2013-PR-00002"))
    found = findings(("2013-Q1", "2013-PR-00001", "cell-date-impossible", "new"))
    inputs = replace(inputs, deliveries=deliveries(("police", "2013-Q1", "complete")), lineage=held, findings=found)
    row = cell(quality(inputs), "2013-Q1", "validity")
    assert row["weight_faulty"] > row["weight"] / 2
    assert row["score"] < 5000


def test_the_check_says_not_applicable_and_does_not_call_it_passed() -> None:
    table = scored(deliveries(("courts", PERIODS[0], "complete")), lineage(("courts", PERIODS[0], "x")), findings())
    assert get_newest_quality_state(table, "courts", "validity")[0] == "within"
    assert get_newest_quality_state(table, "police", "validity")[0] == "not_applicable"


@pytest.mark.parametrize("institution", institutions())
def test_the_page_names_one_institution_and_runs_nothing(institution: str) -> None:
    keys = [f"2013-PR-{n:05}" for n in range(1, 6)]  # so many that the name is taken for a unit's
    held = lineage(*(("police", period, key) for period in PERIODS for key in keys)).assign(unit="<script>alert(1)</script>")
    made = render_pages(scored(THERE, held, findings()), institution)
    assert len(made) == 3
    for page in made.values():
        assert "<script" not in page
        assert ("&lt;script" in page) == (institution == "police")
        assert "default-src 'none'" in page
    if institution != "police":
        assert not any("2013-Q3" in page for page in made.values()), "another's quarters"


def test_the_words_are_there_in_every_language() -> None:
    def keys(value: object) -> object:
        return {k: keys(v) for k, v in value.items()} if isinstance(value, dict) else len(value) if isinstance(value, list) else None

    assert set(load_texts()) == set(LANGUAGES)
    assert len({str(keys(words)) for words in load_texts().values()}) == 1
    assert all(set(words["dimensions"]) == set(DIMENSIONS) for words in load_texts().values())
    assert not any(re.search("[\u0400-\u04ff]", str(words)) for words in load_texts().values())
