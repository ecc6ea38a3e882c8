"""The steward's pages in a real Chromium: by keyboard alone, without barriers, in three languages, on a narrow screen."""

from __future__ import annotations

from typing import Any

import pytest
from portal_world import Served, sign_in

from harmonia.registry import open_registry
from harmonia.review.judgements import read_judgements

NARROW = {"width": 390, "height": 844}


def _judgements(served: Served) -> list[tuple[str, str]]:
    registry = open_registry(served.place.registry)
    try:
        found = read_judgements(registry)
    finally:
        registry.close()
    return list(found[["verdict", "why"]].itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def tab(served: Served) -> Any:
    import shutil

    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(90_000)
        sign_in(page, served.url, "steward")
        yield page
        browser.close()


def _consequence(tab: Any) -> None:
    tab.wait_for_selector(".consequence h3")


@pytest.mark.slow
def test_a_sitting_by_keyboard_alone(served: Served, tab: Any) -> None:
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.goto(f"{served.url}/steward")
    tab.keyboard.press("j")
    tab.wait_for_url("**/steward/pairs/**")
    first = tab.url
    _consequence(tab)
    assert tab.locator(".consequence h3").all_inner_texts() == ["If the same", "If different"]
    tab.keyboard.press("r")
    tab.keyboard.type("sentence and court agree")
    tab.keyboard.press("Escape")
    tab.keyboard.press("d")
    tab.wait_for_selector(".notice.good")
    assert tab.url != first
    assert _judgements(served) == [("different", "sentence and court agree")]
    tab.keyboard.press("z")
    tab.wait_for_url(first)
    assert [verdict for verdict, _ in _judgements(served)] == ["different", "withdrawn"]
    tab.keyboard.press("j")
    tab.wait_for_url(lambda url: url != first)
    tab.keyboard.press("k")
    tab.wait_for_url(first)
    tab.keyboard.press("n")
    tab.keyboard.type("no other evidence")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("text=Names are shown")
    tab.keyboard.press("/")
    tab.wait_for_url("**/steward/search**")
    assert errors == []


def test_keys_can_be_turned_off(served: Served, tab: Any) -> None:
    tab.goto(f"{served.url}/steward")
    tab.keyboard.press("j")
    tab.wait_for_url("**/steward/pairs/**")
    there, before = tab.url, len(_judgements(served))
    tab.click("[data-keys]")
    tab.keyboard.press("s")
    tab.wait_for_timeout(500)
    assert (tab.url, len(_judgements(served))) == (there, before)
    tab.click("[data-keys]")


@pytest.mark.slow
def test_no_page_has_a_barrier_or_is_wider_than_a_narrow_screen(served: Served, tab: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab.goto(f"{served.url}/steward/samples")
    tab.fill("#size", "6")
    tab.click("main button.primary")
    tab.wait_for_url("**/steward/samples/*")
    sample = tab.url
    tab.keyboard.press("j")
    tab.wait_for_url("**/steward/samples/*/*")
    blind = tab.url
    tab.goto(f"{served.url}/steward")
    tab.keyboard.press("j")
    tab.wait_for_url("**/steward/pairs/**")
    pair = tab.url
    pages = [f"{served.url}/steward", pair, f"{served.url}/steward/search", f"{served.url}/steward/samples", sample, blind]
    found, wide = [], []
    for language in ("sq", "sr", "en"):
        tab.set_viewport_size({"width": 1280, "height": 900})
        tab.goto(f"{served.url}/steward")
        tab.click(f".languages button[value={language}]")
        for page in pages:
            tab.goto(page)
            if page == pair:
                _consequence(tab)
                for details in tab.locator("details > summary").all():
                    details.click()
            for violation in axe.run(tab).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    found.append((language, page, violation["id"], violation["nodes"][0]["html"][:120]))
            tab.set_viewport_size(NARROW)
            width = tab.evaluate("document.documentElement.scrollWidth")
            if width > NARROW["width"]:
                wide.append((language, page, width))
            tab.set_viewport_size({"width": 1280, "height": 900})
    assert found == []
    assert wide == []
