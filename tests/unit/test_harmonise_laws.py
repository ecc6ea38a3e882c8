"""A law added to the list changes what no delivered article means; it is found where it is named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from harmonia.errors import HarmoniaError
from pipelines.harmonisation import articles, code_lists
from pipelines.harmonisation.articles import classify_articles, parse_articles
from schemas import domain_folder
from warehouse.count import inputs

ADDED = {
    "another country's code, no longer in force": "KD95,1995-01-01,2008-10-31,,,Penal Code of Slovenia,KZ-94,KD,100,400,Ur. l. 63/94,",
    "another country's code, in force for ever": "KZ08,,,,,Criminal Code of Slovenia,KZ-1|KPK,KZ,1,400,Ur. l. 55/08,",
    "a special law": "LMTP2013,2013-09-20,,Ligji kundër trafikimit,,,04/L-218,LMTP,1,60,,",
    "a code of a known family": "KPRK2025,2025-01-01,,,,,08/L-999,KPRK,100,500,,",
    "a known family, without days": "LRQP1990,,,,,,,LRQP,1,99,,",
    "a line without its last columns": "KPSH1995,1995-06-01,,,,Criminal Code of Albania",
}
LISTED = "KZ08:113|KZ08:175|KZ08:4|KPRK2025:161"
"""Articles of added laws in a separate group, listed with those of trafficking."""


def clear() -> None:
    for module in (code_lists, articles, inputs):
        for function in vars(module).values():
            getattr(function, "cache_clear", lambda: None)()


@pytest.fixture(scope="module")
def before() -> pd.DataFrame:
    return everything()


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "codes"
    shutil.copytree(domain_folder.find_path_in_domain("codes"), folder)
    monkeypatch.setattr(domain_folder, "find_path_in_domain", lambda part: tmp_path / part)
    clear()
    yield folder
    clear()


def add(lists: Path, *lines: str) -> None:
    with (lists / "laws.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    clear()


def everything() -> pd.DataFrame:
    """What is made of every article of every code as people write it, on days of every code and without a day."""
    spelled = (
        "{}",
        "neni {} par.1 KPRK",
        "{}/1 KPK",
        "{} KPRK 06/L-074",
        "neni {} LRQP",
        "neni {} i Ligjit 03/L-142",
        "{} KPPK",
        "čl. {} KZRK",
    )
    texts = pd.Series([text.format(number) for text in spelled for number in (*range(1, 60, 3), *range(100, 445))], dtype="str")
    parsed = parse_articles(texts)
    parts = []
    nothing = pd.Series(None, index=texts.index, dtype="str")
    for day in (None, "2007-05-01", "2012-12-31", "2013-01-01", "2018-03-01", "2019-04-14", "2026-02-01"):
        date = pd.Series(pd.Timestamp(day) if day else pd.NaT, index=texts.index).astype("datetime64[s]")
        parts.append(classify_articles(parsed["law"], parsed["law_family"], parsed["article"], date, nothing))
    return pd.concat(parts, ignore_index=True)


def test_all_kinds_of_laws_together_change_no_article(before: pd.DataFrame, lists: Path) -> None:
    by_number = inputs.map_article_numbers_to_offence_groups()
    add(lists, *ADDED.values())
    table = (lists / "offences.csv").read_text("utf-8")
    (lists / "offences.csv").write_text(table.replace("KPRK2019:165", f"KPRK2019:165|{LISTED}"), "utf-8")
    clear()
    pd.testing.assert_frame_equal(everything(), before)
    assert inputs.map_article_numbers_to_offence_groups() == by_number


@pytest.mark.parametrize("kind", ADDED)
def test_a_law_added_to_the_list_changes_no_article(before: pd.DataFrame, lists: Path, kind: str) -> None:
    add(lists, ADDED[kind])
    pd.testing.assert_frame_equal(everything(), before)


def test_an_added_law_counts_where_it_is_named(lists: Path) -> None:
    add(lists, ADDED["another country's code, in force for ever"])
    texts = ["211 KZ08", "čl. 211 KZ-1", "211 KZ 1", "KZ08 211/2", "KZ08/211", "KZ08/211  /2 /S  / -TATVINA", "211"]
    parsed = parse_articles(pd.Series(texts, dtype="str"))
    assert parsed["law"].fillna("-").tolist() == ["KZ08"] * 6 + ["-"]
    assert parsed["article"].tolist() == ["211"] * 7
    assert parsed["paragraph"].fillna("-").tolist() == ["-"] * 3 + ["2", "-", "2", "-"]
    nothing = pd.Series([None], dtype="str")
    out = classify_articles(pd.Series(["KZ08"]), nothing, pd.Series(["211"]), pd.Series([pd.Timestamp("2009-01-01")]), nothing)
    assert out.iloc[0].fillna("-").tolist() == ["KZ08", "other", "other", "-"]


def test_two_codes_for_one_day_are_refused(lists: Path) -> None:
    add(lists, "KPRK2025,2025-01-01,,,,,,KPRK,100,500,,date")
    with pytest.raises(HarmoniaError, match=r"laws\.csv: KPRK2025 .* valid_to"):
        everything()
