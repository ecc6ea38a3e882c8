"""Report and log unexpected errors.

Belongs here: the line on the console, and the log in `home/logs/`. Neither contains a local variable, a delivered value or the message of a
library's exception: such a message may quote a delivered value, for example a person's name. Does not belong here: problems of deliveries,
which are findings.
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

_SAFE_ERRORS = (HarmoniaError, OSError, ImportError)  # their messages name files and modules, never a delivered value
_ROOT = Path(__file__).parents[1]
_WRONG_CALL = re.compile(r"[\w.<>]+\(\) (missing \d+ required|got an unexpected keyword argument|takes \d+ positional)")


def _list_causes(error: BaseException) -> list[BaseException]:
    """Return the exception, the exception that caused it, and so on; the exception itself comes first."""
    causes: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in causes:
        causes.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return causes


def _describe_stack(error: BaseException) -> list[str]:
    """Return the call stack of an exception, one `file:line function` for each call, without source text or values.

    The innermost is last.
    """
    out = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        shown_path = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path
        out.append(f"{shown_path}:{frame.lineno} {frame.name}")
    return out


def is_disk_full(error: BaseException) -> bool:
    """Return whether this exception, or one that caused it, means that no space is left on the disk.

    An error of SQLite that mentions the disk also counts, since SQLite reports an I/O error when its log cannot grow.
    """
    if any(isinstance(e, sqlite3.OperationalError) and "disk" in str(e) for e in _list_causes(error)):
        return True
    return any(isinstance(e, OSError) and (e.errno in (errno.ENOSPC, errno.EDQUOT) or "[Errno 28]" in str(e)) for e in _list_causes(error))


def describe_error(error: BaseException) -> str:
    """Describe an exception in one line that is safe to show and to log, since it contains no delivered value."""
    if isinstance(error, HarmoniaError):
        return " ".join(str(error).split())
    if is_disk_full(error):
        return "no space is left on the disk: make room and run again; landed files and the published warehouse are unchanged"
    if isinstance(error, MemoryError):
        return "the machine has too little memory for this run"
    if isinstance(error, _SAFE_ERRORS):
        return " ".join(str(error).split()) or type(error).__name__
    calls = _describe_stack(error)
    calls_of_institutions = [place for place in calls if any(place.startswith(f"{folder}/") for folder in _list_institution_folders())]
    calls_of_program = calls_of_institutions or [place for place in calls if not place.startswith(("/", ".venv"))]
    return f"{type(error).__name__}{_extract_safe_message(error)} at {calls_of_program[-1] if calls_of_program else 'an unknown place'}"


def _list_institution_folders() -> list[str]:
    """Return the folders of institutions, in the form in which `_describe_stack` writes paths.

    If an error is raised by code in such a folder, the line names that code, since the error must be corrected there.
    """
    from sources.contract import folder_by_institution

    return [str(path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path) for path in folder_by_institution().values()]


def _extract_safe_message(error: BaseException) -> str:
    """Return the message of an exception if it cannot contain delivered data; otherwise return an empty text.

    Three kinds of message are safe: that an argument of a function is missing or wrong, that a name is missing which the failing line of
    the program contains, and that a column is missing which a contract declares.
    """
    if isinstance(error, TypeError) and _WRONG_CALL.match(str(error)):
        return f" ({error})"
    name = _extract_missing_name(error)
    if name and (_is_name_in_failing_code(error, name) or (isinstance(error, KeyError) and _is_declared_column(name))):
        return f" ({name!r})"
    return ""


def _extract_missing_name(error: BaseException) -> str | None:
    """Return the name that the program did not find: an attribute, a variable or a key. Return None for any other error."""
    if isinstance(error, AttributeError | NameError):
        return error.name
    return error.args[0] if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str) else None


def _is_name_in_failing_code(error: BaseException, name: str) -> bool:
    """Return whether a line of code on the call stack contains the name. Then a programmer wrote it, so it is not delivered data."""
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return any(pattern.search(frame.line or "") for frame in traceback.extract_tb(error.__traceback__))


def _is_declared_column(name: str) -> bool:
    """Return whether a contract declares a column of this name. A suffix that typed columns have (such as `:given`) is ignored."""
    from sources.contract import institutions, load

    tables = [table for institution in institutions() for table in load(institution).tables.values()]
    return name.partition(":")[0] in {column.name for table in tables for column in table.columns}


@contextmanager
def redact_errors(activity: str, logs: Path | None) -> Iterator[None]:
    """Reduce an exception that the block raises to one line without delivered values.

    This is necessary because Dagster stores the message of an exception, and the message may quote a delivered value. The line begins with
    `activity`, for example "police: reading". Raises `HarmoniaError`; if `logs` is not None, details are written to a log there, which the
    error names.
    """
    try:
        yield
    except HarmoniaError as error:
        raise error from None
    except Exception as error:  # noqa: BLE001 - any error
        log = write_log(error, logs, activity) if logs else None
        raise HarmoniaError(f"{activity} failed: {describe_error(error)}{f'; details are in {log}' if log else ''}") from None


def write_log(error: BaseException, logs: Path, activity: str) -> Path | None:
    """Write the error, its call stack and the activity to a new file in the folder `logs`. Only this user may read the file.

    Return the path of the file, or None if it cannot be written.
    """
    now = datetime.now(UTC)
    lines = [f"{now:%Y-%m-%dT%H:%M:%SZ} {activity}"]
    for cause in _list_causes(error):
        message = f": {' '.join(str(cause).split())}" if isinstance(cause, _SAFE_ERRORS) else ""
        lines += [f"{type(cause).__module__}.{type(cause).__name__}{message}", *(f"  {place}" for place in _describe_stack(cause))]
    path = logs / f"failure-{now:%Y%m%dT%H%M%S%f}.log"
    try:
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError:
        return None
    return path
