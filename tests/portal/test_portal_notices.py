"""Notices against a real SMTP server: they say that something waits, never what."""

from __future__ import annotations

import datetime as dt
import queue
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from portal_world import Guest, Served, free_port

from pipelines.resources.workplace import Workplace

pytestmark = pytest.mark.slow
COORDINATOR, CLERK, DEAF = "coordinator@example.org", "clerk@example.org", "deaf@example.org"
SENDER = "harmonia@example.org"


class Letters:
    """What a mail server received."""

    def __init__(self) -> None:
        self.received: queue.Queue[tuple[str, list[str], Message, bool, bool]] = queue.Queue()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        letter = message_from_bytes(envelope.content, policy=default)
        encrypted = session.ssl is not None
        self.received.put((envelope.mail_from, list(envelope.rcpt_tos), letter, encrypted, bool(session.authenticated)))
        return "250 OK"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")]), dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return paths


def account(place: Workplace, email: str, role: str, *more: str) -> None:
    command = [sys.executable, "-c", "from harmonia.cli.main import main; main()", "invite", email, "--role", role, "--name", "Somebody"]
    subprocess.run([*command, *more, "--inbox", str(place.inbox), "--home", str(place.home.root)], check=True, capture_output=True)


@pytest.fixture(params=["open", "with a password"])
def mailed(request: pytest.FixtureRequest, pristine: Workplace, tmp_path: Path) -> Iterator[tuple[Served, Letters]]:
    """A portal with three accounts that are no demonstration, and the mail server that it uses."""
    shutil.copytree(pristine.inbox.parent, tmp_path / "set", symlinks=True)
    place = Workplace.from_paths(tmp_path / "set" / "inbox", tmp_path / "set" / "home")
    account(place, COORDINATOR, "coordinator")
    account(place, CLERK, "clerk", "--institution", "courts")
    account(place, DEAF, "clerk", "--institution", "police")
    letters, port, tls = Letters(), free_port(), {}
    settings = {"HARMONIA_PORTAL_FROM": SENDER, "HARMONIA_PORTAL_SMTP": f"smtp://127.0.0.1:{port}"}
    if request.param != "open":
        chain, key = certificate(tmp_path)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)

        def known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: LoginPassword) -> AuthResult:
            return AuthResult(success=given == LoginPassword(b"portal", b"a secret"))

        tls = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": known}
        settings |= {"HARMONIA_PORTAL_SMTP": f"smtp://portal:a%20secret@127.0.0.1:{port}", "SSL_CERT_FILE": str(chain)}
    server = Controller(letters, hostname="127.0.0.1", port=port, **tls)
    server.start()
    try:
        with Served.started(place, tmp_path / "set" / "later", **settings) as running:
            yield running, letters
    finally:
        server.stop()


def test_a_notice_says_that_something_waits_and_never_what(mailed: tuple[Served, Letters], request: pytest.FixtureRequest) -> None:
    served, letters = mailed
    head = Guest(served.url).demo("head", "courts")
    page = head.get("/courts/deliveries/2013-Q2").text
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert seen
    head.post("/courts/quarters/2013-Q2/sign", {"seen": seen[1], "delivery": "2013-Q2"})
    got = [letters.received.get(timeout=60)]
    Guest(served.url).demo("coordinator").post("/coordinator/remind", {"institution": "courts"})
    got.append(letters.received.get(timeout=60))
    assert [(sender, to) for sender, to, *_ in got] == [(SENDER, [COORDINATOR]), (SENDER, [CLERK])], "those alone for whom something waits"
    for _, _, letter, encrypted, authenticated in got:
        assert letter["Subject"] == "Harmonia: diçka pret", "in the language of the account"
        body = letter.get_content().strip()
        assert body == "Në portalin Harmonia diçka pret për ju. Kyçuni për ta parë."
        assert encrypted == authenticated == ("password" in request.node.callspec.id)
    assert letters.received.empty()
    assert all(word not in str(letter) for _, _, letter, *_ in got for word in ("2013", "courts", "Q2", "sign", "Gjykat"))


def test_a_mail_server_that_is_away_holds_nobody(pristine: Workplace, tmp_path: Path) -> None:
    shutil.copytree(pristine.inbox.parent, tmp_path / "set", symlinks=True)
    place = Workplace.from_paths(tmp_path / "set" / "inbox", tmp_path / "set" / "home")
    account(place, CLERK, "clerk", "--institution", "courts")
    with Served.started(place, tmp_path / "set" / "later", HARMONIA_PORTAL_SMTP=f"smtp://127.0.0.1:{free_port()}") as served:
        guest = Guest(served.url).demo("coordinator")
        assert guest.post("/coordinator/remind", {"institution": "courts"}).status_code == 200
        assert guest.get("/coordinator").status_code == 200
        assert "recorded in HOME/logs" in served.logged()
