"""Reports and the explorer in a real browser: axe finds nothing serious, the explorer works from its folder. Skips without Chromium."""

from __future__ import annotations

import pytest

from harmonia.explorer.page import write_explorer_page
from harmonia.reports import joint, own_figures, printing
from harmonia.reports.page import render_page
from harmonia.reports.texts import LANGUAGES
from tests.unit.test_reports import home, released  # noqa: F401 fixtures

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    program = printing.find_browser()
    if program is None:
        pytest.skip("no Chromium on this machine")
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as play:
        found = play.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_reports_are_accessible(home, released, browser, tmp_path, lang):  # noqa: F811
    from axe_playwright_python.sync_playwright import Axe

    pages = {
        "public": joint.make_joint_report(released, "2013", "public", lang),
        "institution": own_figures.make_institution_report(home / "releases", released, "2013", "courts", lang),
    }
    for name, report in pages.items():
        path = tmp_path / f"{name}.html"
        path.write_text(render_page(report), "utf-8")
        page = browser.new_page(bypass_csp=True)
        page.goto(path.as_uri())
        found = Axe().run(page).response["violations"]
        page.close()
        assert [(one["id"], len(one["nodes"])) for one in found if one["impact"] in ("serious", "critical")] == [], name


def test_a_report_prints(released, browser, tmp_path):  # noqa: F811
    page, target = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(render_page(joint.make_joint_report(released, "2013", "public", "sq")), "utf-8")
    printing.print_pdf(page, target)
    assert target.read_bytes().startswith(b"%PDF")


@pytest.fixture
def explorer(released, browser, tmp_path):  # noqa: F811
    """The explorer open from its folder; fails the test if the page reported an error."""
    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(write_explorer_page(released, tmp_path).as_uri())
    yield page
    page.close()
    assert errors == []


def figures(page):
    """Category → figure, as the table shows them."""
    rows = page.locator("#rows tr").all()
    return {row.locator("th").inner_text(): row.locator("td").inner_text() for row in rows}


def test_the_explorer_shows_what_is_chosen(explorer):
    explorer.get_by_role("button", name="English").click()
    explorer.get_by_label("Indicator").select_option("persons_convicted")
    assert figures(explorer) == {"2013 · Trafficking and related offences": "53", "2013 · Trafficking in persons": "27"}
    explorer.get_by_label("Breakdown").select_option("offence_group")
    assert figures(explorer)["Exercising prostitution (minor offence)"] == "13"
    assert "indicator=persons_convicted" in explorer.url
    explorer.get_by_role("button", name="Srpski").click()
    assert "Bavljenje prostitucijom (prekršaj)" in figures(explorer)
    assert explorer.locator("html").get_attribute("lang") == "sr"


def test_what_the_explorer_shows_can_be_downloaded(explorer):
    explorer.get_by_role("button", name="English").click()
    with explorer.expect_download() as held:
        explorer.get_by_role("link", name="Download all figures").click()
    assert held.value.suggested_filename == "cube.csv"


def test_the_explorer_can_be_used_by_keyboard(explorer):
    explorer.keyboard.press("Tab")
    assert explorer.evaluate("document.activeElement.className") == "skip"
    for _ in range(3):
        explorer.keyboard.press("Tab")
    explorer.keyboard.press("Enter")
    assert explorer.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_explorer_is_accessible(released, browser, tmp_path, lang):  # noqa: F811
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(bypass_csp=True)
    page.goto(f"{write_explorer_page(released, tmp_path).as_uri()}#lang={lang}&indicator=victims_identified&table=offence_group")
    found = Axe().run(page).response["violations"]
    page.close()
    assert [(one["id"], len(one["nodes"])) for one in found if one["impact"] in ("serious", "critical")] == []
