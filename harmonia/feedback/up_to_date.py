"""Decide whether a report on disk is up to date, so that a run writes only reports that changed.

Belongs here: the hash of everything that determines a report (its key), and the note beside the report with the key and the files written.
Does not belong here: writing reports (`write`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from pipelines.resources import code_digest

_SOURCES_OF_TEXTS = ("harmonia/feedback", "schemas/rules", "warehouse/indicators", "sources/*/contract.yaml")
"""Files that determine the texts of reports: code, templates and texts of the feedback, rules, indicators, contracts."""
NOTE = ".made"


def compute_input_key(*parts: object) -> str:
    """Compute the key of a report: a hash over its inputs `parts` and the files that determine its texts.

    Frames are hashed by content, whatever the order of their rows, anything else by `repr`.
    """
    digest = hashlib.sha256(code_digest.hash_code_and_libraries(_SOURCES_OF_TEXTS).encode())
    for part in parts:
        digest.update(_join_sorted_hashes(_hash_rows(part)) if isinstance(part, pd.DataFrame) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def hash_rows_by_delivery(*frames: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Hash the rows of each delivery. frames: each with the columns institution, delivery. Returns institution and delivery → hash."""
    digests: dict[tuple[str, str], hashlib._Hash] = {}
    for n, frame in enumerate(frames):
        hashed = _hash_rows(frame)
        rows_by_delivery = cast("dict[Any, np.ndarray]", frame.groupby(["institution", "delivery"]).indices)
        for delivery, rows in rows_by_delivery.items():
            digests.setdefault(delivery, hashlib.sha256()).update(b"%d\0" % n + _join_sorted_hashes(hashed[rows]))
    return {delivery: digest.hexdigest() for delivery, digest in digests.items()}


def _join_sorted_hashes(row_hashes: np.ndarray) -> bytes:
    """Sort the hashes of rows and return them as bytes. Sorting makes the order in which a run found the rows irrelevant."""
    return np.sort(row_hashes).tobytes()


def _hash_rows(frame: pd.DataFrame) -> np.ndarray:
    """Hash each row to 64 bits. An integer has the same hash whether or not its column has missing values."""
    numbers = frame.select_dtypes("number").columns
    mixed = [name for name, dtype in frame.dtypes.items() if str(dtype) == "object"]
    plain = frame.astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(mixed, "str")})
    return pd.util.hash_pandas_object(plain, index=False).to_numpy() if len(plain.columns) else np.empty(len(frame), "uint64")


def find_up_to_date_files(folder: Path, key: str) -> list[Path]:
    """Return the files of the report in `folder` if it is up to date, i.e. has this key and was not changed; else an empty list.

    A file counts as unchanged if its size and modification time are unchanged; if only the time differs, its content is compared.
    """
    try:
        note = json.loads((folder / NOTE).read_text("utf-8"))
        if note["key"] != key:
            return []
        as_written = [_is_unchanged_since_writing(folder / name, *stat) for name, stat in note["files"].items()]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [folder / name for name in note["files"]] if all(as_written) else []


def _is_unchanged_since_writing(path: Path, digest: str, size: int, written_at: int) -> bool:
    now = path.stat()
    if now.st_size != size:
        return False
    return now.st_mtime_ns == written_at or hashlib.sha256(path.read_bytes()).hexdigest() == digest


def make_report_note(key: str, written: Mapping[Path, bytes]) -> str:
    """Make the note that is stored beside a report and that `find_up_to_date_files` reads: the key, and hash, size and time of each
    file."""
    files = {}
    for path, content in written.items():
        now = path.stat()
        files[path.name] = (hashlib.sha256(content).hexdigest(), now.st_size, now.st_mtime_ns)
    return json.dumps({"key": key, "files": files}) + "\n"
