"""The whole flow of clerk, head, coordinator and engineer in a real Chromium: by keyboard alone, at 390 pixels, in each language, with axe
on every state on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from portal_world import Served
from test_portal_browser import NARROW, later, tab, wrong

pytestmark = pytest.mark.slow
WORDS: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "portal" / "words.yaml").read_text("utf-8"))
LANGUAGES = ["sq", "sr", "en"]
OWN = {"sq": "courts", "sr": "prosecution", "en": "police"}


class Keyboard:
    """Somebody without a mouse, who meets no barrier: `here` fails where axe finds a serious one."""

    def __init__(self, page: Any, url: str, language: str) -> None:
        self.page, self.url, self.language = page, url, language

    def text(self, *path: str) -> str:
        """A text of the portal in this language."""
        node = WORDS
        for key in path:
            node = node[key]
        return str(node[LANGUAGES.index(self.language)])

    def to(self, selector: str) -> None:
        """Go to an element by Tab alone."""
        for _ in range(200):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} is not reached by Tab on {self.page.url}")

    def press(self, selector: str, key: str = "Enter") -> None:
        """Go there and press a key."""
        self.to(selector)
        self.page.keyboard.press(key)

    def shown(self, text: str) -> None:
        """Wait for a text, then look for barriers."""
        self.page.wait_for_selector(f"text={text}", timeout=180_000)
        assert wrong(self.page) == [], self.page.url

    def sign_in(self, role: str, institution: str = "") -> None:
        """By the page of the demonstration; choose the language."""
        self.page.goto(f"{self.url}/sign-in")
        assert wrong(self.page) == []
        address = f"{role}.{institution}@demo.invalid" if institution else f"{role}@demo.invalid"
        with self.page.expect_navigation():
            self.press(f"button[value='{address}']")
        with self.page.expect_navigation():
            self.press(f".languages button[value={self.language}]")
        spoken = "sr-Latn" if self.language == "sr" else self.language
        assert self.page.get_attribute("html", "lang") == spoken


@pytest.fixture(params=LANGUAGES)
def hands(served: Served, chromium: Any, request: pytest.FixtureRequest) -> Keyboard:
    return Keyboard(tab(chromium, NARROW, bypass_csp=True), served.url, request.param)


def with_findings(served: Served, institution: str) -> str:
    """A delivery of the institution with a finding that waits for an answer, and without a later version."""
    reports = sorted((served.place.home.feedback / institution).glob("2013-Q*/findings.json"))
    names = [report.parent.name for report in reports]
    for report in reports:
        findings = json.loads(report.read_text("utf-8"))["findings"]
        later_version = any(name.startswith(f"{report.parent.name}_v") for name in names)
        if not later_version and any(one["severity"] == "warning" and one["state"] == "new" for one in findings):
            return report.parent.name
    raise AssertionError(f"no delivery of {institution} waits for an answer")


def test_from_an_upload_to_a_countersigned_answer(served: Served, hands: Keyboard) -> None:
    page, institution = hands.page, OWN[hands.language]
    hands.sign_in("clerk", institution)
    with page.expect_navigation():
        hands.press(f"a[href='/{institution}/new']")
    hands.press("#upload button.primary")  # nothing chosen yet
    hands.to("#period")
    page.select_option("#period", "2013-Q4")
    hands.to("#files")
    page.set_input_files("#files", later(served, institution))
    hands.press("#upload button.primary")
    hands.shown(hands.text("would_count"))
    with page.expect_navigation():
        hands.press("form[action$='/submit'] button")
    hands.shown(hands.text("receipt"))
    assert (served.place.inbox / institution / "2013-Q4").is_dir()

    page.goto(f"{hands.url}/{institution}/deliveries/2013-Q1")
    hands.shown(hands.text("signature"))
    page.goto(f"{hands.url}/{institution}/deliveries/{with_findings(served, institution)}/findings")
    hands.press("input[name=verdict]", "ArrowDown")  # Tab stops at a group of choices once; arrows choose
    assert page.evaluate("document.activeElement.value") == "accepted"
    hands.to("#reason")
    page.keyboard.type("=1+1 <b>as in the file</b>")
    hands.press("input[name=finding]", "Space")
    with page.expect_navigation():
        hands.press("form#answers button.primary")
    hands.shown(f"{hands.text('answers_entered')}: 1")

    hands.sign_in("head", institution)
    page.goto(f"{hands.url}/{institution}/deliveries/2013-Q1")
    with page.expect_navigation():
        hands.press("form[action$='/sign'] button.primary")
    hands.shown(hands.text("sign_done"))

    hands.sign_in("coordinator")
    page.goto(f"{hands.url}/coordinator/answers")
    hands.press("button[value=countersigned]")  # none marked
    hands.shown(hands.text("decide_none"))
    assert "<b>as in the file</b>" in page.inner_text("main")
    hands.press("input[name=answer]", "Space")
    with page.expect_navigation():
        hands.press("button[value=countersigned]")
    hands.shown(f"{hands.text('decided', 'countersigned')}: 1")
    page.goto(f"{hands.url}/coordinator")
    with page.expect_navigation():
        hands.press(f"form[action$='/remind'] button[value={institution}]")
    hands.shown(hands.text("no_mail"))


def test_the_engineer_finds_a_delivery_and_its_run(served: Served, hands: Keyboard) -> None:
    page, institution = hands.page, OWN[hands.language]
    hands.sign_in("engineer")
    hands.shown(hands.text("disk_free"))
    page.wait_for_selector(f"text={hands.text('dagster_asking')}", state="detached", timeout=180_000)
    assert wrong(page) == []
    with page.expect_navigation():
        hands.press(f"a[href$='?institution={institution}']")
    hands.to("tbody a[href*='view=partitions']")
    assert re.search(rf"/assets/{institution}/delivery\?view=partitions&partition=2013-Q", page.evaluate("document.activeElement.href"))
    assert wrong(page) == []


def test_signing_in_with_a_password_and_the_own_account(served: Served, hands: Keyboard) -> None:
    page = hands.page
    hands.sign_in("administrator")
    page.goto(f"{hands.url}/accounts/invite")
    hands.to("#id_name")
    page.keyboard.type("Somebody New")
    hands.to("#id_email")
    page.keyboard.type(f"new.{hands.language}@example.org")
    hands.press("input[name=roles][value=engineer]", "Space")
    with page.expect_navigation():
        hands.press("form.card button.primary")
    hands.shown("/invitations/")
    link = page.inner_text("code.copy")
    with page.expect_navigation():
        hands.press("form[action='/sign-out'] button")
    page.goto(link)
    for field in ("new_password1", "new_password2"):
        hands.to(f"[name={field}]")
        page.keyboard.type("too short")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert wrong(page) == []
    for field in ("new_password1", "new_password2"):
        hands.to(f"[name={field}]")
        page.keyboard.type("a long enough sentence of words")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(f"{hands.url}/account")
    assert wrong(page) == []
    with page.expect_navigation():
        hands.press("form[action='/sign-out-everywhere'] button")
    hands.to("[name=email]")
    page.keyboard.type(f"new.{hands.language}@example.org")
    hands.to("[name=password]")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector(".notice.error")
    assert wrong(page) == []
    hands.to("[name=password]")
    page.keyboard.type("a long enough sentence of words")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/engineer")
