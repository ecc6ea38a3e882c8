"""Reports: protected figures alone, nothing untranslated, what was not delivered is said, what is due, sent, late."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from harmonia.errors import HarmoniaError
from harmonia.reports import joint, own_figures
from harmonia.reports.page import render_page
from harmonia.reports.texts import LANGUAGES, load_texts
from harmonia.reports.transmission_register import SentReport, list_reports, record_sent_report
from pipelines.resources.workplace import Workplace
from sources.contract import institutions, load
from tests.release_world import FEW, release, signed, source, units
from warehouse import tables
from warehouse.releases.reading import open_release
from warehouse.star.tables import VICTIM_STEPS
from warehouse.star.views import VICTIM_DURATIONS

OTHERS = {"prostitution": 13, "facilitating_prostitution": 7, "other": 6}
_CODE = re.compile(r"\b[a-z]+_[a-z_]+\b")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a release of 2013: 32 victims, of them three foreign men; 53 persons convicted; nothing of arrests."""
    where = tmp_path_factory.mktemp("reports") / "home"
    signed(where, few=(*FEW, "persons_convicted"))
    men = {"sex": "male"}
    victims = units("victims_identified", 2013, (20, {}), (9, {**men, "age_group": "child"}), (3, {**men, "citizenship_group": "foreign"}))
    convicted = units("persons_convicted", 2013, (25, men), (2, {}), *((n, {"offence_group": o}) for o, n in OTHERS.items()))
    made = delivered(source([*victims, *convicted], [2013], {("persons_arrested", 2013): "all"}))
    yardstick = tables.conform_frame(tables.YARDSTICK, pd.DataFrame([PUBLISHED]))
    release(where, "2015-03-31", replace(made, tables={**made.tables, "yardstick": yardstick}))
    return where


def delivered(made):
    """The warehouse with coverage as a run writes it: the police delivered nothing, the others all quarters."""
    quarters = [f"2013-Q{n}" for n in range(1, 5)]
    states = [(i, p, "missing" if i == "police" else "complete") for i in institutions() for p in ("2013", *quarters)]
    coverage = tables.conform_frame(tables.COVERAGE, pd.DataFrame(states, columns=["institution", "period", "state"]))
    return replace(made, tables={**made.tables, "coverage": coverage})


PUBLISHED = {
    "source": "Annual report 2013",
    "kind": "published",
    "institution": "police",
    "indicator": "victims_identified",
    "period": "2013",
    "offence_group": "trafficking",
    "unit": "person",
    "published": 7041,
    "as_reported": 7032,
    "gap": -9,
    "incomplete": False,
}


@pytest.fixture(scope="module")
def released(home):
    return open_release(home / "releases")


def text(page):
    """What a reader sees: no markup, no style, no attributes but those that are read aloud."""
    body = page[page.index("<body>") :]
    aloud = " ".join(re.findall(r'aria-label="([^"]*)"', body))
    return re.sub(r"<[^>]*>", " ", body) + aloud


def texts(node):
    """All declared triples of words."""
    if isinstance(node, dict):
        return [one for value in node.values() for one in texts(value)]
    if isinstance(node, list) and node and not isinstance(node[0], str):
        return [one for value in node for one in texts(value)]
    return [node]


def test_every_text_has_its_three_languages():
    assert [triple for triple in texts(load_texts()) if len(triple) != len(LANGUAGES) or not all(triple)] == []


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("audience", ["public", "government"])
def test_nothing_in_a_report_is_a_code(released, lang, audience):
    seen = text(render_page(joint.make_joint_report(released, "2013", audience, lang)))
    assert _CODE.findall(seen) == []
    assert "None" not in seen
    assert "nan" not in seen.split()


def test_languages_differ_throughout(released):
    """No report contains a sentence of another language."""
    pages = {lang: text(render_page(joint.make_joint_report(released, "2013", "public", lang))) for lang in LANGUAGES}
    for lang, page in pages.items():
        others = [triple[n] for triple in texts(load_texts()) for n, other in enumerate(LANGUAGES) if other != lang and len(triple[n]) > 12]
        own = {triple[LANGUAGES.index(lang)] for triple in texts(load_texts())}
        assert [one for one in others if one not in own and one in page] == []


def test_the_public_report_holds_no_figure_that_the_release_does_not_print(released):
    printed = {int(v) for v in released.cube["value"].dropna()} | {int(n) for n in released.table("bridge")["n"].dropna().abs()}
    page = render_page(joint.make_joint_report(released, "2013", "public", "en"))
    cells = {int(n) for n in re.findall(r'<td class="num">(\d+)\*?</td>', page)}
    assert cells
    assert cells <= printed
    assert 3 not in cells, "the three foreign men are not published"


def test_a_total_is_shown_beside_its_trafficking_part_and_the_minor_offence_apart(released):
    report = joint.make_joint_report(released, "2013", "public", "en")
    courts = next(t for s in report.sections if s.name == "key" for t in s.tables if t.caption == "Courts")
    convicted = next(row for row in courts.rows if row[0].text == "Persons convicted")
    assert [cell.text for cell in convicted[1:]] == ["53", "27", "13"]


def test_what_was_not_delivered_is_said_and_is_no_zero(released):
    report = joint.make_joint_report(released, "2013", "public", "en")
    police = next(t for s in report.sections if s.name == "key" for t in s.tables if t.caption == "Police and inspectorate")
    arrested = next(row for row in police.rows if row[0].text == "Persons arrested")
    assert "not zero" in arrested[1].text
    assert [cell.text for cell in arrested[2:]] == ["–", "–"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_missing_deliveries_are_named_in_words(released, lang):
    notes = [note for s in joint.make_joint_report(released, "2013", "public", lang).sections for note in s.notes]
    assert any(load("police").publisher[lang] in note for note in notes)


def test_every_figure_of_an_incomplete_year_carries_a_star(home):
    release_ = open_release(home / "releases")
    cube = release_.cube.assign(incomplete=True, missing="courts 2013-Q2 partial")
    release_.__dict__["cube"] = cube
    report = joint.make_joint_report(release_, "2013", "public", "en")
    for section in report.sections:
        if section.name in ("key", "victims", "offences", "bridge"):
            figures = [cell.text for table in section.tables for row in table.rows for cell in row if re.fullmatch(r"\d+\*?", cell.text)]
            assert figures
            assert all(figure.endswith("*") for figure in figures), section.name
            notes = [*section.notes, *(note for table in section.tables for note in table.notes)]
            assert any("quarter 2 of 2013 (read in part)" in note for note in notes), section.name
        assert not section.charts or any("*" in chart.svg for chart in section.charts), section.name


def test_a_period_that_is_none_says_what_there_is(released):
    with pytest.raises(HarmoniaError, match="2013"):
        joint.make_joint_report(released, "1999", "public", "en")


def test_an_unknown_language_is_refused(released):
    with pytest.raises(HarmoniaError, match="sq, sr, en"):
        joint.make_joint_report(released, "2013", "public", "de")


def test_an_institution_sees_its_own_reported_figures_and_signs(home, released):
    report = own_figures.make_institution_report(home / "releases", released, "2013", "courts", "sq")
    assert report.warning
    assert report.sections[-1].signature_fields
    (table,) = report.sections[0].tables
    assert ["53", "53"] in [[cell.text for cell in row[1:3]] for row in table.rows]
    assert not any("arrestuar" in row[0].text for row in table.rows), "arrests are the police's"
    with pytest.raises(HarmoniaError, match="police"):
        own_figures.make_institution_report(home / "releases", released, "2013", "army", "sq")


def test_only_the_coordinator_gets_the_exact_annex(home, released):
    assert "exact" in [s.name for s in own_figures.make_coordinator_report(home / "releases", released, "2013", "en").sections]
    for audience in ("public", "government"):
        assert "exact" not in [s.name for s in joint.make_joint_report(released, "2013", audience, "en").sections]


def test_only_the_coordinator_gets_the_pathway_of_victims(home, released):
    """Cohorts follow the same persons, so that their differences count persons: nothing of them is public."""
    sections = {s.name: s for s in own_figures.make_coordinator_report(home / "releases", released, "2013", "en").sections}
    every, trafficking, durations = sections["pathway"].tables
    shares = ["9 (90%)", "8 (80%)", "7 (70%)", "6 (60%)", "5 (50%)", "4 (40%)"]
    assert [[cell.text for cell in row] for row in trafficking.rows] == [["2013", "10", *shares]]
    assert [cell.text for cell in every.rows[0]][:3] == ["2013", "12", "10 (83%)"]
    assert [[cell.text for cell in row][2:] for row in durations.rows] == [["9", "4.5", "31.0"], *([str(n), "–", "–"] for n in (7, 5, 3))]
    for audience in ("public", "government"):
        assert "pathway" not in [s.name for s in joint.make_joint_report(released, "2013", audience, "en").sections]
    for name in institutions():
        assert "pathway" not in [
            s.name for s in own_figures.make_institution_report(home / "releases", released, "2013", name, "en").sections
        ]
    public = " ".join(str(path) for path in (home / "releases").rglob("public/*"))
    assert "flow_" not in public


def test_steps_and_durations_of_the_pathway_have_names():
    declared = load_texts()["pathway"]
    assert list(declared["steps"]) == list(VICTIM_STEPS)
    assert list(declared["durations"]) == [step for step, _, _ in VICTIM_DURATIONS]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_in_the_pathway_is_a_code(home, released, lang):
    seen = text(render_page(own_figures.make_coordinator_report(home / "releases", released, "2013", lang)))
    assert _CODE.findall(seen) == []
    assert "nan" not in seen.split()


def test_the_same_release_gives_the_same_page(released):
    assert render_page(joint.make_joint_report(released, "2013", "public", "sr")) == render_page(
        joint.make_joint_report(released, "2013", "public", "sr")
    )


def test_the_register_says_what_is_due_sent_and_late(home, released):
    workplace = Workplace.from_paths(None, home)
    record_sent_report(workplace, SentReport("government", "", "2013", "Office of the Prime Minister", "2014-03-10"))
    listed, before = list_reports(workplace, released, date(2014, 3, 20))
    found = {(one.audience, one.institution, one.period): one.state(date(2014, 3, 20)) for one in listed}
    assert before == []
    with pytest.raises(HarmoniaError, match="--institution"):
        record_sent_report(workplace, SentReport("institution", "", "2013", "nobody", "2014-03-10"))
    assert found["government", "", "2013"] == "sent"
    assert found["public", "", "2013"] == "due"
    assert found["coordinator", "", "2013"] == "late"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_institutions_published_is_beside_ours_for_them_and_the_coordinator_only(home, released, lang):
    releases = home / "releases"
    for made in (
        own_figures.make_coordinator_report(releases, released, "2013", lang),
        own_figures.make_institution_report(releases, released, "2013", "police", lang),
    ):
        page = text(render_page(made))
        assert all(figure in page for figure in ("7041", "7032", "−9", "Annual report 2013"))
    for made in (
        own_figures.make_institution_report(releases, released, "2013", "courts", lang),
        joint.make_joint_report(released, "2013", "public", lang),
        joint.make_joint_report(released, "2013", "government", lang),
    ):
        assert "7041" not in text(render_page(made)) and "7032" not in text(render_page(made))
