"""What the tests of the portal share: a home, signed-in clients, a running server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.resources.workplace import Workplace


@dataclass(frozen=True)
class World:
    """A work place whose run has seen all but the last quarter, which lies in `later/<institution>/<delivery>`."""

    place: Workplace
    later: Path

    def client(self, role: str, institution: str = "", language: str = "en") -> Any:
        """A test client signed in as the demo account of a role, who reads a language."""
        from django.test import Client

        client, account = Client(), self.account(role, institution)
        account.language = language
        account.save(update_fields=["language"])
        client.force_login(account)
        return client

    def account(self, role: str, institution: str = "") -> Any:
        """The demo account of a role."""
        from portal.accounts.models import Account

        return Account.objects.get(email=f"{role}.{institution}@demo.invalid" if institution else f"{role}@demo.invalid")

    def audit(self) -> list[tuple[str, str, str, str | None]]:
        """The audit log: who, action, subject, reason."""
        from sqlalchemy import select

        from harmonia.registry.tables import Audit
        from portal.services import registry

        with registry().read() as session:
            return [(one.who, one.action, one.subject, one.reason) for one in session.scalars(select(Audit).order_by(Audit.id))]


def ready(place: Workplace) -> None:
    """Django for a work place, once a process, with demo accounts."""
    from portal.serve import prepare_django

    mask = os.umask(0o022)
    os.umask(mask)
    prepare_django(place, demo=True)
    os.umask(mask)
    from django.test.utils import setup_test_environment

    setup_test_environment()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Served:
    """A running `harmonia portal --demo`."""

    place: Workplace
    later: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    @contextmanager
    def started(cls, place: Workplace, later: Path, port: int = 0, **settings: str) -> Iterator[Served]:
        port = port or free_port()
        running = cls(place, later, port, start(place, port, **settings))
        try:
            running.wait()
            yield running
        finally:
            running.process.send_signal(signal.SIGTERM)
            running.process.wait(20)

    def wait(self) -> None:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                raise AssertionError(f"the portal ended: {self.process.returncode}")
            time.sleep(0.1)
        raise AssertionError("the portal did not start")

    def logged(self) -> str:
        """What the portal recorded of failures that nobody expected, for the message of a test."""
        logs = sorted((self.place.home.root / "logs").glob("*.log"))
        return "\n".join(f"{path.name}\n{path.read_text('utf-8')}" for path in logs) or "no failure was recorded in HOME/logs"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.process = start(self.place, self.port)
        self.wait()


def start(place: Workplace, port: int, **settings: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from harmonia.cli.main import main; main()", "portal", "--demo", "--port", str(port)]
    places = ["--inbox", str(place.inbox), "--home", str(place.home.root)]
    log = place.home.root / "server.log"
    with log.open("ab") as out:
        return subprocess.Popen([*command, *places], env={**os.environ, **settings}, stdout=out, stderr=out)


class Guest:
    """Whoever speaks HTTP to a running portal: keeps cookies, sends the token of forms."""

    def __init__(self, url: str) -> None:
        import requests

        self.url, self.web = url, requests.Session()

    def get(self, path: str, **more: Any) -> Any:
        return self.web.get(self.url + path, timeout=60, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
        if "harmonia_csrf" not in self.web.cookies:
            self.get("/sign-in")
        headers = {"X-CSRFToken": self.web.cookies.get("harmonia_csrf") or "", **more.pop("headers", {})}
        return self.web.post(self.url + path, data, headers=headers, timeout=120, **more)

    def demo(self, role: str, institution: str = "", language: str = "en") -> Guest:
        """Signed in as a demo account."""
        email = f"{role}.{institution}@demo.invalid" if institution else f"{role}@demo.invalid"
        assert self.post("/demo", {"email": email}).status_code == 200
        self.post("/language", {"language": language})
        return self


def sign_in(tab: Any, url: str, role: str, institution: str = "", language: str = "en") -> None:
    """Sign in by the page of the demonstration and choose a language."""
    tab.goto(f"{url}/sign-in")
    address = f"{role}.{institution}@demo.invalid" if institution else f"{role}@demo.invalid"
    tab.click(f"button[value='{address}']")
    tab.click(f".languages button[value={language}]")
