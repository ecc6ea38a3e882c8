"""Real servers that deliveries are pulled from, and an inbox that they are pulled into.

OpenSSH, an HTTPS server with a self-made authority, an S3 server (moto) and MariaDB, each started for a test on this machine.
"""

from __future__ import annotations

import datetime
import functools
import getpass
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from landing_world import World

from pipelines.pull.pulling import PullLimits, PullOutcome, pull_deliveries
from pipelines.resources.workplace import Workplace

_QUICK = {"settle": 0, "pause": 0, "attempts": 2}


class PullWorld(World):
    """An inbox, a home with a `pull.yaml`, and a folder `there` that represents the institution's side."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.there = root / "there"
        self.there.mkdir()
        self.sources: dict[str, dict[str, Any]] = {}

    def declare(self, institution: str, **keys: Any) -> None:
        """Declare a source in the installation's file."""
        quick = {} if "database" in keys else _QUICK
        self.sources[institution] = {**quick, **keys}
        (self.home.root / "pull.yaml").write_text(yaml.safe_dump(self.sources), "utf-8")

    def offer(self, delivery: str = "2013-Q2", text: str = "one", files: tuple[str, ...] = ("rastet.csv", "personat.csv")) -> Path:
        """Put a police delivery on the institution's side."""
        folder = self.there / delivery
        folder.mkdir(exist_ok=True)
        for name in files:
            (folder / name).write_bytes(f"{name} {text}\r\n".encode())
        return folder

    def pull(self, *names: str, **options: Any) -> list[PullOutcome]:
        """Pull, within the limits of a test."""
        limits = options.pop("limits", PullLimits(seconds=30, memory=512))
        return pull_deliveries(Workplace.from_paths(self.inbox, self.home.root), self.registry, names or None, limits=limits, **options)

    def results(self, *names: str, **options: Any) -> list[tuple[str, str | None, str, str | None]]:
        """Pull; outcomes as (institution, delivery, result, rule or name in the inbox)."""
        return [(one.institution, one.delivery, one.result, one.rule or one.inbox_name) for one in self.pull(*names, **options)]

    def inbox_files(self) -> dict[str, bytes]:
        """Every file of the inbox, also of what a pull builds, by path."""
        return {str(p.relative_to(self.inbox)): p.read_bytes() for p in sorted(self.inbox.rglob("*")) if p.is_file()}

    def deliveries(self) -> list[str]:
        """Folders of deliveries in the inbox."""
        return sorted(str(p.relative_to(self.inbox)) for p in self.inbox.glob("[a-z]*/*"))


def secret(folder: Path, name: str, text: str) -> dict[str, str]:
    """A file with a secret, as a declaration names it."""
    path = folder / name
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return {"file": str(path)}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "a server did not start"
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Sshd:
    """An OpenSSH server for this user, with one key that may log in."""

    folder: Path
    port: int
    key: dict[str, str] = field(default_factory=dict)
    host_key: str = ""

    def source(self, path: Path, **more: Any) -> dict[str, Any]:
        login = {
            "kind": "sftp",
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key": self.key,
            "host_key": self.host_key,
        }
        return {**login, "path": str(path), **more}


def keygen(path: Path) -> str:
    """Make a key pair; return the public key."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""


@contextmanager
def sshd(configuration: str = "") -> Iterator[Sshd]:
    """OpenSSH on a free port, SFTP alone. Skips where it is not installed."""
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(program).exists():
        pytest.skip("needs OpenSSH's server (apt-get install openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="sshd-"))
    server = Sshd(folder, free_port())
    server.host_key = keygen(folder / "host")
    (folder / "authorized").write_text(keygen(folder / "client") + "\n")
    server.key = {"file": str(folder / "client")}
    (folder / "config").write_text(_SSHD.format(folder=folder, port=server.port) + configuration)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", folder / "config"], stderr=log)
    try:
        until(lambda: _listens(server.port))
        yield server
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


@dataclass
class Authority:
    """A self-made authority and the certificates that it signs, as files."""

    folder: Path
    key: Any = None
    name: Any = None

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {self.folder.name}")])
        self._write("ca", self._certificate(self.name, self.key, days=30, ca=True), self.key)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, days: int = 30) -> tuple[Path, Path]:
        """Certificate and key for a server or client; negative `days`: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._write(name, self._certificate(subject, key, days=days, ca=False), key)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _certificate(self, subject: x509.Name, key: Any, *, days: int, ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        constraints = x509.BasicConstraints(ca=ca, path_length=None)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        usage = x509.KeyUsage(True, False, False, False, False, ca, ca, False, False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = x509.CertificateBuilder().issuer_name(self.name).subject_name(subject).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(60))
        builder = builder.not_valid_after(now + datetime.timedelta(days))
        for extension, critical in ((names, False), (constraints, True), (own, False), (usage, True), (issuer, False)):
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate, key: Any) -> None:
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / f"{name}.key").write_bytes(key.private_bytes(*form))


class _Pages(http.server.SimpleHTTPRequestHandler):
    """The pages of a folder, for who has the token; `misbehave` may take a request over."""

    protocol_version = "HTTP/1.1"
    token: str | None = None
    misbehave: Callable[[Any], bool] | None = None

    def do_GET(self) -> None:
        if self._may():
            super().do_GET()

    def do_HEAD(self) -> None:
        if self._may():
            super().do_HEAD()

    def _may(self) -> bool:
        if self.token is not None and self.headers.get("Authorization") != f"Bearer {self.token}":
            self.send_error(401)
            return False
        return type(self).misbehave is None or not type(self).misbehave(self)  # type: ignore[misc]

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def https(
    folder: Path, certificate: tuple[Path, Path], *, token: str | None = None, clients: Path | None = None, misbehave: Any = None
) -> Iterator[str]:
    """Python's HTTPS server over a folder; `clients`: the authority of the client certificates that it asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    handler = type("Pages", (_Pages,), {"token": token, "misbehave": staticmethod(misbehave) if misbehave else None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"https://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(listening.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield int(listening.getsockname()[1])
        for one in kept:
            one.close()


@contextmanager
def s3() -> Iterator[str]:
    """moto's S3 server."""
    server_module = pytest.importorskip("moto.server", reason="needs moto[s3,server]")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@contextmanager
def mariadb() -> Iterator[str]:
    """A fresh MariaDB; yields the path of its socket. Skips where it is not installed."""
    program, install = shutil.which("mariadbd") or "/usr/sbin/mariadbd", shutil.which("mariadb-install-db")
    if not Path(program).exists() or install is None:
        pytest.skip("needs MariaDB (apt-get install mariadb-server)")
    folder = Path(tempfile.mkdtemp(prefix="maria-"))
    user = ["--user=root"] if os.geteuid() == 0 else []
    data = ["--no-defaults", f"--datadir={folder}/data"]
    try:
        subprocess.run(
            [install, *data, *user, "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, capture_output=True
        )
        quick = ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
        process = subprocess.Popen([program, *data, *user, f"--socket={folder}/s", *quick], stderr=subprocess.DEVNULL)
        try:
            until((folder / "s").exists)
            yield str(folder / "s")
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
