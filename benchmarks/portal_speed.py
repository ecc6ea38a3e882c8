"""How long does a user of the portal wait: an upload, a list of findings with 50 users at once, verdicts by keyboard?

    python -m benchmarks portal_speed SET [--verdicts 60]

SET: what `harmonia simulate` wrote (from 2012 or 2013), with a run over it in SET/home; it is copied. The real server is asked over HTTP,
for the verdicts by a real Chromium. Goals: 10,000 rows from upload to findings on the page in 30 s; of a list of 20,000 findings, under
any filter, 95 of 100 pages within 300 ms; 600 verdicts an hour. Users at once: each asks again as soon as it has its page, or after
having looked at it for some seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.feedback_large_delivery import CASE, PERSON, STATIONS

CASES, PERSONS, FAULTS = 4_000, 6_000, 1_000
FINDINGS, USERS, PAGES = 20_000, 50, 6
PERIOD, QUARTER = "2013-Q1", "2013-Q4"
LOOKING = (2.0, 6.0)  # seconds that a user looks at a page
Filters = list[dict[str, str]]


def ten_thousand_rows() -> dict[str, bytes]:
    """The two files of the police, with a fault in each of `FAULTS` rows."""
    rng = random.Random(1)
    cases = [f"2013-PR-{n:05};{1 + n % 28:02}.11.2013;;;{rng.choice(STATIONS)};Prishtinë;;171;;Nën hetim;" for n in range(CASES)]
    persons = []
    for n in range(PERSONS):
        born, sex = ("31.02.1970", "X") if n < FAULTS else (f"{1 + n % 28:02}.03.1980", "M")
        persons.append(f"2013-PR-{n % CASES:05};{1 + n // CASES};I dyshuar;Krasniqi;Arben;Hasan;;{born};Pejë;Pejë;{sex};Kosovë;")
    parts = (("rastet.csv", CASE, cases), ("personat.csv", PERSON, persons))
    return {name: "\r\n".join([head, *rows, ""]).encode("cp1250") for name, head, rows in parts}


def many_findings(report: Path) -> None:
    """Make a report one of `FINDINGS` findings, by repeating its own under new names."""
    document = json.loads(report.read_text("utf-8"))
    own = document["findings"]
    document["findings"] = [{**own[n % len(own)], "finding": f"{n:016x}", "number": f"2013-{n}"} for n in range(FINDINGS)]
    report.write_text(json.dumps(document), "utf-8")


def signed_in(url: str, email: str = "clerk.police@demo.invalid") -> requests.Session:
    """An account of the demonstration."""
    web = requests.Session()
    web.get(f"{url}/sign-in", timeout=60)
    web.headers["X-CSRFToken"] = web.cookies["harmonia_csrf"]
    web.post(f"{url}/demo", {"email": email}, timeout=60)
    web.headers["X-CSRFToken"] = web.cookies["harmonia_csrf"]
    return web


def upload(url: str) -> float:
    """Seconds from the upload to the page with its findings."""
    web, files = signed_in(url), [("files", part) for part in ten_thousand_rows().items()]
    begun = time.perf_counter()
    page = web.post(f"{url}/police/new", {"period": QUARTER}, files=files, timeout=120)
    while 'id="running"' in page.text:
        time.sleep(0.2)
        page = web.get(page.url, timeout=60)
    assert 'class="finding' in page.text, "findings are on the page"
    return time.perf_counter() - begun


def every_filter(page: str) -> Filters:
    """Filters by state, alone and with each other one that the page offers."""
    offered = {}
    for name in ("unit", "severity", "rule"):
        chosen = re.search(rf'<select[^>]*name="{name}".*?</select>', page, re.S)
        offered[name] = [value for value in re.findall(r'<option value="([^"]*)"', chosen[0]) if value] if chosen else []
    more: Filters = [{}, {"text": "2013-19"}, {"text": "31.02"}, {"page": "40"}]
    more += [{name: value} for name, values in offered.items() for value in values[:4]]
    return [{"kind": kind, **one} for kind in ("all", "waiting", "to_do", "consequence", "information") for one in more]


def ask(url: str, web: requests.Session, filters: Filters, seed: int, looking: bool, taken: list[float]) -> None:
    """Pages of the list under random filters, one after the other."""
    rng = random.Random(seed)
    for _ in range(PAGES):
        if looking:
            time.sleep(rng.uniform(*LOOKING))
        begun = time.perf_counter()
        page = web.post(f"{url}/police/deliveries/{PERIOD}/findings", rng.choice(filters), headers={"HX-Request": "true"}, timeout=120)
        taken.append(time.perf_counter() - begun)
        assert page.status_code == 200


def lists(url: str, users: list[requests.Session], filters: Filters, looking: bool) -> str:
    """Median and 95th percentile of a page with all `users` at once."""
    taken: list[float] = []
    threads = [threading.Thread(target=ask, args=(url, web, filters, n, looking, taken)) for n, web in enumerate(users)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    taken.sort()
    return f"median {1_000 * taken[len(taken) // 2]:.0f} ms, p95 {1_000 * taken[int(0.95 * len(taken))]:.0f} ms"


def verdicts(url: str, number: int) -> Iterator[str]:
    """Verdicts by keys, as soon as the next pair is on the page, and as soon as it says what its verdicts change."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else [])
        tab = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        tab.set_default_timeout(120_000)
        tab.goto(f"{url}/sign-in")
        tab.click("button[value='steward@demo.invalid']")
        tab.goto(f"{url}/steward")
        waiting = int(re.findall(r"\d+", tab.inner_text(".lead"))[0])
        yield f"{waiting:,} pairs wait"
        tab.keyboard.press("j")
        for awaited, what in ((".verdicts", "the page"), (".consequence h3", "the page and its consequences")):
            tab.wait_for_selector(awaited)
            taken = []
            for n in range(number):
                before, begun = tab.url, time.perf_counter()
                tab.keyboard.press("sdu"[n % 3])
                tab.wait_for_url(lambda there, before=before: there != before)
                tab.wait_for_selector(awaited)
                taken.append(time.perf_counter() - begun)
            median, mean = sorted(taken)[number // 2], sum(taken) / number
            yield f"{3600 / mean:,.0f} verdicts an hour, waiting for {what}: median {median:.2f} s, load {os.getloadavg()[0]:.1f}"
        browser.close()


@contextmanager
def served(copy: Path) -> Iterator[str]:
    """The address of the portal over a set."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-c", "from harmonia.cli.main import main; main()", "portal", "--demo", "--port", str(port)]
    server = subprocess.Popen([*program, "--inbox", str(copy / "inbox"), "--home", str(copy / "home")], stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def main() -> None:
    """Serve a copy, measure, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("set", type=Path)
    options.add_argument("--verdicts", type=int, default=60)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "set"
        shutil.copytree(given.set, copy, symlinks=True, ignore=shutil.ignore_patterns("portal", ".incoming"))
        many_findings(copy / "home" / "feedback" / "police" / PERIOD / "findings.json")
        with served(copy) as url:
            print(f"load {os.getloadavg()[0]:.1f}", flush=True)
            print(f"upload of {CASES + PERSONS:,} rows to findings on the page: {upload(url):.1f} s", flush=True)
            first, begun = signed_in(url), time.perf_counter()
            page = first.get(f"{url}/police/deliveries/{PERIOD}/findings?kind=all", timeout=120).text
            print(f"list of {FINDINGS:,} findings: first page after a run {1_000 * (time.perf_counter() - begun):.0f} ms", flush=True)
            filters = every_filter(page)
            alone = lists(url, [first] * 1, filters, looking=False)
            print(f"one user, {len(filters)} filters: {alone}", flush=True)
            users = [signed_in(url) for _ in range(USERS)]
            for looking in (True, False):
                how = "who look at each page for 2 to 6 s" if looking else "who ask again at once"
                print(f"{USERS} users at once {how}: {lists(url, users, filters, looking)}, load {os.getloadavg()[0]:.1f}", flush=True)
            if given.verdicts:  # by a key each
                for line in verdicts(url, given.verdicts):
                    print(line, flush=True)


if __name__ == "__main__":
    main()
