"""The scorecards of a whole run: private files, and nothing serious or critical by axe-core in a real browser."""

from __future__ import annotations

import os
import shutil
import stat

import pytest
from pipeline_world import Ran

from sources.contract import institutions

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.slow
def test_every_institution_has_a_scorecard_that_only_the_running_user_reads(ran: Ran) -> None:
    for institution in institutions():
        folder = ran.place.home.root / "scorecards" / institution
        assert len(sorted(folder.glob("*.html"))) == 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not on this machine (Debian: apt install chromium)")
@pytest.mark.parametrize("width", [1200, 380])
def test_axe_finds_nothing_serious_or_critical(ran: Ran, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    sync_api = pytest.importorskip("playwright.sync_api")
    wrong = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        tab = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 900}).new_page()
        for page in sorted((ran.place.home.root / "scorecards").glob("*/*.html")):
            tab.goto(page.as_uri())
            said = axe.Axe().run(tab).response
            assert len(said["passes"]) > 10, "axe looked at the page"
            wrong += [(page.name, one["id"], one["impact"]) for one in said["violations"] if one["impact"] in ("serious", "critical")]
        browser.close()
    assert wrong == []
