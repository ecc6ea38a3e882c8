"""Each institution's rows become the one vocabulary; every state is kept with its status."""

from __future__ import annotations

import importlib

import pandas as pd
import pytest
from judging_world import canonical

from harmonia.errors import HarmoniaError
from schemas.canonical import TABLES
from sources import contract

CASE = {
    "lenda_id": "7",
    "nr_lendes": "PP.I.nr.7/2013",
    "data_pranimit": "2013-05-02",
    "burimi": "PK",
    "prokuroria": "Prizren",
    "statusi": "HET",
}


@pytest.mark.parametrize("institution", contract.institutions())
def test_an_empty_institution_gives_empty_tables_of_the_declared_form(institution):
    tables = canonical(institution, {})
    assert set(tables) == set(TABLES)
    assert all(list(tables[name].columns) == [c.name for c in columns] for name, columns in TABLES.items())


def test_a_code_with_an_unknown_meaning_is_refused(monkeypatch):
    mapping = importlib.import_module("sources.prosecution.mapping")
    mapped = mapping.to_canonical
    with_state = {"value": "sent"}

    def with_other_state(tables):
        tables_out = mapped(tables)
        tables_out["case_records"] = [frame.assign(state=with_state["value"]) for frame in tables_out["case_records"]]
        return tables_out

    monkeypatch.setattr(mapping, "to_canonical", with_other_state)
    canonical("prosecution", {"2013-Q2": {"lenda": [CASE]}})
    with_state["value"] = "Filan Fisteku"
    with pytest.raises(HarmoniaError, match=r"case_records\.state is a value that the contract does not declare") as error:
        canonical("prosecution", {"2013-Q2": {"lenda": [CASE]}})
    assert "Filan" not in str(error.value)


def test_police_cases_and_people():
    rows = {
        "rastet": [
            {
                "Nr_rastit": "2013-PR-00001",
                "Data_raportimit": "02.05.2013",
                "Data_e_vepres": "01.05.2013",
                "Data_dergimit_PSH": "20.05.2013",
                "Komuna": "Kačanik",
                "Vepra_penale": "Trafikim me njerëz",
                "Neni": "171/1 KPRK",
                "Forma_shfrytezimit": "Lypje e detyruar",
                "Statusi": "Dërguar në prokurori",
                "Nr_PP": "PPI-34-2013",
            }
        ],
        "personat": [
            {
                "Nr_rastit": "2013-PR-00001",
                "Nr_rendor": "1",
                "Roli": "I dyshuar",
                "Mbiemri": "Hodža",
                "Emri": "Džavit",
                "Gjinia": "m",
                "Data_lindjes": "01.01.1980",
                "Shtetesia": "RKS",
                "Data_arrestimit": "03.05.2013",
            },
            {
                "Nr_rastit": "2013-PR-00001",
                "Nr_rendor": "2",
                "Roli": "Viktimë",
                "Mbiemri": "Ceban",
                "Emri": "Ina",
                "Gjinia": "F",
                "Data_lindjes": "31.02.1999",
                "Shtetesia": "Moldavi",
            },
        ],
    }
    made = canonical("police", {"2013-Q2": rows})
    case = made["case_records"].iloc[0]
    assert (case["municipality"], case["form"], case["offence_group"], case["state"]) == (
        "kacanik",
        "forced_begging",
        "trafficking",
        "sent",
    )
    suspect, victim = (made["person_records"].iloc[i] for i in (0, 1))
    assert (suspect["role"], suspect["sex"], suspect["citizenship"], suspect["birth_precision"]) == ("suspect", "male", "XKX", "year")
    assert (victim["role"], victim["citizenship"], victim["birth_year"], victim["birth_precision"]) == ("victim", "MDA", 1999, "year")
    assert str(suspect["birth_stated"])[:10] == "1980-01-01" and pd.isna(suspect["birth_date"]) and pd.isna(victim["birth_stated"])
    assert made["events"]["event"].tolist() == ["reported", "offence", "sent", "arrested"]
    assert made["references"][["kind", "number"]].values.tolist() == [["prosecution", "PP.I.nr.34/2013"]]


@pytest.mark.parametrize(
    ("article", "day", "group"),
    [
        ("241/1 KPRK", "", "facilitating_prostitution"),
        ("241/1", "01.05.2013", "facilitating_prostitution"),
        ("241/1", "", "trafficking"),  # neither code nor day of the offence
    ],
)
def test_the_article_counts_before_the_words_unless_its_code_is_a_guess(article, day, group):
    row = {"Nr_rastit": "2013-PR-00001", "Data_raportimit": "02.05.2013", "Data_e_vepres": day, "Vepra_penale": "Trafikim me njerëz"}
    made = canonical("police", {"2013-Q2": {"rastet": [{**row, "Neni": article}]}})
    assert made["case_records"]["offence_group"].tolist() == [group]


def test_a_decision_is_of_its_party_or_else_of_the_file():
    rows = {
        "lenda": [CASE],
        "pala": [{"pala_id": "70", "lenda_id": "7", "roli": "D", "emri_mbiemri": "Arben Gashi"}],
        "vendimi": [
            {"vendimi_id": "1", "lenda_id": "7", "lloji": "AKT", "data": "2013-06-01", "nr_aktakuzes": "A/1"},
            {"vendimi_id": "2", "lenda_id": "7", "pala_id": "70", "lloji": "VEC", "data": "2013-06-02"},
        ],
    }
    events = canonical("prosecution", {"2013-Q2": rows})["events"].set_index("event")
    assert events.loc["indicted", ["entity", "record_key", "outcome"]].tolist() == ["case", "7", "A/1"]
    assert events.loc["separated", ["entity", "record_key", "case_key"]].tolist() == ["person", "70", "7"]


def test_a_joined_file_names_the_file_that_took_it_and_not_a_sender():
    made = canonical("prosecution", {"2013-Q2": {"lenda": [{**CASE, "statusi": "BASH", "nr_burimit": "pp.I nr 9/2013"}]}})
    assert made["case_records"]["merged_into"].tolist() == ["PP.I.nr.9/2013"]
    assert made["references"].empty


def test_a_file_taken_over_from_a_closed_court_names_its_former_number():
    rows = {"lenda": [{"nr": "P.nr.45/2014 (ish P.nr.12/2013)", "gjykata": "Prizren", "pranuar": "2014-02-05"}]}
    made = canonical("courts", {"2014-Q1": rows})["case_records"]
    assert made[["record_key", "number", "former_number"]].values.tolist() == [
        ["P.nr.45/2014 (ish P.nr.12/2013)", "P.nr.45/2014", "P.nr.12/2013"]
    ]


def test_a_defendant_with_two_judgments_keeps_both_and_the_sentence_of_the_later():
    who = {"lenda_nr": "PKR.nr.1/2013", "id": "1"}
    rows = {
        "lenda": [{"nr": "PKR.nr.1/2013", "gjykata": "Приштина", "pranuar": "2013-01-05"}],
        "i_pandehur": [{**who, "emri": "А", "mbiemri": "Б"}],
        "akuza": [{**who, "ligji": "KPPK", "neni": "4", "kryesore": "po"}],
        "aktgjykimi": [
            {**who, "lloji": "DEN", "data": "2013-02-01"},
            {**who, "lloji": "LIR", "data": "2013-06-01", "forme_prere": "2013-06-20"},
        ],
        "denimi": [{**who, "lloji": "burgim", "vjet": "1", "muaj": "6"}],
    }
    made = canonical("courts", {"2013-Q2": rows})
    assert made["case_records"]["seat"].tolist() == ["prishtine"]
    assert made["person_records"]["sentence_months"].isna().all()
    first = canonical("courts", {"2013-Q2": {**rows, "aktgjykimi": rows["aktgjykimi"][:1]}})
    assert first["person_records"]["sentence_months"].tolist() == [18]
    assert made["charges"]["offence_group"].tolist() == ["prostitution"]
    judged = made["events"][made["events"]["event"] == "judged"]
    assert judged["outcome"].tolist() == ["convicted", "acquitted"]


def test_a_register_row_is_a_stay_with_its_own_key():
    row = {
        "ID": "P-1",
        "Statusi": "I dënuar",
        "Data e pranimit": "2013-05-02",
        "Data e lirimit": "2013-06-01",
        "Arsyeja e lirimit": "Transferim në QP Pejë",
        "Dënimi": "1 vit e 6 muaj",
        "Nr. i aktgjykimit": "PKR 45/12",
        "Vepra": "139/1 KPK",
    }
    made = canonical("corrections", {"2013-Q2": {"te_burgosurit": [row]}})
    assert made["person_records"][["record_key", "case_key", "register_id"]].values.tolist() == [
        ["P-1/2013-05-02", "P-1/2013-05-02", "P-1"]
    ]
    events = made["events"].set_index("event")["outcome"]
    assert pd.isna(events["imprisoned"])
    assert events["released"] == "transfer"
    assert made["references"]["number"].tolist() == ["PKR.nr.45/2012"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [("Lirim me kusht", "conditional_release"), ("VUAJTJA E DËNIMIT", "served"), ("vdiq Agim Krasniqi", "other"), ("", None)],
)
def test_a_reason_that_no_contract_names_stays_in_the_lake(said, reason):
    row = {"ID": "P-1", "Statusi": "I dënuar", "Data e pranimit": "2013-05-02", "Data e lirimit": "2013-06-01", "Arsyeja e lirimit": said}
    made = canonical("corrections", {"2013-Q2": {"te_burgosurit": [row]}})
    released = made["events"].set_index("event")["outcome"]["released"]
    assert pd.isna(released) if reason is None else released == reason


def test_the_inspectorate_s_row_is_a_case_and_its_suspect():
    row = {
        "Nr. i lëndës": "IPK-015/2011",
        "Data e pranimit": "2011-11-29",
        "Emri dhe mbiemri": "Gashi Bajram",
        "Vepra e dyshuar": "Keqpërdorim i pozitës zyrtare, 339/1 KPK",
        "Statusi": "Kallëzim penal",
        "Nr. i prokurorisë": "PP nr.89/2011",
        "Data e dërgimit": "2011-12-06",
    }
    made = canonical("inspectorate", {"2012-Q1": {"lendet": [row]}})
    assert made["case_records"]["offence_group"].tolist() == ["other"]
    assert made["person_records"]["role"].tolist() == ["suspect"]
    assert made["events"]["event"].tolist() == ["reported", "sent"]
    assert made["references"]["number"].tolist() == ["PP.?.nr.89/2011"]


@pytest.mark.parametrize(
    ("given", "surname", "more", "kind"),
    [
        ("", "N.N.", {}, "unknown"),
        ("N. N.", "N. N.", {"Gjinia": "F"}, "unknown"),
        ("i panjohur", "Person", {}, "unknown"),
        ("", "", {}, "unknown"),
        ("", "NEPOZNATO LICE", {"Data_arrestimit": "03.05.2013"}, "unknown"),
        ("Arben", "N.N.", {}, "natural"),
        ("", "N.N.", {"Emri_prindit": "Hasan"}, "natural"),
        ("", "N.N.", {"Nr_personal": "1012345678"}, "natural"),
        ("", "", {"Data_lindjes": "1980"}, "natural"),
        ("", "", {"Vendlindja": "Pejë"}, "natural"),
        ("", "", {"Komuna_banimit": "Pejë"}, "natural"),
        ("", "", {"Shtetesia": "MDA"}, "natural"),
        ("", "Alba Trans Sh.p.k.", {}, "legal"),
    ],
)
def test_a_row_that_names_nobody_is_of_an_unknown_person(given: str, surname: str, more: dict[str, str], kind: str) -> None:
    row = {"Nr_rastit": "2013-PR-00001", "Nr_rendor": "1", "Roli": "I dyshuar", "Emri": given, "Mbiemri": surname, **more}
    people = canonical("police", {"2013-Q2": {"personat": [row]}})["person_records"]
    assert people["kind"].tolist() == [kind]
