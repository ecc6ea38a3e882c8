"""Decide whether a report on disk is up to date, so that a run writes only the reports that changed.

Belongs here: the hash of everything that determines a report (its key); the note beside the report, which contains the key and the names
of the written files. Does not belong here: writing reports (`write`).
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
"""The files that determine the texts of reports: code, templates and texts of the feedback; rules; indicators; contracts."""
NOTE = ".made"


def compute_input_key(*parts: object) -> str:
    """Compute the key of a report: a hash over its inputs `parts` and over the files that determine its texts.

    A frame is hashed by its content, whatever the order of its rows. Any other input is hashed by its `repr`.
    """
    digest = hashlib.sha256(code_digest.hash_code_and_libraries(_SOURCES_OF_TEXTS).encode())
    for part in parts:
        digest.update(_join_sorted_hashes(_hash_rows(part)) if isinstance(part, pd.DataFrame) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def hash_rows_by_delivery(*frames: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Hash the rows of each delivery. The result maps institution and delivery to a hash.

    frames: each must have the columns institution and delivery.
    """
    digests: dict[tuple[str, str], hashlib._Hash] = {}
    for n, frame in enumerate(frames):
        hashed = _hash_rows(frame)
        rows_by_delivery = cast("dict[Any, np.ndarray]", frame.groupby(["institution", "delivery"]).indices)
        for delivery, rows in rows_by_delivery.items():
            digests.setdefault(delivery, hashlib.sha256()).update(b"%d\0" % n + _join_sorted_hashes(hashed[rows]))
    return {delivery: digest.hexdigest() for delivery, digest in digests.items()}


def _join_sorted_hashes(row_hashes: np.ndarray) -> bytes:
    """Sort the hashes of rows and return them as bytes. Because of the sorting, the order in which a run found the rows does not matter."""
    return np.sort(row_hashes).tobytes()


def _hash_rows(frame: pd.DataFrame) -> np.ndarray:
    """Hash each row to 64 bits. An integer has the same hash whether or not its column has missing values, which would make it a float."""
    numbers = frame.select_dtypes("number").columns
    mixed = [name for name, dtype in frame.dtypes.items() if str(dtype) == "object"]
    plain = frame.astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(mixed, "str")})
    return pd.util.hash_pandas_object(plain, index=False).to_numpy() if len(plain.columns) else np.empty(len(frame), "uint64")


def find_up_to_date_files(folder: Path, key: str) -> list[Path]:
    """Return the files of the report in `folder` if it is up to date, that is, if it has this key and no file was changed.

    Otherwise return an empty list. A file counts as unchanged if its size and modification time are unchanged; if only the time differs,
    its content is compared.
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
    """Make the note that is stored beside a report: the key of the report, and hash, size and modification time of each file.

    `find_up_to_date_files` reads it.
    """
    files = {}
    for path, content in written.items():
        now = path.stat()
        files[path.name] = (hashlib.sha256(content).hexdigest(), now.st_size, now.st_mtime_ns)
    return json.dumps({"key": key, "files": files}) + "\n"
