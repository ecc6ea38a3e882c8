"""A prosecution that delivers a database server: its dump is landed once, and the URL shows nowhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from landing_world import World

import pipelines.landing.database as database
from pipelines.resources.bounded import Bounds

SECRET = "postgresql://psh:topsecret@db.example.org/psh"
POINTER = "prosecution/2013-Q2/psh.url"


class Server:
    """Stands for the database server: what it gives, and how often it was asked."""

    def __init__(self) -> None:
        self.content = b"dump one"
        self.asked: list[str] = []
        self.away = False

    def __call__(self, url: str) -> bytes | str:
        self.asked.append(url)
        return "the prosecution's database could not be read (OperationalError)" if self.away else self.content


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(database, "request_database_dump", server)
    monkeypatch.setenv("PSH_URL", SECRET)
    return server


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_dump_is_landed_beside_its_pointer_and_the_server_asked_once(world: World, server: Server) -> None:
    world.put(POINTER, "PSH_URL\r\n")
    assert world.list_findings() == []
    assert world.landed_files() == {("prosecution", "2013-Q2"): {"psh.dump": b"dump one", "psh.url": b"PSH_URL\r\n"}}
    server.content = b"dump two"
    before = world.ledger()
    world.land()
    assert server.asked == [SECRET]
    assert world.ledger() == before
    world.put("prosecution/2013-Q2_v2/psh.url", "PSH_URL")
    assert world.list_findings() == []
    assert world.landed_files()[("prosecution", "2013-Q2_v2")]["psh.dump"] == b"dump two"
    assert world.landed_files()[("prosecution", "2013-Q2")]["psh.dump"] == b"dump one"


def test_a_server_away_is_reported_and_asked_again(world: World, server: Server) -> None:
    server.away = True
    world.put(POINTER, "PSH_URL")
    report = world.land()
    assert [(f["rule"], f["file"]) for f in report.findings] == [("delivery-database-unreachable", "psh.url")]
    assert report.new[0].incomplete
    assert world.landed_files() == {("prosecution", "2013-Q2"): {"psh.url": b"PSH_URL"}}
    server.away = False
    assert world.list_findings() == []
    assert set(world.landed_files()[("prosecution", "2013-Q2")]) == {"psh.dump", "psh.url"}


def test_a_changed_pointer_asks_again_and_keeps_the_landed_state_while_the_server_is_away(world: World, server: Server) -> None:
    world.put(POINTER, "PSH_URL")
    world.land()
    before = world.landed_files()
    server.away, server.content = True, b"dump two"
    world.put(POINTER, "PSH_URL\n\n")
    assert world.list_findings() == [("delivery-database-unreachable", "prosecution", "2013-Q2", "psh.url")]
    assert world.landed_files() == before
    server.away = False
    assert world.list_findings() == [("delivery-changed-in-place", "prosecution", "2013-Q2", None)]
    assert world.landed_files()[("prosecution", "2013-Q2")]["psh.dump"] == b"dump two"


@pytest.mark.parametrize(
    "content",
    ["PSH_NOT_SET", "PSH_OTHER", "PSH_IN_NO_FILE", "HARMONIA_REGISTRY_URL", "PGSERVICE", "", "A\nB", SECRET, b"\xff\xfe\x00", "X" * 10_000],
)
def test_a_pointer_that_leads_nowhere_is_answered_alike(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch, content: str | bytes
) -> None:
    """The answer does not tell which variables there are, and Harmonia's own databases are no deliveries."""
    monkeypatch.setenv("PSH_OTHER", "file:///etc/passwd")
    monkeypatch.setenv("PSH_IN_NO_FILE_FILE", "/etc/no-such-file")
    monkeypatch.setenv("HARMONIA_REGISTRY_URL", "postgresql://localhost/registry")
    world.put(POINTER, content)
    findings = world.land().findings
    assert [(f["rule"], f["detail"]) for f in findings] == [("delivery-database-unreachable", database._NO_DATABASE)]
    assert server.asked == []
    assert "topsecret" not in repr(findings)
    assert "topsecret" not in repr(world.ledger())


def test_the_url_can_lie_in_a_file(world: World, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://localhost/psh\n")
    monkeypatch.setenv("PSH_IN_FILE_FILE", str(tmp_path / "url"))
    world.put(POINTER, "PSH_IN_FILE")
    assert world.list_findings() == []
    assert server.asked == ["postgresql://localhost/psh"]


def test_one_database_away_is_asked_once_a_run(world: World, server: Server) -> None:
    server.away = True
    for name in ("2013-Q1", "2013-Q2", "2013-Q2_v2"):
        world.put(f"prosecution/{name}/psh.url", "PSH_URL")
    assert [rule for rule, *_ in world.list_findings()].count("delivery-database-unreachable") == 3
    assert server.asked == [SECRET]


class Silent:
    """A server on this machine that takes connections; `says`: what it answers."""

    def __init__(self, says: Callable[[socket.socket], None]) -> None:
        self._says, self._open = says, list[socket.socket]()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://psh:topsecret@127.0.0.1:{self._server.getsockname()[1]}/psh"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self._server.accept()
            except OSError:
                return
            self._open.append(one)  # kept open
            threading.Thread(target=self._says, args=(one,), daemon=True).start()


def _nothing(_: socket.socket) -> None:
    pass


def _welcome_and_nothing(one: socket.socket) -> None:
    """Let anybody in, as PostgreSQL says it; then never answer."""
    while b"user" not in (asked := one.recv(4096)):
        one.sendall(b"N" if asked else b"")  # no encryption
    one.sendall(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I")


def _rubbish(one: socket.socket) -> None:
    with suppress(OSError):
        while True:
            one.sendall(b"R" + bytes(range(256)) * 40)


@pytest.mark.parametrize("says", [_nothing, _welcome_and_nothing, _rubbish])
def test_a_server_that_holds_the_run_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch, says: Callable[..., None]) -> None:
    monkeypatch.setattr(database, "_BOUNDS", Bounds(seconds=2, patience=1))
    monkeypatch.setenv("PSH_URL", Silent(says).url)
    world.put(POINTER, "PSH_URL")
    findings = world.land().findings
    assert [f["rule"] for f in findings] == ["delivery-database-unreachable"]
    assert "topsecret" not in repr(findings)
    assert "127.0.0.1" not in repr(findings)


def test_only_the_institution_that_declares_a_database_is_asked_for_one(world: World, server: Server) -> None:
    world.put("police/2013-Q2/psh.url", "PSH_URL")
    world.put("prosecution/2013-Q2/psh.url", "PSH_URL")
    world.put("prosecution/2013-Q2/psh.dump", "delivered as it is")
    world.land()
    assert server.asked == []
    assert world.landed_files()[("prosecution", "2013-Q2")]["psh.dump"] == b"delivered as it is"
