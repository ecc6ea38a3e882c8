"""Deliveries from a database server. The delivered file names an environment variable, which contains the URL of the database.

Belongs here: everything from the delivered file (such as `psh.url`) to the bytes of a dump. Does not belong here: the format of the dump
(`sources.readers.dump`). No message contains the URL, the name of the server or a message of the database driver.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipelines.landing.walk import list_declared_files
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, LimitExceededError
from sources.readers.dump import SECONDS, try_to_dump_postgres

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_BOUNDS = Bounds(seconds=SECONDS, patience=1.5)  # a dump that takes too long stops itself earlier, unless the server blocks it
_RESERVED_PREFIXES = ("HARMONIA_", "DAGSTER_", "PG")
_NO_DATABASE = (
    "the file does not name a database: it must contain one line with the name of an environment variable, agreed with Harmonia's "
    "operators, that holds a postgresql:// URL (or the same name with _FILE, for a file that holds it)"
)
_SCHEMES = ("postgresql://", "postgres://")


class DatabaseUnreachableError(Exception):
    """Raised if the database could not be dumped. The message gives the reason without the URL."""


def find_database_pointer(institution: str, file_names: set[str]) -> str | None:
    """Return the name of the file of a delivery that names a database server instead of containing data, as the contract permits.

    Return None if there is no such file, or if the dump of the database is delivered too.
    """
    for file in list_declared_files(institution):
        for name in file.alternatives:
            if file.reader == "database" and name.endswith(".url") and name in file_names and make_dump_name(name) not in file_names:
                return name
    return None


def make_dump_name(pointer_name: str) -> str:
    """Return the name under which the dump is landed: `psh.dump` for the file `psh.url`."""
    return pointer_name.removesuffix(".url") + ".dump"


def dump_database(pointer_content: bytes) -> bytes:
    """Return the dump of the database that a `.url` file names. `pointer_content` is the content of this file.

    Raises `DatabaseUnreachableError`.
    """
    url = _read_database_url(pointer_content)
    if url is None:
        raise DatabaseUnreachableError(_NO_DATABASE)
    try:
        dump = request_database_dump(url)
    except LimitExceededError as ended:
        raise DatabaseUnreachableError(f"the database could not be read ({ended.detail or ended.reason})") from None
    if isinstance(dump, str):
        raise DatabaseUnreachableError(dump)
    return dump


def _read_database_url(pointer_content: bytes) -> str | None:
    """Return the URL of the database. `pointer_content` names the variable with the URL.

    If this variable is not set, `<variable>_FILE` may name a file with the URL. Return None on any error, so that the feedback does not
    reveal which variables exist. Variables with Harmonia's own settings are refused.
    """
    lines = pointer_content.decode("utf-8-sig", "replace").split()
    if len(lines) != 1 or not _VARIABLE.fullmatch(lines[0]) or lines[0].startswith(_RESERVED_PREFIXES):
        return None
    url, file = os.environ.get(lines[0]), os.environ.get(f"{lines[0]}_FILE")
    if url is None and file:
        try:
            url = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeError):
            return None
    return url if url and url.startswith(_SCHEMES) else None


def request_database_dump(url: str) -> bytes | str:
    """Dump the database at `url` in a separate process, which is killed if the server blocks.

    Return the dump, or a text that says why it failed. Raises `LimitExceededError`.
    """
    return bounded.run_bounded_task(try_to_dump_postgres, url, _BOUNDS)
