"""Reports and logs unexpected errors.

Belongs here: the line on the console, and the log under `home/logs/`. Neither contains a local variable, a source value or the message
of a third-party exception: such a message may quote a cell, and a cell may be a person's name. Does not belong here: problems of
deliveries, which are findings.
"""

from __future__ import annotations

import errno
import re
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from harmonia.errors import HarmoniaError

_SAFE = (HarmoniaError, OSError, ImportError)  # their messages name files and modules, never a cell
_ROOT = Path(__file__).parents[1]
_CALL = re.compile(r"[\w.<>]+\(\) (missing \d+ required|got an unexpected keyword argument|takes \d+ positional)")


def _causes_of(error: BaseException) -> list[BaseException]:
    """Return the exception and its causes, outermost first."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found


def _describe_stack(error: BaseException) -> list[str]:
    """Return the call stack as `file:line function`, innermost last, without source text or values."""
    out = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        shown = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path
        out.append(f"{shown}:{frame.lineno} {frame.name}")
    return out


def disk_full(error: BaseException) -> bool:
    """Return whether this exception or one of its causes means that no space is left (SQLite reports an I/O error when its log cannot
    grow)."""
    if any(isinstance(e, sqlite3.OperationalError) and "disk" in str(e) for e in _causes_of(error)):
        return True
    return any(isinstance(e, OSError) and (e.errno in (errno.ENOSPC, errno.EDQUOT) or "[Errno 28]" in str(e)) for e in _causes_of(error))


def describe(error: BaseException) -> str:
    """Return the error in one line that is safe to show and to log."""
    if isinstance(error, HarmoniaError):
        return " ".join(str(error).split())
    if disk_full(error):
        return "no space is left on the disk: make room and run again; landed files and the published warehouse are unchanged"
    if isinstance(error, MemoryError):
        return "the machine has too little memory for this run"
    if isinstance(error, _SAFE):
        return " ".join(str(error).split()) or type(error).__name__
    places = _describe_stack(error)
    of_sources = [place for place in places if any(place.startswith(f"{folder}/") for folder in _institution_folders())]
    ours = of_sources or [place for place in places if not place.startswith(("/", ".venv"))]
    return f"{type(error).__name__}{_code_detail(error)} at {ours[-1] if ours else 'an unknown place'}"


def _institution_folders() -> list[str]:
    """Return the folders of institutions as `_describe_stack` shows them: an error raised there is to be fixed there."""
    from sources.contract import folder_of

    return [str(path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path) for path in folder_of().values()]


def _code_detail(error: BaseException) -> str:
    """Return the message of an exception if it cannot contain data: a missing argument, or a column named in a contract. Otherwise
    return an empty text."""
    if isinstance(error, TypeError) and _CALL.match(str(error)):
        return f" ({error})"
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        from sources.contract import institutions, load

        tables = [table for name in institutions() for table in load(name).tables.values()]
        if error.args[0].partition(":")[0] in {column.name for table in tables for column in table.columns}:
            return f" ({error.args[0]!r})"
    return ""


@contextmanager
def redact_errors(doing: str, logs: Path | None) -> Iterator[None]:
    """Reduce an exception of the block to one line without values: its message or a cause may quote a cell, and Dagster stores it.

    `doing` reads, for example, "police: reading". Raises `HarmoniaError`, with the path of the log if `logs` is given.
    """
    try:
        yield
    except HarmoniaError as error:
        raise error from None
    except Exception as error:  # noqa: BLE001 - any error
        log = write_log(error, logs, doing) if logs else None
        raise HarmoniaError(f"{doing} failed: {describe(error)}{f'; details are in {log}' if log else ''}") from None


def write_log(error: BaseException, logs: Path, doing: str) -> Path | None:
    """Log the error, its stack and the stage to a file in `logs` that only this user may read. Return None if the log cannot be written."""
    now = datetime.now(UTC)
    lines = [f"{now:%Y-%m-%dT%H:%M:%SZ} {doing}"]
    for one in _causes_of(error):
        message = f": {' '.join(str(one).split())}" if isinstance(one, _SAFE) else ""
        lines += [f"{type(one).__module__}.{type(one).__name__}{message}", *(f"  {place}" for place in _describe_stack(one))]
    path = logs / f"failure-{now:%Y%m%dT%H%M%S%f}.log"
    try:
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError:
        return None
    return path
