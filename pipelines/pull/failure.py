"""Why a pull failed: a rule of `schemas/rules/pull.yaml`, with a detail that contains no host, user, secret or value.

Belongs here: from any exception of a driver to a rule. Messages of drivers are never shown: they quote URLs, statements and cells.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from harmonia.errors import HarmoniaError
from pipelines.failures import disk_full


class PullError(Exception):
    """Raised if a pull fails for the reason that `rule` gives. `transient`: another attempt may succeed."""

    def __init__(self, rule: str, detail: str = "", transient: bool = False) -> None:
        super().__init__(rule, detail, transient)
        self.rule, self.detail, self.transient = rule, detail, transient


@contextmanager
def as_pull_error() -> Iterator[None]:
    """Convert every exception of the block to a `PullError`, except a `HarmoniaError` and a full disk, which stop everything."""
    try:
        yield
    except (PullError, HarmoniaError, MemoryError):
        raise
    except Exception as error:
        if disk_full(error):
            raise
        raise find_rule(error) from None


def find_rule(error: BaseException) -> PullError:
    """Return the error with the rule for an exception or one of its causes, by type alone."""
    chain = _causes_of(error)
    names = {base.__name__ for one in chain for base in type(one).__mro__}
    for one in chain:
        if isinstance(one, PullError):
            return one
    if "HostKeyNotVerifiable" in names:
        return PullError("pull-host-key")
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        return PullError("pull-certificate")
    if names & {"PermissionDenied", "PermissionError", "SFTPPermissionDenied", "NoCredentialsError"}:
        return PullError("pull-refused")
    if names & {"KeyImportError", "KeyEncryptionError"}:
        return PullError("pull-no-secret", "key: cannot be read as a private key")
    if "FileNotFoundError" in names:
        return PullError("pull-folder-missing")
    if "FileExpired" in names:
        return PullError("pull-file-growing")
    if names & {"ImportError", "NoSuchModuleError"}:
        return PullError("pull-driver-missing")
    if any(isinstance(one, ssl.SSLError) for one in chain):
        return PullError("pull-certificate")
    if isinstance(error, TimeoutError) or any(name.endswith(("Timeout", "TimeoutError")) for name in names):
        return PullError("pull-unreachable", "no answer in time", transient=True)
    if any(isinstance(one, OSError | EOFError) for one in chain) or names & _CUT:
        return PullError("pull-unreachable", "the connection was refused or cut", transient=True)
    return PullError("pull-failed", type(error).__name__)


_CUT = {"ConnectionError", "DisconnectError", "SFTPError", "ProtocolError", "ClientError", "BotoCoreError"}


def _causes_of(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found
