"""Rows are judged together: keys, parents, charges, order of dates, columns over time. Nothing is dropped but what has no key."""

from __future__ import annotations

import pandas as pd
import pytest
from judging_world import judged, read, rules, standing

from pipelines import record_status as current
from pipelines.validation import validate

CASE = {
    "lenda_id": "7",
    "nr_lendes": "PP.I.nr.7/2013",
    "data_pranimit": "2013-05-02",
    "burimi": "PK",
    "prokuroria": "Prizren",
    "statusi": "HET",
}
PARTY = {"pala_id": "70", "lenda_id": "7", "roli": "D", "emri_mbiemri": "Arben Gashi"}
CHARGE = {"akuza_id": "700", "pala_id": "70", "ligji": "KPRK2012", "neni": "171", "kryesore": "1"}


def test_a_row_is_set_aside_only_where_its_key_cannot_be_read():
    found = judged("prosecution", {"2013-Q2": {"lenda": [CASE, {**CASE, "lenda_id": "??"}, {**CASE, "lenda_id": None}], "pala": [PARTY]}})
    assert found.tables["lenda"]["_key"].tolist() == ["7"]
    assert found.quarantined["table"].tolist() == ["lenda", "lenda"]
    assert rules(found)["cell-key-unreadable"] == {None}


def test_a_bad_value_costs_the_value_not_the_row():
    found = judged("prosecution", {"2013-Q2": {"lenda": [{**CASE, "data_pranimit": "2013-02-31", "statusi": "XYZ"}], "pala": [PARTY]}})
    row = found.tables["lenda"].iloc[0]
    assert row["_key"] == "7"
    assert pd.isna(row["data_pranimit"])
    assert pd.isna(row["statusi"])
    assert {"cell-date-impossible", "cell-code-unknown"} <= set(rules(found))


def test_a_row_without_its_parent_is_kept_and_takes_its_case_from_its_key():
    found = standing("police", {"2013-Q2": {"personat": [{"Nr_rastit": "2013-PR-00001", "Nr_rendor": "1", "Roli": "I dyshuar"}]}})
    person = found.tables["personat"].iloc[0]
    assert person["_status"] == "accepted"
    assert person["_case"] == "2013-PR-00001"
    finding = found.findings[found.findings["rule"] == "cross-parent-missing"].iloc[0]
    assert finding["origin"] == "consequence"


def test_a_charge_without_a_party_is_kept():
    found = standing("prosecution", {"2013-Q2": {"lenda": [CASE], "akuza": [CHARGE]}})
    assert found.tables["akuza"]["_status"].tolist() == ["accepted"]
    assert rules(found)["cross-parent-missing"] == {"70"}


def test_charges_come_and_go_with_their_party():
    later = {"lenda": [{**CASE, "statusi": "AKT"}], "pala": [PARTY], "akuza": [{**CHARGE, "akuza_id": "701", "neni": "241"}]}
    found = standing("prosecution", {"2013-Q2": {"lenda": [CASE], "pala": [PARTY], "akuza": [CHARGE]}, "2013-Q3": later})
    fate = dict(zip(found.tables["akuza"]["akuza_id"].astype(str), found.tables["akuza"]["_status"], strict=True))
    assert fate == {"700": "superseded", "701": "accepted"}


def test_the_principal_charge_should_be_the_most_serious():
    lesser = {**CHARGE, "akuza_id": "701", "neni": "241", "kryesore": "1"}
    found = judged("prosecution", {"2013-Q2": {"lenda": [CASE], "pala": [PARTY], "akuza": [{**CHARGE, "kryesore": "0"}, lesser]}})
    assert rules(found)["cross-principal-not-most-serious"] == {"70"}


def test_days_out_of_order_are_reported_to_the_later_one():
    row = {"Nr_rastit": "2013-PR-00001", "Data_e_vepres": "05.05.2013", "Data_raportimit": "01.05.2013", "Statusi": "Dërguar në prokurori"}
    found = judged("police", {"2013-Q2": {"rastet": [row]}})
    at = found.findings.set_index("rule")["field"]
    assert at["cross-date-order"] == "Data_raportimit"
    assert at["cross-status-without-date"] == "Data_dergimit_PSH"


def test_a_day_after_the_quarter_is_said_and_kept():
    row = {"Nr_rastit": "2013-PR-00001", "Data_raportimit": "01.05.2023", "Statusi": "I mbyllur"}
    found = judged("police", {"2013-Q2": {"rastet": [row]}})
    assert rules(found)["cell-date-future"] == {"2013-PR-00001"}
    assert found.tables["rastet"]["Data_raportimit"].dt.year.tolist() == [2023]


def test_a_column_that_went_blank_is_one_finding():
    def people(number: str | None) -> list[dict[str, str | None]]:
        return [
            {"Nr_rastit": "2013-PR-00001", "Nr_rendor": str(n), "Roli": "I dyshuar", "Mbiemri": "a", "Emri": "b", "Nr_personal": number}
            for n in range(1, 9)
        ]

    found = standing("police", {"2013-Q1": {"personat": people("1234567892")}, "2013-Q2": {"personat": people(None)}})
    blank = found.findings[found.findings["rule"] == "cross-column-blank"]
    assert blank[["delivery", "field"]].values.tolist() == [["2013-Q2", "Nr_personal"]]


def test_what_a_correction_left_out_is_reported_to_the_correction():
    found = standing("prosecution", {"2013-Q2": {"lenda": [CASE, {**CASE, "lenda_id": "8"}]}, "2013-Q2_v2": {"lenda": [CASE]}})
    gone = found.findings[found.findings["rule"] == "cross-withdrawn"]
    assert gone[["delivery", "record_key"]].values.tolist() == [["2013-Q2_v2", "8"]]


@pytest.mark.parametrize(("kept", "told"), [(20, True), (39, False), (0, True)])
def test_a_correction_that_lacks_many_records_is_one_warning(kept: int, told: bool) -> None:
    rows = [{**CASE, "lenda_id": str(n)} for n in range(41)]
    found = standing("prosecution", {"2013-Q2": {"lenda": rows}, "2013-Q2_v2": {"lenda": [*rows[:kept], {**CASE, "lenda_id": "99"}]}})
    many = found.findings[found.findings["rule"] == "cross-withdrawn-many"]
    assert many[["delivery", "detail"]].values.tolist() == ([["2013-Q2_v2", f"{41 - kept} / 41"]] if told else [])


def test_a_delivery_that_was_not_received_whole_withdraws_nothing():

    whole, rest = read("prosecution", {"lenda": [CASE, {**CASE, "lenda_id": "8"}]}), read("prosecution", {"lenda": [CASE]})
    found = current.resolve_record_statuses(
        validate("prosecution", {"2013-Q2": whole, "2013-Q2_v2": rest}, incomplete_deliveries={"2013-Q2_v2"})
    )
    assert not found.lineage["status"].eq("withdrawn").any()
    assert "cross-partial-withdraws-nothing" in rules(found)


def test_an_institution_that_delivered_nothing_is_no_error():
    found = standing("courts", {})
    assert found.lineage.empty
    assert found.accounting.empty
