"""The reason why a pull failed: a rule of `schemas/rules/pull.yaml`, and a detail that contains no host, user, secret or delivered value.

Belongs here: finding the rule for any exception of a library. The messages of such exceptions are never shown, since they quote URLs, SQL
statements and values.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from harmonia.errors import HarmoniaError
from pipelines.failures import is_disk_full


class PullError(Exception):
    """Raised if a pull fails. `rule` gives the reason. `transient` says whether another attempt may succeed."""

    def __init__(self, rule: str, detail: str = "", transient: bool = False) -> None:
        super().__init__(rule, detail, transient)
        self.rule, self.detail, self.transient = rule, detail, transient


@contextmanager
def convert_errors_to_pull_errors() -> Iterator[None]:
    """Convert every exception of the block to a `PullError`, except `HarmoniaError`, lack of memory and a full disk, which stop the whole
    pull.
    """
    try:
        yield
    except (PullError, HarmoniaError, MemoryError):
        raise
    except Exception as error:
        if is_disk_full(error):
            raise
        raise convert_to_pull_error(error) from None


def convert_to_pull_error(error: BaseException) -> PullError:
    """Return the `PullError` for an exception. Its rule depends only on the types of the exception and of those that caused it."""
    chain = _list_causes(error)
    names = {base.__name__ for cause in chain for base in type(cause).__mro__}
    for cause in chain:
        if isinstance(cause, PullError):
            return cause
    if "HostKeyNotVerifiable" in names:
        return PullError("pull-host-key")
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
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
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return PullError("pull-certificate")
    if isinstance(error, TimeoutError) or any(name.endswith(("Timeout", "TimeoutError")) for name in names):
        return PullError("pull-unreachable", "no answer in time", transient=True)
    if any(isinstance(cause, OSError | EOFError) for cause in chain) or names & _CONNECTION_ERRORS:
        return PullError("pull-unreachable", "the connection was refused or cut", transient=True)
    return PullError("pull-failed", type(error).__name__)


_CONNECTION_ERRORS = {"ConnectionError", "DisconnectError", "SFTPError", "ProtocolError", "ClientError", "BotoCoreError"}


def _list_causes(error: BaseException) -> list[BaseException]:
    """Return the exception, the exception that caused it or during which it was raised, and so on."""
    causes: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in causes:
        causes.append(current)
        current = current.__cause__ or current.__context__
    return causes
