"""`python docs/pictures.py FILES`: the pictures of docs/how-to/portal.md, from a simulated set with a run. Needs Chromium, Playwright.

FILES: a folder `police/2013-Q4` of a delivery that the run has not seen. The portal must run over them with `--demo`
on HARMONIA_PORTAL (default http://127.0.0.1:8300). Pictures are of simulated persons alone.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

OUT = Path(__file__).parent / "how-to" / "portal"
PORTAL = os.environ.get("HARMONIA_PORTAL", "http://127.0.0.1:8300")


def signed_in(browser: Any, role: str, institution: str = "", width: int = 1100, height: int = 720) -> Any:
    """A page signed in as a demo account, in English."""
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.goto(f"{PORTAL}/sign-in")
    page.click(f"button[value='{role}.{institution}@demo.invalid']" if institution else f"button[value='{role}@demo.invalid']")
    page.click(".languages button[value=en]")
    return page


def main(files: Path) -> None:
    """Take them."""
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)

        def take(page: Any, name: str, path: str = "") -> None:
            if path:
                page.goto(f"{PORTAL}{path}")
            page.wait_for_timeout(800)
            page.screenshot(path=OUT / f"{name}.png")

        clerk = signed_in(browser, "clerk", "police")
        take(clerk, "quarters", "/police")
        clerk.goto(f"{PORTAL}/police/new?period=2013-Q4")
        clerk.set_input_files("#files", sorted((files / "police" / "2013-Q4").iterdir()))
        clerk.click("button.primary")
        clerk.wait_for_selector("#would-count", timeout=120_000)
        take(clerk, "check")
        take(clerk, "findings", "/police/deliveries/2013-Q3/findings")
        take(signed_in(browser, "head", "police"), "signature", "/police/deliveries/2013-Q3#signature")
        steward = signed_in(browser, "steward")
        steward.goto(f"{PORTAL}/steward")
        steward.click(".actions a.primary, a.button.primary")
        steward.wait_for_load_state("networkidle")
        take(steward, "pair")
        coordinator = signed_in(browser, "coordinator")
        take(coordinator, "owes", "/coordinator")
        take(signed_in(browser, "engineer"), "state", "/engineer")
        administrator = signed_in(browser, "administrator")
        take(administrator, "accounts", "/accounts")
        take(signed_in(browser, "clerk", "police", 390, 780), "narrow", "/police")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
