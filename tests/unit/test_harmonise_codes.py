"""Code lists: they are whole, no name means two codes, and delivered spellings find their code."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from pipelines.harmonisation import code_lists
from pipelines.harmonisation.code_lists import NAMED_LISTS, find_codes, list_names_by_code, read_code_list
from schemas.canonical import FOREIGN, FORMS, OFFENCE_GROUPS, SEXES

COMMON = ["code", "valid_from", "valid_to", "label_sq", "label_sr", "label_en", "aliases"]


def found(name: str, text: str) -> tuple[object, object]:
    row = find_codes(name, pd.Series([text])).iloc[0]
    return tuple(None if pd.isna(row[column]) else row[column] for column in ("code", "how"))  # type: ignore[return-value]


@pytest.mark.parametrize("name", NAMED_LISTS)
def test_a_list_has_its_columns_and_every_name_finds_its_own_code(name: str) -> None:
    rows = read_code_list(name)
    assert list(rows.columns)[: len(COMMON)] == COMMON
    assert rows["code"].is_unique
    assert (rows[["label_sq", "label_sr", "label_en"]] != "").all(axis=None)
    pairs = [(code, text) for code, texts in list_names_by_code(name).items() for text in texts]
    out = find_codes(name, pd.Series([text for _, text in pairs]))
    assert out["code"].tolist() == [code for code, _ in pairs]


def test_lists_agree_with_one_another_and_with_the_vocabulary() -> None:
    municipalities = read_code_list("municipalities")
    assert len(municipalities) == 38
    assert set(municipalities["seat"]) == set(read_code_list("seats")["code"])
    assert set(municipalities["branch"]) - {""} <= set(municipalities["code"])
    assert len(set(municipalities["branch"]) - {""}) == 20
    assert set(read_code_list("forms")["code"]) == set(FORMS)
    assert set(read_code_list("sexes")["code"]) == set(SEXES)
    assert set(read_code_list("offences")["group"]) == set(OFFENCE_GROUPS)
    assert set(read_code_list("offence_words")["group"]) <= set(OFFENCE_GROUPS)
    laws = set(read_code_list("laws")["code"])
    listed = [entry for cell in read_code_list("offences")["articles"] for entry in cell.split("|") if entry]
    assert {entry.split(":")[0] for entry in listed} <= laws
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("name", "code", "texts"),
    [
        (
            "municipalities",
            "prishtine",
            "Prishtinë|PRISHTINË|Prishtine|Prishtina|Priština|Приштина|Prishtinës|Komuna e Prishtinës|Prishtna|PrishtinÃ«",
        ),
        ("municipalities", "peje", "Pejë|Peja|Peje|Peć|Пећ"),
        ("municipalities", "gjakove", "Gjakovë|Đakovica|Djakovica|Ђаковица"),
        ("municipalities", "istog", "Istog|Istok|Burim"),
        ("municipalities", "gllogoc", "Gllogoc|Drenas|Glogovac"),
        ("municipalities", "mitrovice", "Mitrovicë|Mitrovica|Kosovska Mitrovica|Mitrovicë e Jugut"),
        ("municipalities", "mitrovice_e_veriut", "Mitrovicë e Veriut|Severna Mitrovica|Северна Митровица|Mitrovica Veriore"),
        ("municipalities", None, "Tiranë|Beograd|xyz||?"),
        (
            "seats",
            "mitrovice",
            "MJ|MV|Mitrovicë|Kosovska Mitrovica|Косовска Митровица|Gjykata Themelore në Mitrovicë|Osnovni sud u Mitrovici",
        ),
        ("seats", "prishtine", "PR|Prishtinë|Podujevë|Gjykata Themelore Prishtinë - dega Lipjan"),
        ("seats", "gjakove", "GJ|Malishevë|Prokuroria Themelore në Gjakovë"),
        ("countries", "XKX", "XKX|xkx|XK|UNK|KS|KOS|RKS|Kosovë|KOSOVË|Kosova|Kosove|Republika e Kosovës|Косово|Kosovar|Kosvoë"),
        ("countries", "ALB", "ALB|AL|Shqipëri|SHQIPERI|Shqipëria|Albanija|Republika e Shqipërisë"),
        ("countries", "MDA", "MDA|MD|Moldavi|MOLDAVI|Moldavia|Moldavija"),
        ("countries", "MNE", "MNE|ME|Mali i Zi|Mal i Zi|Crna Gora"),
        ("countries", "MKD", "MK|Maqedoni|Maqedonia|Maqedonia e Veriut|Makedonija"),
        ("countries", None, "xyz|QQQ|i panjohur|"),
        ("sexes", "male", "M|m|M.|Mashkull|1|muški"),
        ("sexes", "female", "F|f|Femër|Femer|2|Ž|ženski"),
        ("sexes", "unknown", "9|nuk dihet"),
    ],
)
def test_delivered_spellings(name: str, code: str | None, texts: str) -> None:
    assert {text: found(name, text)[0] for text in texts.split("|")} == dict.fromkeys(texts.split("|"), code)


def test_how_a_code_was_found() -> None:
    assert found("countries", "Kosovë") == ("XKX", "exact")
    assert found("countries", "Косово") == ("XKX", "alias")
    assert found("countries", "Kosvoë") == ("XKX", "fuzzy")
    assert found("countries", "???") == (None, None)


def test_an_unknown_list_is_named() -> None:
    with pytest.raises(KeyError, match="no code list 'planets'"):
        read_code_list("planets")


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.none() | st.text(max_size=20), max_size=4), st.sampled_from(NAMED_LISTS))
def test_any_text_is_looked_up(texts: list[str | None], name: str) -> None:
    out = code_lists.find_codes(name, pd.Series(texts, dtype="str"))
    assert out["code"].dropna().isin(read_code_list(name)["code"]).all()
    assert (out["code"].isna() == out["how"].isna()).all()


PARTS_OF_STATES = {"HKG": "CHN", "MAC": "CHN", "SXM": "MAF"}
"""Territories whose name names their state, or whose island has one name, in brackets."""


def test_no_name_of_a_country_is_taken_for_another() -> None:
    """Names in Albanian, Serbian, English, the country's own languages and nine more (`data/country_names.csv`, of Unicode CLDR)."""
    names = pd.read_csv(Path(__file__).parent / "data" / "country_names.csv", keep_default_na=False)
    names["found"] = find_codes("countries", names["name"])["code"].to_numpy()
    wrong = names[names["found"].notna() & (names["found"] != names["code"])]
    assert wrong[wrong["found"] != wrong["code"].map(PARTS_OF_STATES)].to_dict("records") == []
    agreed = names[names["language"].isin(["sq", "sr", "sr_Latn"])]
    assert agreed[agreed["found"].isna()].to_dict("records") == []


def test_a_misspelt_name_near_two_codes_is_refused() -> None:
    assert [found("countries", text)[0] for text in ("Slovenko", "Irland", "Gvinea")] == [None, None, "GIN"]


def test_foreign_without_a_country_is_said() -> None:
    texts = (
        "TUJE|i huaj|I HUAJ|e huaj|shtetas i huaj|Shtetase e huaj|strani državljanin|Strana državljanka|страни држављанин|stranac|foreign"
    )
    assert {text: found("countries", text)[0] for text in texts.split("|")} == dict.fromkeys(texts.split("|"), FOREIGN)
