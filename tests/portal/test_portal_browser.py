"""The flows in a real Chromium: by mouse, by keyboard alone, wide and narrow, in three languages; axe on every page and state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from portal_world import Served, sign_in

pytestmark = pytest.mark.slow
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def tab(chromium: Any, viewport: dict[str, int] = WIDE, **options: Any) -> Any:
    page = chromium.new_context(viewport=viewport, **options).new_page()
    page.set_default_timeout(60_000)
    return page


def later(served: Served, institution: str) -> list[Path]:
    return sorted((served.later / institution / "2013-Q4").iterdir())


def wrong(page: Any) -> list[tuple[str, str]]:
    """What axe finds serious or critical, and whether the page is wider than the window."""
    found = axe.Axe().run(page).response
    assert len(found["passes"]) > 10, "axe looked at the page"
    bad = [(one["id"], str(one["nodes"][0]["target"])) for one in found["violations"] if one["impact"] in ("serious", "critical")]
    return [*bad, *([("wider than the window", "")] if page.evaluate("document.documentElement.scrollWidth > innerWidth") else [])]


def test_a_clerk_uploads_checks_and_submits(served: Served, chromium: Any) -> None:
    page = tab(chromium)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    sign_in(page, served.url, "clerk", "police", "sq")
    page.click("text=Dorëzim i ri")
    page.select_option("#period", "2013-Q4")
    page.set_input_files("#files", later(served, "police"))
    assert "rastet.csv" in page.inner_text("#chosen")
    page.click("text=Ngarkoni dhe kontrolloni")
    page.wait_for_selector("#would-count")
    assert page.locator(".finding").count() > 0
    assert page.locator("table.compare tbody tr").count() > 0
    page.click("button:text-is('Dorëzoni')")
    page.wait_for_selector("text=Dorëzimi u pranua i plotë.")
    assert "SHA-256" in page.inner_text("main")
    page.click(".crumbs a")
    assert "i pranuar, pret përpunimin" in page.inner_text("main")
    assert errors == [], "the Content-Security-Policy forbids nothing that the page needs"
    assert (served.place.inbox / "police" / "2013-Q4" / "rastet.csv").is_file()


def test_files_are_dropped_onto_the_page(served: Served, chromium: Any) -> None:
    page = tab(chromium)
    sign_in(page, served.url, "clerk", "courts", "sr")
    page.goto(f"{served.url}/courts/new?period=2013-Q4")
    content = later(served, "courts")[0]
    transfer = page.evaluate_handle(
        """([name, text]) => { const data = new DataTransfer(); data.items.add(new File([text], name)); return data; }""",
        [content.name, content.read_text("utf-8", "replace")],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    assert content.name in page.inner_text("#chosen")


def test_an_upload_that_breaks_off_is_reported_and_leaves_nothing(served: Served, chromium: Any) -> None:
    page = tab(chromium)
    sign_in(page, served.url, "clerk", "corrections", "en")
    page.goto(f"{served.url}/corrections/new?period=2013-Q4")
    page.set_input_files("#files", later(served, "corrections"))
    page.route("**/corrections/new*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.click("text=Upload and check")
    page.wait_for_selector("#broken:visible")
    assert page.is_enabled("text=Upload and check")
    assert not (served.place.inbox / "corrections" / "2013-Q4").exists()


def test_findings_are_filtered_and_answered_by_keyboard_alone(served: Served, chromium: Any) -> None:
    page = tab(chromium)
    sign_in(page, served.url, "clerk", "police", "en")
    page.goto(f"{served.url}/police/deliveries/2013-Q1/findings")
    before = int(page.inner_text("#list [role=status] strong"))

    def press_to(selector: str) -> None:
        for _ in range(120):
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{selector} is not reached by Tab")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "the first stop leads to the content"
    page.keyboard.press("Enter")
    press_to("input[name=verdict]")
    page.keyboard.press("Space")
    press_to("input[name=finding]")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Answers entered: 1")
    assert int(page.inner_text("#list [role=status] strong")) == before - 1
    press_to("#text")
    page.keyboard.type("no such text anywhere")
    page.wait_for_selector("text=No findings here.")
    assert "such" not in page.url, "what is searched for may be a name"


def test_the_head_signs_at_390_pixels(served: Served, chromium: Any) -> None:
    page = tab(chromium, NARROW)
    sign_in(page, served.url, "head", "prosecution", "sr")
    page.click("text=2013-Q2 >> nth=0")
    page.click("text=Potpišite period")
    page.wait_for_selector("text=Period je potpisan.")
    assert "head.prosecution@demo.invalid" in page.inner_text("main")


def test_the_coordinator_countersigns_previews_and_creates_a_release(served: Served, chromium: Any) -> None:
    clerk, page = tab(chromium), tab(chromium)
    sign_in(clerk, served.url, "clerk", "courts", "en")
    clerk.goto(f"{served.url}/courts/deliveries/2013-Q3/findings?severity=warning")
    clerk.check("input[name=verdict][value=accepted]")
    clerk.fill("#reason", "<b>the file says so</b>")
    clerk.check("input[name=finding] >> nth=0")
    clerk.click("text=Answer those marked")
    clerk.wait_for_selector("text=Answers entered: 1")
    sign_in(page, served.url, "coordinator", "", "en")
    page.goto(f"{served.url}/coordinator/answers")
    assert "<b>the file says so</b>" in page.inner_text("main"), "text, not HTML"
    assert "clerk.courts@demo.invalid" in page.inner_text("main")
    page.check("input[name=answer] >> nth=0")
    page.click("button:text-is('Refuse')")
    assert page.locator("#why:invalid").count() == 1 and page.locator("input[name=answer]:checked").count() == 1, "it needs a reason"
    page.click("button:text-is('Countersign')")
    page.wait_for_selector("text=Answers countersigned: 1")
    page.goto(f"{served.url}/coordinator/releases")
    page.click("text=Create the key and sign")
    page.wait_for_selector("text=The policy is signed and in force.")
    with page.expect_download() as download:
        page.click("text=Download the key")
    assert Path(download.value.path()).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    page.fill("#day", "2014-03-31")
    page.click("button:text-is('Preview')")
    page.wait_for_selector("text=The disclosure-risk test is passed", timeout=180_000)
    assert not (served.place.home.releases / "2014-03-31").exists(), "a preview publishes nothing"
    page.click("button:text-is('Create the release')")
    page.wait_for_selector("text=The release was created.", timeout=180_000)
    assert (served.place.home.releases / "2014-03-31" / "public").is_dir()
    page.goto(f"{served.url}/coordinator/reports")
    assert page.locator("tbody tr").count() > 0


PAGES = {
    ("", ""): ["/sign-in"],
    ("clerk", "police"): [
        *("/police", "/police/new", "/police/deliveries/2013-Q1", "/police/deliveries/2013-Q1/findings"),
        *("/police/deliveries/2013-Q1/findings?kind=all", "/police/deliveries/2013-Q1/findings?text=nothing-has-this", "/account"),
        *("/nowhere", "/courts", "/police/receipts/999999"),
    ],
    ("head", "courts"): ["/courts", "/courts/deliveries/2013-Q2"],
    ("coordinator", ""): ["/coordinator", "/coordinator/answers", "/coordinator/releases", "/coordinator/reports"],
    ("engineer", ""): ["/engineer"],
    ("administrator", ""): ["/accounts", "/accounts/invite", "/accounts/1", "/audit"],
    ("analyst", ""): ["/account"],
}


@pytest.mark.parametrize("language", ["sq", "sr", "en"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "390"])
def test_axe_finds_nothing_serious_on_any_page(served: Served, chromium: Any, language: str, viewport: dict[str, int]) -> None:
    found = {}
    for (role, institution), paths in PAGES.items():
        page = tab(chromium, viewport, bypass_csp=True)
        if role:
            sign_in(page, served.url, role, institution, language)
        for path in paths:
            page.goto(f"{served.url}{path}")
            if bad := wrong(page):
                found[role, path] = bad
            title = page.title()
            assert "@" not in title and "Traceback" not in title
        page.context.close()
    assert found == {}
