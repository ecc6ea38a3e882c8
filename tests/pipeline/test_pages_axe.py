"""Pages for readers in a real browser: axe finds nothing serious. Needs Chromium; skips, saying so, where there is none."""

from __future__ import annotations

import pytest

from pipelines.reports import joint, own_figures, printing
from pipelines.reports.page import html
from pipelines.reports.words import LANGUAGES
from tests.unit.test_reports import home, released  # noqa: F401 fixtures

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    program = printing.browser()
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
        "public": joint.report(released, "2013", "public", lang),
        "institution": own_figures.institution(home / "releases", released, "2013", "courts", lang),
    }
    for name, report in pages.items():
        path = tmp_path / f"{name}.html"
        path.write_text(html(report), "utf-8")
        page = browser.new_page(bypass_csp=True)
        page.goto(path.as_uri())
        found = Axe().run(page).response["violations"]
        page.close()
        assert [(one["id"], len(one["nodes"])) for one in found if one["impact"] in ("serious", "critical")] == [], name


def test_a_report_prints(released, browser, tmp_path):  # noqa: F811
    page, target = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(html(joint.report(released, "2013", "public", "sq")), "utf-8")
    printing.pdf(page, target)
    assert target.read_bytes().startswith(b"%PDF")
