"""SFTP as a source, with a separate key for each institution and a fixed key of the server. It uses asyncssh through fsspec's `sshfs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipelines.pull.file_source import FileSource
from pipelines.pull.fsspec_folder import FileSystem
from pipelines.pull.source import ANSWER_SECONDS, SecretLocation, Secrets


@dataclass(frozen=True, kw_only=True)
class Sftp(FileSource):
    """The declaration of an SFTP server as a source.

    `host_key` is the server's public key, as written in `known_hosts` (`ssh-ed25519 AAAA…`). A server with any other key is refused.
    """

    secret: ClassVar = ("key", "passphrase")

    kind: Literal["sftp"]
    host: str
    user: str
    key: SecretLocation  # private key in OpenSSH's form
    host_key: Annotated[str, Field(pattern=r"^(ssh|ecdsa)-\S+ \S+")]
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    passphrase: SecretLocation | None = None
    path: str = "."

    @contextmanager
    def connect(self, secrets: Secrets) -> Iterator[FileSystem]:
        """Open a connection that uses none of the user's own SSH settings, agents or known hosts."""
        import asyncssh
        from sshfs import SSHFileSystem

        system = SSHFileSystem(
            self.host,
            port=self.port,
            username=self.user,
            client_keys=[asyncssh.import_private_key(secrets["key"], secrets.get("passphrase"))],
            known_hosts=([asyncssh.import_public_key(self.host_key)], [], []),
            config=None,
            agent_path=None,
            password=None,
            preferred_auth="publickey",
            disable_trivial_auth=True,
            connect_timeout=ANSWER_SECONDS,
            login_timeout=ANSWER_SECONDS,
            keepalive_interval=ANSWER_SECONDS / 3,
            skip_instance_cache=True,
            sftp_client_kwargs={"path_errors": "surrogateescape"},
        )
        try:
            yield FileSystem(system, self.path)
        finally:
            system.client.abort()
