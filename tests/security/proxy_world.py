"""Dagster's real pages behind the shipped proxy (Debian's Apache with mod_auth_openidc), and a sign-on that lets a test say who comes.

Belongs here: starting and stopping them, being somebody. Does not belong here: what is expected of them (`test_proxy.py`).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_APACHE, _MODULES = Path("/usr/sbin/apache2"), Path("/usr/lib/apache2/modules")
_LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "socache_shmcb", "ssl", "headers", "reqtimeout")
_PASSING = ("proxy", "proxy_http", "proxy_wstunnel", "auth_openidc")
_CLIENT, _SECRET = "harmonia", "a-secret-of-the-tests"
_WAIT = 240  # seconds until a server answers


@dataclass
class SignOn:
    """An OpenID provider on this machine; whoever is sent there comes back as a member of `groups`."""

    issuer: str = ""
    groups: list[str] = field(default_factory=list)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    nonces: dict[str, str] = field(default_factory=dict)

    def token(self, nonce: str) -> str:
        now = int(time.time())
        said = {"iss": self.issuer, "aud": _CLIENT, "sub": "somebody", "iat": now, "exp": now + 300, "nonce": nonce, "groups": self.groups}
        parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "1"}, said)]
        return ".".join([*parts, _encoded(self.key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256()))])

    def keys(self) -> dict[str, Any]:
        public = self.key.public_key().public_numbers()
        return {"keys": [{"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": _number(public.n), "e": _number(public.e)}]}


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@contextmanager
def signing_on() -> Iterator[SignOn]:
    """A running sign-on."""
    sign_on = SignOn()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _say(self, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path == "/authorize":
                code = secrets.token_urlsafe()
                sign_on.nonces[code] = asked["nonce"]
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")
                self.end_headers()
            else:
                issuer = sign_on.issuer
                places = {
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "jwks_uri": f"{issuer}/keys",
                }
                forms = {"response_types_supported": ["code"], "token_endpoint_auth_methods_supported": ["client_secret_basic"]}
                self._say(sign_on.keys() if parts.path == "/keys" else {"issuer": issuer, **places, **forms})

        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            assert given == f"{_CLIENT}:{_SECRET}", "another client"
            nonce = sign_on.nonces.pop(asked["code"][0])
            self._say({"access_token": "none", "token_type": "Bearer", "expires_in": 300, "id_token": sign_on.token(nonce)})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sign_on.issuer = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield sign_on
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Proxied:
    """The proxy's address, Dagster's two ports behind it, the sign-on, the certificate to trust."""

    url: str
    pages: int
    view: int
    sign_on: SignOn
    certificate: Path
    port: int

    def anybody(self) -> requests.Session:
        """A browser that has not signed on."""
        session = requests.Session()
        session.verify, session.trust_env = str(self.certificate), False
        return session

    def member(self, *groups: str) -> requests.Session:
        """A browser whose user signed on as a member of `groups`."""
        session = self.anybody()
        self.sign_on.groups = list(groups)
        session.get(f"{self.url}/view/server_info", timeout=60)
        return session


@contextmanager
def proxied(folder: Path) -> Iterator[Proxied]:
    """Pages, pages to look at, sign-on and proxy, all running; skips where Apache or its module is not installed."""
    if not _APACHE.exists() or not (_MODULES / "mod_auth_openidc.so").exists():
        pytest.skip("needs apache2 and libapache2-mod-auth-openidc")
    with ExitStack() as running:
        sign_on = running.enter_context(signing_on())
        pages, view, port = _free(), _free(), _free()
        harmonia = Path(sys.executable).with_name("harmonia")
        home = folder / "home"
        subprocess.run([harmonia, "init", "--home", home], check=True, capture_output=True)
        (folder / "inbox").mkdir()
        for number, unit in ((pages, "harmonia-pages"), (view, "harmonia-view")):
            running.enter_context(_served(_command(unit, number), home, folder, number))
        certificate = _certified(folder)
        (folder / "oidc").write_text(_SECRET)
        (folder / "cookie").write_text(secrets.token_hex(32))
        (folder / "apache.conf").write_text(_configured(folder, sign_on, pages, view, port))
        apache = [_APACHE, "-D", "FOREGROUND", "-f", folder / "apache.conf"]
        subprocess.run([*apache, "-t"], check=True)
        running.enter_context(_process(apache, dict(os.environ), folder / "apache.out"))
        _answers(port)
        yield Proxied(f"https://localhost:{port}", pages, view, sign_on, certificate, port)


def _command(unit: str, port: int) -> list[str]:
    """How the shipped unit starts a web server, on another port."""
    line = next(one for one in (DEPLOY / "systemd" / f"{unit}.service").read_text().splitlines() if one.startswith("ExecStart="))
    words = line.removeprefix("ExecStart=").split()
    words[words.index("-p") + 1] = str(port)
    return [str(Path(sys.executable).with_name("dagster-webserver")), *words[1:]]


@contextmanager
def _served(command: list[str], home: Path, folder: Path, port: int) -> Iterator[None]:
    places = {"HARMONIA_HOME": str(home), "HARMONIA_INBOX": str(folder / "inbox"), "DAGSTER_HOME": str(home / "dagster")}
    with _process(command, {**os.environ, **places}, folder / f"{port}.out"):
        _answers(port)
        yield


@contextmanager
def _process(command: list[Any], environment: dict[str, str], said: Path) -> Iterator[None]:
    with said.open("wb") as out:
        process = subprocess.Popen([str(word) for word in command], env=environment, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _answers(port: int) -> None:
    until = time.monotonic() + _WAIT
    while time.monotonic() < until:
        with closing(socket.socket()) as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"nothing answers on port {port}")


def _free() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _certified(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "certificate.key").write_bytes(key.private_bytes(*form))
    return path


def _configured(folder: Path, sign_on: SignOn, pages: int, view: int, port: int) -> str:
    """The shipped site with its settings, in the least of an Apache around it."""
    own = {
        "HARMONIA_NAME": "localhost",
        "HARMONIA_PORT": port,
        "HARMONIA_SECRETS": folder,
        "HARMONIA_PAGES": f"127.0.0.1:{pages}",
        "HARMONIA_VIEW": f"127.0.0.1:{view}",
    }
    own["OIDC_ISSUER"] = sign_on.issuer
    shipped = [
        line.split(maxsplit=2) for line in (DEPLOY / "proxy/settings.example").read_text().splitlines() if line.startswith("Define ")
    ]
    return "\n".join(
        [
            *(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in (*_LOADED, *_PASSING)),
            f"ServerRoot {folder}\nPidFile {folder}/apache.pid\nErrorLog {folder}/apache.log\nListen 127.0.0.1:{port}\nMutex file:{folder}",
            *(["User www-data\nGroup www-data"] if os.geteuid() == 0 else []),
            *(f"Define {name} {own.get(name, value)}" for _, name, value in shipped),
            f"Include {DEPLOY}/proxy/harmonia.conf\n",
        ]
    )
