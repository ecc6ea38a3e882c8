"""No name of a person in what the portal writes about its work: logs, addresses, titles, the audit log, its own tables.

Planted names stand where none is expected: in names of files, in columns, in cells; and somebody searches for one.
"""

from __future__ import annotations

import base64
import re
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hostile_names import full_names, planted
from personal_world import persons, plain
from portal_world import Guest, Served

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from portal.permissions import Role

pytestmark = pytest.mark.slow
ADDRESSES = re.compile(r'(?:href|action|src|hx-get|hx-post)="([^"]*)"')
PAGES = {
    (Role.CLERK, "police"): ["/police", "/police/deliveries/2013-Q2", "/police/deliveries/2013-Q2/findings?kind=all", "/police/new"],
    (Role.HEAD, "courts"): ["/courts", "/courts/deliveries/2013-Q2", "/courts/deliveries/2013-Q2/findings?kind=all"],
    (Role.STEWARD, ""): ["/steward", "/steward/samples", "/steward/search"],
    (Role.COORDINATOR, ""): ["/coordinator", "/coordinator/answers", "/coordinator/releases", "/coordinator/reports"],
    (Role.ENGINEER, ""): ["/engineer"],
    (Role.ADMINISTRATOR, ""): ["/accounts", "/audit"],
}


class Recorder:
    """Everything that a visit leaves outside the body of a page: addresses with their links, titles, headers that allow storing."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()
        self.titles: set[str] = set()
        self.stored: list[str] = []

    def see(self, page: Any) -> Any:
        for one in (*page.history, page):
            self.addresses |= {one.url, one.headers.get("Location", ""), one.headers.get("HX-Push-Url", "")}
            if one.headers.get("Cache-Control") != "no-store":
                self.stored.append(one.url)
        self.addresses |= set(ADDRESSES.findall(page.text))
        self.titles |= set(re.findall(r"<title>(.*?)</title>", page.text, re.S))
        return page


def found(names: set[str], text: str) -> list[str]:
    here = f" {re.sub('[^a-z0-9]+', ' ', plain(text))} "
    return [name for name in names if f" {name} " in here]


@pytest.fixture(scope="module")
def hostile(pristine: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A portal over a run that met planted names."""
    folder = tmp_path_factory.mktemp("names") / "set"
    shutil.copytree(pristine.inbox.parent, folder, symlinks=True)
    planted(folder / "inbox", folder / "truth")
    place = Workplace.from_paths(folder / "inbox", folder / "home")
    run_everything(place, SilentListener())
    with Served.started(place, folder / "later") as running:
        yield running


def test_no_name_is_in_logs_addresses_titles_or_the_portals_own_tables(hostile: Served) -> None:
    truth, home = hostile.place.inbox.parent / "truth", hostile.place.home.root
    _, every = persons(truth)
    names, seen, one = {name for name in every if " " in name}, Recorder(), next(full_names(truth))
    assert len(names) > 20
    for (role, institution), paths in PAGES.items():
        guest = Guest(hostile.url).demo(role, institution)
        for path in paths:
            page = seen.see(guest.get(path))
            assert page.status_code == 200, path
            for there in sorted(set(ADDRESSES.findall(page.text)))[:40]:
                if there.startswith("/") and not there.startswith(("/static", "/sign-out")):
                    seen.see(guest.get(there.replace("&amp;", "&")))
        if role is Role.CLERK:
            findings = f"/{institution}/deliveries/2013-Q2/findings"
            unit = re.search(
                r'<option value="([^"]+)"[^>]*>[^<]*</option></select></div>\s*<div><label for="text"', guest.get(findings).text
            )
            for form in ({"text": one}, {"kind": "all", "unit": unit[1] if unit else one}, {"kind": "all", "text": "a", "page": "2"}):
                for headers in ({}, {"HX-Request": "true"}):
                    seen.see(guest.post(findings, form, headers=headers))
            files = [("files", (f"{one}.csv", b"x;y\n")), ("files", ("rastet.csv", one.encode()))]
            seen.see(guest.post(f"/{institution}/new", {"period": "2013-Q4"}, files=files))
        if role is Role.STEWARD:
            seen.see(guest.post("/steward/search", {"name": one, "entity": "person", "reason": "a check"}))
    assert len(seen.addresses) > 100 and len(seen.titles) > 10
    assert found(names, "\n".join(seen.addresses)) == []
    assert found(names, "\n".join(seen.titles)) == []
    assert [url for url in seen.stored if "/static/" not in url] == [], "no browser and no proxy keeps a page"
    for path in [home / "server.log", *(home / "logs").rglob("*")]:
        if path.is_file():
            assert found(names, f"{path.name}\n{path.read_text('utf-8', 'replace')}") == [], path.name
    for path in (home / "portal").rglob("*"):
        assert found(names, path.name) == [], "nor a file's name"
    assert found(names, "\n".join(_tables(home / "portal" / "portal.sqlite3"))) == []
    with closing(sqlite3.connect(home / "registry.sqlite")) as registry:
        audit = [" ".join(map(str, row)) for row in registry.execute("SELECT who, action, subject, reason FROM audit").fetchall()]
    assert audit and found(names, "\n".join(audit)) == []


def _tables(path: Path) -> Iterator[str]:
    """Every cell of the portal's tables, sessions as Django reads them. Names of uploaded files are in receipts alone."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in base.execute(f'SELECT * FROM "{table}"').fetchall():
                yield " ".join(str(cell) for cell in row if cell is not None)
                if table == "accounts_session":
                    for cell in row:
                        if isinstance(cell, str) and cell.startswith("."):
                            packed = cell[1:].split(":")[0]
                            yield zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))).decode()
