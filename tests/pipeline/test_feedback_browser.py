"""The pages of the feedback in a real browser: nothing serious or critical by axe-core, in any language, wide and narrow."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from pipeline_world import Ran

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not on this machine (Debian: apt install chromium)"),
]


def richest(ran: Ran, institution: str) -> Path:
    """The delivery of an institution with the largest page."""
    return max((ran.place.home.feedback / institution).iterdir(), key=lambda folder: (folder / "findings.html").stat().st_size)


@pytest.mark.parametrize("width", [1200, 380])
def test_axe_finds_nothing_serious_or_critical(ran: Ran, width: int) -> None:
    folders = [richest(ran, institution) for institution in ("police", "courts", "prosecution")]
    pages = sorted(page for folder in folders for page in folder.glob("*.html"))
    assert len(pages) == 3 * 9, "findings, letter and receipt in three languages each"
    wrong = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        tab = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 900}).new_page()
        for page in pages:
            tab.goto(page.as_uri())
            said = axe.Axe().run(tab).response
            assert len(said["passes"]) > 10, "axe looked at the page"
            wrong += [(page.name, one["id"], one["impact"]) for one in said["violations"] if one["impact"] in ("serious", "critical")]
        browser.close()
    assert wrong == []
