"""How long does a clerk wait: 10,000 rows from upload to findings; a list of 20,000 findings, any filter, 50 users at once?

    python -m benchmarks portal_speed SET

SET: what `harmonia simulate` wrote, with a run over it in SET/home; it is copied. The real server is asked over HTTP. Goals: 30 s; 95 of
100 pages within 300 ms.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests

from benchmarks.feedback_large_delivery import CASE, PERSON, STATIONS

CASES, PERSONS, FAULTS = 4_000, 6_000, 1_000
FINDINGS, USERS, PAGES = 20_000, 50, 6
PERIOD, QUARTER = "2013-Q1", "2013-Q4"


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


def signed_in(url: str) -> requests.Session:
    """A clerk of the police, by the demonstration."""
    web = requests.Session()
    web.get(f"{url}/sign-in", timeout=60)
    web.headers["X-CSRFToken"] = web.cookies["harmonia_csrf"]
    web.post(f"{url}/demo", {"email": "clerk.police@demo.invalid"}, timeout=60)
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


def ask(url: str, web: requests.Session, filters: list[dict[str, str]], seed: int, taken: list[float]) -> None:
    """Pages of the list under random filters, one after the other."""
    rng = random.Random(seed)
    for _ in range(PAGES):
        begun = time.perf_counter()
        page = web.post(f"{url}/police/deliveries/{PERIOD}/findings", rng.choice(filters), headers={"HX-Request": "true"}, timeout=120)
        taken.append(time.perf_counter() - begun)
        assert page.status_code == 200


def lists(url: str) -> tuple[float, float]:
    """Median and 95th percentile of a page, in milliseconds, `USERS` at once."""
    first = signed_in(url)
    page = first.get(f"{url}/police/deliveries/{PERIOD}/findings?kind=all", timeout=120).text
    rules = re.findall(r'<option value="([A-Z][A-Z0-9-]+)"', page) or [""]
    filters = [
        {"kind": kind, **more}
        for kind in ("all", "waiting", "to_do", "consequence")
        for more in ({}, {"text": "2013-19"}, {"severity": "warning"}, {"rule": rules[0]}, {"page": "40"})
    ]
    users, taken = [signed_in(url) for _ in range(USERS)], list[float]()
    threads = [threading.Thread(target=ask, args=(url, web, filters, n, taken)) for n, web in enumerate(users)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    taken.sort()
    return 1_000 * taken[len(taken) // 2], 1_000 * taken[int(0.95 * len(taken))]


def main(source: Path) -> None:
    """Serve a copy, measure, print."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        copy = Path(folder) / "set"
        shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns("portal", ".incoming"))
        many_findings(copy / "home" / "feedback" / "police" / PERIOD / "findings.json")
        program = [sys.executable, "-c", "from harmonia.cli.main import main; main()", "portal", "--demo", "--port", str(port)]
        server = subprocess.Popen([*program, "--inbox", str(copy / "inbox"), "--home", str(copy / "home")], stdout=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            print(f"upload of {CASES + PERSONS:,} rows to findings on the page: {upload(url):.1f} s")
            median, most = lists(url)
            print(f"list of {FINDINGS:,} findings, {USERS} users at once: median {median:.0f} ms, p95 {most:.0f} ms")
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
