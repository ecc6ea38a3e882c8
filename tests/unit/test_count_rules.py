"""The counting rules of docs/reference/counting-rules.md, one small case each, all counted in one go."""

from __future__ import annotations

import pandas as pd
import pytest
from count_world import World, figure

from warehouse.count import compute_published_tables
from warehouse.indicators import DIMENSIONS

Tables = dict[str, pd.DataFrame]


def registered_twice(w: World) -> None:
    w.case("police", "T1", "twice", reported="2013-01-05", sent="2013-01-20", group="other")
    w.case("police", "T2", "twice", reported="2013-01-09", group="trafficking", form="sexual")
    w.person("police", "T1/1", "pt", file="T1", arrested="2013-01-06").person("police", "T2/1", "pt", file="T2", arrested="2013-01-07")
    w.person("police", "T2/2", "victim", file="T2", role="victim").person("police", "T1/2", "victim", file="T1", role="victim")


def merged(w: World) -> None:
    w.case("police", "M1", "merged", reported="2012-12-30", period="2012-Q4", group="prostitution")
    w.case("police", "M2", "merged", reported="2013-01-02", group="prostitution", state="merged", merged_into="M1")


def both_institutions(w: World) -> None:
    w.case("police", "B1", "both", reported="2013-05-05", period="2013-Q2", group="other")
    w.case("inspectorate", "B2", "both", reported="2013-05-01", period="2013-Q2", group="other")
    w.person("police", "B1/1", "pb", file="B1", period="2013-Q2").person("inspectorate", "B2", "pb", file="B2", period="2013-Q2")


def prosecuted(w: World) -> None:
    w.case("prosecution", "10", "pros", received="2013-02-01", indicted="2013-03-10", source="police")
    w.person("prosecution", "11", "d1", file="10", charges=("other", "trafficking"), form="forced_labour")
    w.person("prosecution", "12", "d2", file="10", charges=("facilitating_prostitution",))
    w.person("prosecution", "13", "d3", file="10", charges=("other",), separated="2013-02-20")
    w.person("prosecution", "14", "v1", file="10", role="victim")
    w.person("prosecution", "15", "d4", file="10", charges=("other",), period="2013-Q2")  # came after the decision
    w.case("police", "K1", "pros", reported="2013-01-15", sent="2013-01-30", group="trafficking", form="sexual")


def dismissed(w: World) -> None:
    w.case("prosecution", "20", "gone", received="2013-01-10", dismissed=("2013-02-01", "2013-03-01"), state="dismissed")
    w.person("prosecution", "21", "g1", file="20", charges=("other",), dismissed="2013-02-15")
    w.case("prosecution", "30", "half", received="2013-01-10", state="indicted")
    w.person("prosecution", "31", "h1", file="30", charges=("other",), dismissed="2013-02-15")
    w.person("prosecution", "32", "h2", file="30", charges=("other",), indicted="2013-02-15")
    w.case("prosecution", "40", "other_file", received="2013-01-10", dismissed="2013-02-01", state="dismissed")
    w.case("prosecution", "41", "other_file", received="2013-01-12", indicted="2013-02-03", state="indicted")
    w.person("prosecution", "42", "o1", file="41", charges=("other",))


def judged(w: World) -> None:
    w.case("courts", "J1", "trial", received="2013-01-10")
    w.person("courts", "J1/1", "j1", file="J1", charges=("trafficking",), judged=("2013-02-01 convicted", "2013-03-05 acquitted"))
    w.person("courts", "J1/2", "j2", file="J1", charges=("other",), judged="2013-02-01 acquitted")
    w.person("courts", "J1/3", "j3", file="J1", charges=("other",), judged="2013-02-01 rejected")
    w.person("courts", "J1/4", "j4", file="J1", judged=("2013-01-15 convicted", "2013-03-25 acquitted"), final="2013-02-20 convicted")
    w.case("courts", "J2", "trial", received="2013-02-10")
    w.person("courts", "J2/1", "j2", file="J2", charges=("other",), judged="2013-03-20 convicted", final="2013-03-30 convicted")


def imprisoned(w: World) -> None:
    w.person("corrections", "P-1/a", "i1", file="P-1/a", register_id="P-1", imprisoned="2013-01-10", charges=("trafficking",))
    w.person("corrections", "P-1/b", "i1", file="P-1/b", register_id="P-1", imprisoned="2013-02-10", charges=("trafficking",))
    w.person("corrections", "P-1/c", "i1", file="P-1/c", register_id="P-1", detained="2013-01-01", charges=("slavery",))
    for key in ("P-1/a", "P-1/b", "P-1/c"):
        w.cases["corrections", key] = "prison"


def one_person_two_cases(w: World) -> None:
    w.case("police", "O1", "once1", reported="2013-07-01", period="2013-Q3", group="other")
    w.case("police", "O2", "once2", reported="2013-08-01", period="2013-Q3", group="trafficking")
    w.case("police", "O3", "once3", reported="2013-10-01", period="2013-Q4", group="other")
    for n, period in (("1", "2013-Q3"), ("2", "2013-Q3"), ("3", "2013-Q4")):
        w.person("police", f"O{n}/1", "again", file=f"O{n}", period=period)
        w.person("police", f"O{n}/2", "harmed", file=f"O{n}", period=period, role="victim")


def unread(w: World) -> None:
    w.case("police", "U1", "unread", reported=None, period="2013-Q2", group="other")
    w.person("police", "U2/1", "implied", file="U2", period="2013-Q2")  # its case line cannot be read
    w.cases["police", "U2"] = "lost_line"
    w.case("police", "U3", "future", reported="2023-04-02", period="2013-Q2", group=None, words_group="slavery")
    w.case("prosecution", "50", "unknown_article", received="2013-04-04", period="2013-Q2")
    w.person("prosecution", "51", "u5", file="50", period="2013-Q2", charges=())
    w.case("courts", "U5", "unknown_article", received="2013-05-04", period="2013-Q2")
    w.person("courts", "U5/1", "u5", file="U5", period="2013-Q2", charges=("withholding_identity_papers",))
    w.case("police", "U7", "unread_first", reported=None, period="2013-Q2", group="other")
    w.case("police", "U8", "unread_first", reported="2013-07-04", period="2013-Q3", group="other")
    w.case("police", "U9", "known_first", reported=None, period="2013-Q3", group="other")
    w.case("police", "U10", "known_first", reported="2013-08-20", period="2013-Q3", group="other")
    w.case("police", "U6", "withdrawn", reported="2013-04-04", period="2013-Q2", status="withdrawn", group="other")


def cancelled(w: World) -> None:
    w.case("police", "X1", "mistake", reported="2013-03-01", sent="2013-03-05", group="slavery", state="cancelled")
    w.person("police", "X1/1", "px", file="X1", arrested="2013-03-02", sex="female", born="1996-01-02")
    w.case("police", "X2", "again", reported="2013-03-04", group="other")
    w.person("police", "X2/1", "px", file="X2", arrested="2013-03-02")
    w.case("prosecution", "60", "mistake", received="2013-03-06", dismissed="2013-03-07", source="police", state="cancelled")
    w.person("prosecution", "61", "px", file="60", charges=("slavery",), indicted="2013-03-09")


def renumbered(w: World) -> None:
    w.case("courts", "R1", "closed_court", received="2013-01-10", number="P.nr.12/2012")
    w.case("courts", "R2", "closed_court", received="2013-03-10", number="P.nr.4/2013", former_number="P.nr.12/2012")
    for file in ("R1", "R2"):
        w.person("courts", f"{file}/1", "moved", file=file, charges=("other",))
    for file in ("70", "77"):  # of the old and the new system, not in the crosswalk
        w.case("prosecution", file, "new_system", received="2013-02-10", number="PP.I.nr.5/2013", seat="peje")


SCENES = (
    *(registered_twice, merged, both_institutions, prosecuted, dismissed, judged, imprisoned, one_person_two_cases, unread),
    *(cancelled, renumbered),
)


@pytest.fixture(scope="module")
def results() -> Tables:
    world = World()
    for scene in SCENES:
        scene(world)
    world.quarantined = [{"institution": "police", "delivery": "2013-Q2", "rows": 2}]
    return compute_published_tables(world.missing("inspectorate", "2013-Q4").missing("corrections", "2013-Q3").inputs())


def units(results: Tables, indicator: str, *cases: str) -> list[tuple[str, ...]]:
    """Units of some cases: person, day, offence group, form."""
    found = results["counted"]
    found = found[(found["indicator"] == indicator) & found["case_id"].isin(cases)].sort_values(["day", "person_id"])
    return [
        (str(p) if isinstance(p, str) else "", str(d)[:10], g, f)
        for p, d, g, f in found[["person_id", "day", "offence_group", "form"]].itertuples(index=False)
    ]


def why(results: Tables, indicator: str, key: str, period: str = "2013-Q1") -> list[tuple[str, int]]:
    records = results["bridge_records"]
    hit = records[(records["indicator"] == indicator) & (records["record_key"] == key) & (records["period"] == period)]
    return list(hit[["cause", "sign"]].itertuples(index=False, name=None))


def test_a_case_registered_twice_is_one_on_its_earliest_day_under_its_most_serious_offence(results: Tables) -> None:
    assert units(results, "cases_registered", "twice") == [("", "2013-01-05", "trafficking", "sexual")]
    assert why(results, "cases_registered", "T2") == [("registered_twice", -1)]
    assert units(results, "persons_arrested", "twice") == [("pt", "2013-01-06", "trafficking", "sexual")]
    assert why(results, "persons_arrested", "T2/1") == [("registered_twice", -1)]


def test_a_merged_case_counts_in_the_quarter_of_the_first(results: Tables) -> None:
    assert units(results, "cases_registered", "merged") == [("", "2012-12-30", "prostitution", "unknown")]
    assert why(results, "cases_registered", "M2") == [("merged", -1)]


def test_the_report_date_is_the_earliest_over_police_and_inspectorate(results: Tables) -> None:
    assert units(results, "suspects_registered", "both") == [("pb", "2013-05-01", "other", "unknown")]
    assert units(results, "cases_registered", "both") == [("", "2013-05-01", "other", "unknown")]
    assert ("other_institution", -1) in why(results, "cases_registered", "B1", "2013-Q2")


def test_a_decision_without_party_covers_the_defendants_then_in_the_file(results: Tables) -> None:
    assert [u[0] for u in units(results, "persons_indicted", "pros")] == ["d1", "d2"]
    assert [u[0] for u in units(results, "persons_reported", "pros")] == ["d1", "d2", "d3", "d4"]


def test_the_offence_is_the_most_serious_of_the_stage_and_the_form_follows_it(results: Tables) -> None:
    assert units(results, "persons_indicted", "pros") == [
        ("d1", "2013-03-10", "trafficking", "forced_labour"),
        ("d2", "2013-03-10", "facilitating_prostitution", "sexual"),
    ]
    assert units(results, "cases_received_prosecution", "pros") == [("", "2013-02-01", "trafficking", "forced_labour")]
    assert units(results, "cases_registered", "pros") == [
        ("", "2013-01-15", "trafficking", "forced_labour")
    ]  # the charges', not the police's


def test_dismissed_is_a_case_without_any_indictment_on_the_day_of_its_last_dismissal(results: Tables) -> None:
    assert units(results, "cases_dismissed", "gone", "half", "other_file") == [("", "2013-03-01", "other", "unknown")]
    assert why(results, "cases_dismissed", "40") == [("indicted_elsewhere", -1)]
    assert why(results, "cases_dismissed", "30") == []  # its own file was indicted: not even as reported


def test_the_latest_judgment_in_a_file_decides_and_a_conviction_outranks_an_acquittal(results: Tables) -> None:
    assert [u[:2] for u in units(results, "persons_acquitted", "trial")] == [
        ("j3", "2013-02-01"),
        ("j1", "2013-03-05"),
        ("j4", "2013-03-25"),
    ]
    assert [u[:2] for u in units(results, "persons_convicted", "trial")] == [("j2", "2013-03-20")]
    assert [u[:2] for u in units(results, "persons_convicted_final", "trial")] == [("j2", "2013-03-30")]
    assert why(results, "persons_acquitted", "J1/2") == [("convicted_elsewhere", -1)]


def test_the_first_admission_counts_and_a_stay_as_detainee_has_its_own_article(results: Tables) -> None:
    assert [u[:3] for u in units(results, "persons_admitted_sentence", "prison")] == [("i1", "2013-01-10", "trafficking")]
    assert [u[:3] for u in units(results, "persons_detained", "prison")] == [("i1", "2013-01-01", "slavery")]
    assert why(results, "persons_admitted_sentence", "P-1/b") == [("transferred", -1)]


def test_a_person_counts_once_for_a_period_under_the_most_serious_offence(results: Tables) -> None:
    found = results["counted"]
    found = found[(found["indicator"] == "suspects_registered") & (found["person_id"] == "again")].set_index("case_id")
    assert found.index[found["counts_in_quarter"]].tolist() == ["once2", "once3"]
    assert found.index[found["counts_in_year"]].tolist() == ["once2"]
    assert why(results, "suspects_registered", "O1/1", "2013-Q3") == [("same_person", -1)]


def test_a_victim_counts_once_ever_in_the_first_case(results: Tables) -> None:
    assert [u[:2] for u in units(results, "victims_identified", "once1", "once2", "once3")] == [("harmed", "2013-07-01")]
    assert why(results, "victims_identified", "O3/2", "2013-Q4") == [("counted_before", -1)]


def test_what_cannot_be_read_counts_harmonised_on_an_estimated_day(results: Tables) -> None:
    assert units(results, "cases_registered", "unread") == [("", "2013-05-16", "other", "unknown")]
    assert why(results, "cases_registered", "U1", "2013-Q2") == [("missing_date_found", 1)]
    assert units(results, "cases_registered", "lost_line")[0][1] == "2013-05-16"
    assert why(results, "cases_registered", "U2", "2013-Q2") == [("quarantined_record", 1)]
    assert units(results, "suspects_registered", "lost_line")[0][0] == "implied"
    assert units(results, "cases_registered", "future") == [("", "2013-04-02", "slavery", "slavery_servitude")]
    assert why(results, "cases_registered", "U3", "2013-Q2") == [("date_corrected", 1)]
    estimated = results["counted"].set_index("case_id").loc[["unread", "lost_line", "future"], "estimated"]
    assert estimated.all()


def test_an_estimated_day_goes_before_a_known_one_only_in_an_earlier_quarter(results: Tables) -> None:
    assert units(results, "cases_registered", "unread_first")[0][1] == "2013-05-16"
    assert units(results, "cases_registered", "known_first")[0][1] == "2013-08-20"


def test_an_offence_that_is_not_stated_is_that_of_the_other_stage(results: Tables) -> None:
    assert units(results, "persons_reported", "unknown_article")[0][2] == "withholding_identity_papers"
    assert figure(results["statistics"], "persons_reported", "2013-Q2", offence_group="other") == (1, 0)  # as reported: other


def test_what_was_withdrawn_does_not_count(results: Tables) -> None:
    assert units(results, "cases_registered", "withdrawn") == []


def test_a_missing_delivery_is_flagged_and_a_period_without_any_is_null(results: Tables) -> None:
    statistics = results["statistics"]
    grand = (statistics[list(DIMENSIONS)] == "total").all(axis=1)
    flagged = statistics[grand].set_index(["indicator", "period"])
    assert flagged.loc[("cases_registered", "2013-Q4"), "missing"] == "inspectorate 2013-Q4 missing"
    assert flagged.loc[("cases_registered", "2013"), "incomplete"]
    assert not flagged.loc[("persons_arrested", "2013-Q4"), "incomplete"]
    assert flagged.loc[("persons_detained", "2013-Q3"), "harmonised"] is pd.NA  # corrections delivered nothing: null, not 0
    assert flagged.loc[("persons_detained", "2013"), "harmonised"] == 1


def test_quarantined_rows_count_in_grand_totals_only(results: Tables) -> None:
    statistics = results["statistics"]
    rows = statistics[(statistics["indicator"] == "persons_arrested") & (statistics["period"] == "2013-Q2")]
    grand = (rows[list(DIMENSIONS)] == "total").all(axis=1)
    assert rows.loc[grand, "quarantined"].tolist() == [2]
    assert rows.loc[~grand, "quarantined"].isna().all()


def test_every_declared_value_has_a_row_zeros_too(results: Tables) -> None:
    statistics = results["statistics"]
    rows = statistics[(statistics["indicator"] == "victims_identified") & (statistics["period"] == "2012-Q4")]
    assert len(rows) == 1 + 6 + 7 + 3 + 3 + 3
    assert (rows["harmonised"] == 0).all()


def test_no_key_occurs_outside_the_columns_for_keys(results: Tables) -> None:
    for name in ("statistics", "bridge", "coverage", "reconciliation", "counted"):
        text = results[name].select_dtypes("str")
        assert not text.isin(["T1", "T1/1", "P-1/a", "10"]).any().any(), name


def test_a_cancelled_record_counts_in_nothing_and_has_no_cause(results: Tables) -> None:
    for indicator in results["counted"]["indicator"].unique():
        assert units(results, indicator, "mistake") == []
    assert not results["bridge_records"]["record_key"].isin(["X1", "X1/1", "60", "61"]).any()
    assert not results["reconciliation"]["case_id"].eq("mistake").any()
    assert not results["fact_event"]["case_id"].eq("mistake").any()


def test_a_cancelled_record_is_evidence_of_a_person(results: Tables) -> None:
    found = results["counted"]
    arrested = found[(found["indicator"] == "persons_arrested") & (found["case_id"] == "again")]
    assert arrested[["person_id", "sex", "age_group"]].values.tolist() == [["px", "female", "child"]]


def test_a_file_under_a_new_number_counts_twice_as_reported_and_once_harmonised(results: Tables) -> None:
    assert units(results, "cases_received_court", "closed_court") == [("", "2013-01-10", "other", "unknown")]
    assert why(results, "cases_received_court", "R2") == [("renumbered", -1)]
    assert why(results, "cases_received_prosecution", "77") == [("renumbered", -1)]
