"""Articles and words of an offence: what they say, and which of them counts (counting-rules.md, "The institution's own article")."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from pipelines.harmonisation.articles import COLUMNS, PROBLEMS, classify_articles, parse_articles
from pipelines.harmonisation.offence_words import find_exploitation_forms, find_offence_groups
from schemas.canonical import FORMS, OFFENCE_GROUPS


def read(text: str) -> dict[str, object]:
    row = parse_articles(pd.Series([text])).iloc[0]
    return {name: None if pd.isna(row[name]) else row[name] for name in COLUMNS}


@pytest.mark.parametrize(
    ("text", "law", "family", "article", "paragraph", "words"),
    [
        ("171", None, None, "171", None, None),
        ("171/1", None, None, "171", "1", None),
        ("201.1", None, None, "201", "1", None),
        ("171.0", None, None, "171", None, None),
        ("nen. 139/2", None, None, "139", "2", None),
        ("Neni 139, paragrafi 1", None, None, "139", "1", None),
        ("neni 171 par.1 KPRK", None, "KPRK", "171", "1", None),
        ("139/1 KPK", "KPK2003", "KPK", "139", "1", None),
        ("163/2 KPRK 06/L-074", "KPRK2019", "KPRK", "163", "2", None),
        ("neni 139 UNMIK/REG/2003/25", "KPK2003", "KPK", "139", None, None),
        ("čl. 171 st. 1 KZRK", None, "KPRK", "171", "1", None),
        ("члан 171", None, None, "171", None, None),
        ("neni 171 të Kodit Penal të Republikës së Kosovës", None, "KPRK", "171", None, None),
        ("171 i KPRK-së", None, "KPRK", "171", None, None),
        ("nenin 171 paragrafi 1 lidhur me nenin 31 të KPRK", None, "KPRK", "171", "1", None),
        ("neni 4 i Ligjit 03/L-142", "LRQP2009", "LRQP", "4", None, None),
        ("Ligji 03/L-142, neni 4", "LRQP2009", "LRQP", "4", None, None),
        ("4 L.03/L-142", "LRQP2009", "LRQP", "4", None, None),
        ("neni 4 LRQP", "LRQP2009", "LRQP", "4", None, None),
        ("171 KPPK", "KPPK", None, "171", None, None),
        ("KPRK", None, "KPRK", None, None, None),
        ("neni ??", None, None, None, None, None),
        ("Trafikim me njerëz, neni 171", None, None, "171", None, "trafikim me njerez"),
        ("Mundësim prostitucioni - neni 201", None, None, "201", None, "mundesim prostitucioni"),
        ("neni 201 par.1 KPK Mundësim prostitucioni", "KPK2003", "KPK", "201", "1", "mundesim prostitucioni"),
        ("TRAFIKIM ME NJERËZ", None, None, None, None, "trafikim me njerez"),
    ],
)
def test_an_article_as_typed(
    text: str, law: str | None, family: str | None, article: str | None, paragraph: str | None, words: str | None
) -> None:
    out = read(text)
    assert (out["law"], out["law_family"], out["article"], out["paragraph"], out["words"]) == (law, family, article, paragraph, words)


@pytest.mark.parametrize(
    ("written", "law", "group"),
    [
        ("2015-09-30", None, "other"),
        ("2019-06-30", "KPRK2019", "facilitating_prostitution"),
        (None, "KPRK2019", "facilitating_prostitution"),
    ],
)
def test_no_row_means_a_code_that_came_into_force_after_it_was_written(written: str | None, law: str | None, group: str) -> None:
    parsed, nothing = parse_articles(pd.Series(["234/1 KPRK"], dtype="str")), pd.Series([None], dtype="str")
    no_day = pd.Series([pd.NaT], dtype="datetime64[s]")
    latest = pd.Series([pd.Timestamp(written) if written else pd.NaT], dtype="datetime64[s]")
    row = classify_articles(parsed["law"], parsed["law_family"], parsed["article"], no_day, nothing, latest).iloc[0]
    assert (None if pd.isna(row["law"]) else row["law"], row["offence_group"]) == (law, group)
    assert pd.isna(row["problem"])


def judge(text: str, date: str | None, words: str | None = None) -> tuple[object, object, object, object]:
    parsed = parse_articles(pd.Series([text], dtype="str"))
    day = pd.Series([pd.Timestamp(date) if date else pd.NaT], dtype="datetime64[s]")
    row = classify_articles(parsed["law"], parsed["law_family"], parsed["article"], day, pd.Series([words], dtype="str")).iloc[0]
    return tuple(None if pd.isna(v) else v for v in (row["law"], row["article_group"], row["offence_group"], row["problem"]))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("text", "date", "law", "group"),
    [
        ("139", "2012-12-31", "KPK2003", "trafficking"),
        ("171", "2013-01-01", "KPRK2012", "trafficking"),
        ("171", "2019-04-13", "KPRK2012", "trafficking"),
        ("165", "2019-04-14", "KPRK2019", "trafficking"),
        ("165 KPRK", "2019-04-14", "KPRK2019", "trafficking"),
        ("171 KPRK", "2013-05-01", "KPRK2012", "trafficking"),
        ("137 KPK", "2011-05-01", "KPK2003", "slavery"),
        ("172", "2014-05-01", "KPRK2012", "withholding_identity_papers"),
        ("234", "2020-05-01", "KPRK2019", "facilitating_prostitution"),
        ("neni 4 LRQP", "2012-05-01", "LRQP2009", "prostitution"),
        ("neni 4 LRQP", "2014-05-01", "LRQP2009", "prostitution"),
        ("185 KPRK", "2014-05-01", "KPRK2012", "other"),
        ("231/1 KPRK", "2014-05-01", "KPRK2012", "other"),
    ],
)
def test_an_article_counts_by_the_code_named_or_in_force(text: str, date: str, law: str, group: str) -> None:
    assert judge(text, date, "slavery") == (law, group, group, None)


@pytest.mark.parametrize(
    ("text", "date", "problem"),
    [
        ("139 KPK", "2013-01-01", "not_in_force"),
        ("171 KPRK", "2012-12-31", "not_in_force"),
        ("139", "2014-01-01", "not_in_force"),  # nobody means article 139 of the code of 2012
        ("171/1", "2019-06-01", "not_in_force"),
        ("165 KPRK 06/L-074", "2019-04-13", "not_in_force"),
        ("139 KPPK", "2014-01-01", "unknown_code"),
        ("999", "2014-01-01", "unknown_article"),
        ("4", "2014-01-01", "unknown_article"),
        ("KPRK", "2014-01-01", "no_article"),
        ("neni ??", "2014-01-01", "no_article"),
        ("", "2014-01-01", "no_article"),
    ],
)
def test_where_the_article_says_nothing_the_words_count_else_other(text: str, date: str, problem: str) -> None:
    assert judge(text, date, "trafficking")[1:] == (None, "trafficking", problem)
    assert judge(text, date)[1:] == (None, "other", problem)


def test_without_a_date_the_one_code_that_lists_the_article_decides() -> None:
    assert judge("139/1", None) == ("KPK2003", "trafficking", "trafficking", None)
    assert judge("165 KPRK", None) == ("KPRK2019", "trafficking", "trafficking", None)
    assert judge("171 KPRK 06/L-074", None) == ("KPRK2019", "other", "other", None)
    assert judge("250", None) == (None, "other", "other", None)
    assert judge("999", None, "slavery") == (None, None, "slavery", "unknown_article")


def test_a_code_that_nobody_knows_is_as_if_none_were_named() -> None:
    assert judge("171 KPPK", "2014-01-01", "other")[1:] == ("trafficking", "trafficking", "unknown_code")
    assert judge("139 KPPK", None) == ("KPK2003", "trafficking", "trafficking", "unknown_code")
    assert judge("4 KPPK", None) == ("LRQP2009", "prostitution", "prostitution", "unknown_code")
    assert judge("238 KPPK", None, "slavery")[1:] == (None, "slavery", "unknown_code")


def test_a_law_in_a_column_of_its_own_in_any_case() -> None:
    laws = pd.Series(["KPRK2012", "kprk 2012", "KP", None], dtype="str")
    nothing = pd.Series([None] * 4, dtype="str")
    out = classify_articles(laws, nothing, pd.Series(["171"] * 4), pd.Series([pd.Timestamp("2014-01-01")] * 4), nothing)
    assert out["article_group"].fillna("-").tolist() == ["trafficking"] * 4
    assert out["problem"].fillna("-").tolist() == ["-", "-", "unknown_code", "-"]


@pytest.mark.parametrize(
    ("group", "texts"),
    [
        (
            "trafficking",
            "Trafikim me njerëz|TRAFIKIM ME NJEREZ|Trafikim i qenieve njerezore"
            "|Trafikimi me qenie njerëzore|Trafkim me njerëz|Trgovina ljudima|Трговина људима",
        ),
        ("slavery", "Vendosja e marrëdhënieve të skllavërisë dhe punës së detyruar|Skllavëri|Ropstvo|Puna e detyruar"),
        (
            "withholding_identity_papers",
            "Mbajtja e letërnjoftimeve të viktimave|Mbajtja e dokumenteve te identitetit te viktimave të trafikimit",
        ),
        (
            "facilitating_prostitution",
            "Mundësim prostitucioni|Mundsim i prostitcionit|Ndërmjetësim në prostitucion|Mundësimi ose detyrimi në prostitucion|Podvođenje",
        ),
        ("prostitution", "Prostitucion|Ushtrim i prostitucionit (kundërvajtje)|ushtrimi i prostitucionit|Odavanje prostituciji"),
        ("other", "Kanosje|Shërbime seksuale të viktimës së trafikimit|Kontrabandim me migrantë|Trafikim me drogë|Lëndim i lehtë trupor"),
        (None, "xyz|???|"),
    ],
)
def test_offences_in_words(group: str | None, texts: str) -> None:
    out = find_offence_groups(pd.Series(texts.split("|")))
    assert {None if pd.isna(value) else value for value in out} == {group}


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("sexual", "Shfrytëzim seksual|SEKSUAL|Prostitucion i detyruar|S|Seksualna eksploatacija|Shfrytëzm seksual"),
        ("forced_labour", "Punë e detyruar|Shfrytëzim për punë|P|Принудни рад"),
        ("forced_begging", "Lypje e detyruar|lypësi|L"),
        ("slavery_servitude", "Skllavëri ose robëri|skllaveri|SK"),
        ("organ_removal", "Heqje e organeve|O"),
        ("other", "Tjetër|tjeter|T|Martesë e detyruar"),
        (None, "xyz|nuk dihet|"),
    ],
)
def test_forms_of_exploitation(code: str | None, texts: str) -> None:
    out = find_exploitation_forms(pd.Series(texts.split("|")))
    assert {None if pd.isna(value) else value for value in out} == {code}


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.none() | st.text(max_size=25) | st.from_regex(r"(neni |KPRK |03/L-142 |[0-9/. ]){1,5}", fullmatch=True), max_size=5))
def test_any_text_is_judged(texts: list[str | None]) -> None:
    series = pd.Series(texts, dtype="str")
    parsed = parse_articles(series)
    groups = find_offence_groups(series)
    day = pd.Series(pd.Timestamp("2014-01-01"), index=series.index, dtype="datetime64[s]")
    out = classify_articles(parsed["law"], parsed["law_family"], parsed["article"], day, groups)
    assert out["offence_group"].isin(OFFENCE_GROUPS).all()
    assert groups.dropna().isin(OFFENCE_GROUPS).all()
    assert find_exploitation_forms(series).dropna().isin(FORMS).all()
    assert out["problem"].dropna().isin(PROBLEMS).all()
    assert (out["article_group"].isna() == out["problem"].notna()).all()
