"""Names: spellings of one name agree in their skeleton; a name in one field or two gives its tokens and the parent's name."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from pipelines.harmonisation import names
from pipelines.harmonisation.letters import make_token_skeleton, repair_mojibake
from pipelines.harmonisation.names import COLUMNS, make_name_skeletons, parse_names

SAME = [
    "Xhavit Džavit Dzavit Џавит XHAVIT",
    "Hoxha Hodža Hodza Хоџа",
    "Krasniqi Krasnići Krasnici Краснићи",
    "Gjakova Đakova Djakova Ђакова Dakova",
    "Bytyqi Bitići Bitici",
    "Sylejman Silejman",
    "Shala Šala Şala Sala Шала",
    "Thaçi Tači Тачи Thaqi Thaci",
    "Ylber Ilber",
    "Vllasi Vljasi Vlasi Власи",
    "Fjolla Fjolja Fjola",
    "Xhelal Dželal Dželjalj",
    "Gëzim Gezim GÃ«zim",
    "Zhaklina Žaklina",
    "Đorđević Djordjevic Ђорђевић",
    "Kıro Kiro",
    "Şimşek Simsek",
    "Ismail Ismajl İsmail",
]


@pytest.mark.parametrize("spellings", SAME)
def test_spellings_of_one_name_share_a_skeleton(spellings: str) -> None:
    assert make_name_skeletons(pd.Series(spellings.split())).nunique() == 1


@pytest.mark.parametrize("pair", [("Agim", "Agron"), ("Gashi", "Krasniqi"), ("Arta", "Arton"), ("Blerim", "Blerta"), ("Milan", "Milica")])
def test_different_names_differ(pair: tuple[str, str]) -> None:
    assert make_token_skeleton(pair[0]) != make_token_skeleton(pair[1])


@given(st.text(max_size=40))
def test_a_skeleton_is_plain_letters_and_its_own_skeleton(text: str) -> None:
    once = make_token_skeleton(text)
    assert set(once) <= set("abcdefghijklmnopqrstuvwxyz")
    assert make_token_skeleton(once) == once


@pytest.mark.parametrize(
    ("damaged", "right"), [("KrasnÃ«qi", "Krasnëqi"), ("PejĂ«", "Pejë"), ("GraÃ§anicÃ«", "Graçanicë"), ("Ç", "Ç"), ("Ã", "Ã")]
)
def test_utf8_read_as_one_byte_letters_is_repaired(damaged: str, right: str) -> None:
    assert repair_mojibake(damaged) == right


def row(**columns: str | None) -> dict[str, str | None]:
    frame = pd.DataFrame(
        {name: pd.Series([columns.get(name)], dtype="str") for name in ("given_name", "surname", "full_name", "parent_name")}
    )
    out = parse_names(frame).iloc[0]
    return {name: None if pd.isna(out[name]) else out[name] for name in COLUMNS}


@pytest.mark.parametrize(
    ("full", "tokens", "parent"),
    [
        ("Agim (Liridon) Mustafa", "agim mustafa", "liridon"),
        ("Stefan R. Mitić", "mitic stefan", "r"),
        ("Astrit Shpëtim Hoxha", "astrit hoxa spetim", None),
        ("Krasniqi, Arben", "arben krasnici", None),
        ("Arta Caka-Nimani", "arta caka nimani", None),
        ("z. Agim Gashi", "agim gasi", None),
        ("Kapiten Agim Gashi", "agim gasi", None),
        ("A. Gashi", "a gasi", None),
        ("Agim Gashi, i biri i Liridonit", "agim gasi", "liridonit"),
        ("I panjohur", None, None),
        ("N.N.", None, None),
        ("NN lice", None, None),
        ("PERSON I PANJOHUR", None, None),
        ("Nepoznato lice 2", None, None),
        ("Непознат", None, None),
        ("Arben (NN) Gashi", "arben gasi", None),
        ("  ", None, None),
        ("???", None, None),
    ],
)
def test_a_name_in_one_field(full: str, tokens: str | None, parent: str | None) -> None:
    assert row(full_name=full) == {"name_tokens": tokens, "given_skeleton": None, "surname_skeleton": None, "parent_skeleton": parent}


def test_given_name_and_surname_stay_apart_and_the_order_of_fields_does_not_change_the_tokens() -> None:
    right = row(given_name="Arta", surname="Caka Nimani", parent_name="Hasan")
    swapped = row(given_name="Caka Nimani", surname="Arta")
    assert right == {
        "name_tokens": "arta caka nimani",
        "given_skeleton": "arta",
        "surname_skeleton": "caka nimani",
        "parent_skeleton": "hasan",
    }
    assert swapped["name_tokens"] == right["name_tokens"]


def test_the_parents_column_takes_precedence_over_the_one_inside_the_name() -> None:
    assert row(full_name="Agim (L.) Mustafa", parent_name="Liridon")["parent_skeleton"] == "liridon"
    assert row(given_name="Stefan R.", surname="Mitić")["parent_skeleton"] == "r"


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.tuples(*[st.none() | st.text(max_size=30)] * 4), max_size=6))
def test_any_text_gives_a_row(rows: list[tuple[str | None, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["given_name", "surname", "full_name", "parent_name"], dtype="str")
    out = parse_names(frame)
    assert list(out.columns) == list(COLUMNS)
    assert out.index.equals(frame.index)


@pytest.mark.parametrize("text", ["N.N.", "NN lice", "Nepoznato lice Nepoznato lice", "I PANJOHUR i panjohur", "N. N. N. N."])
def test_words_for_an_unknown_person_once_or_in_place_of_both_names(text: str) -> None:
    frame = pd.DataFrame({"full_name": [text]}, dtype="str")
    parsed = parse_names(frame)
    assert parsed.isna().all().all()
    assert list(names.classify_person_kinds(frame.join(parsed[["name_tokens"]]), pd.Series([False]))) == ["unknown"]
