"""A release as a folder: where its parts lie, how they are written for good, how a touched file is noticed.

Belongs here: names, checksums, deterministic bytes, the chain from release to release. Does not belong here: what the tables hold.

`HOME/releases/<day>/public/` is for everyone; `HOME/releases/<day>/confidential/` (mode 0700) holds what it was made from. `SHA256SUMS`
beside them names every file; the manifest of a release names the manifest of the one before, so that an old release cannot be changed
unnoticed.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import HarmoniaError, storage
from pipelines.points import Point, reached
from pipelines.swap import sync

PUBLIC, CONFIDENTIAL, SUMS, MANIFEST = "public", "confidential", "SHA256SUMS", "manifest.json"
FORMAT = 2
"""Version of a folder. Releases of format 1 could print figures of other categories, where they counted an earlier one's records."""
_PRIVATE = 0o700
_UNFINISHED = ".tmp"


def names(releases: Path) -> list[str]:
    """The releases in a folder, oldest first."""
    return sorted(p.name for p in releases.iterdir() if p.is_dir() and is_day(p.name)) if releases.is_dir() else []


def is_day(name: str) -> bool:
    """Whether `name` is a day as releases are called, `2014-06-30`."""
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def sha256(content: bytes) -> str:
    """The hash as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def as_json(value: Any) -> bytes:
    """The same bytes for the same value."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def as_csv(frame: pd.DataFrame) -> bytes:
    """UTF-8, comma, one line feed a row; null is empty, a flag is true or false."""
    flags = {c: frame[c].map({True: "true", False: "false"}) for c in frame.columns if frame[c].dtype == bool}
    return frame.assign(**flags).to_csv(index=False, lineterminator="\n").encode()


def as_parquet(frame: pd.DataFrame, schema: pa.Schema | None = None) -> bytes:
    """Parquet without pandas' metadata, in one row group."""
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=max(len(frame), 1))
    return sink.getvalue()


def from_parquet(content: bytes) -> pd.DataFrame:
    """The frame that `as_parquet` wrote. Not read through a file object of Python's: Arrow then aborts some processes as they end
    (arrow#34314)."""
    return pd.read_parquet(pa.BufferReader(content))


def listed(files: Mapping[str, bytes]) -> dict[str, Any]:
    """What a manifest says of files: bytes and sha256 by name."""
    return {name: {"bytes": len(content), "sha256": sha256(content)} for name, content in sorted(files.items())}


def write(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a whole release (path within it → bytes) in one step. Raises `HarmoniaError` where it is there already or cannot be written."""
    made = target.with_name(f".{target.name}.{os.getpid()}{_UNFINISHED}")
    with storage(target), _writing(target.parent, wait=True):
        if target.exists():
            raise HarmoniaError(f"release {target.name} is there already, and a release is never overwritten: choose a later day")
        _clean(target.parent)
        (made / CONFIDENTIAL).mkdir(parents=True, mode=_PRIVATE)
        for name, content in {**files, SUMS: sums(files)}.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            sync(path)
        reached(Point.RELEASE_WRITTEN)
        made.rename(target)
        sync(target.parent)


def clean(releases: Path) -> None:
    """Remove what killed processes left of releases of any day; nothing while one is being written."""
    with storage(releases), suppress(BlockingIOError), _writing(releases, wait=False):
        _clean(releases)


def _clean(releases: Path) -> None:
    for left in releases.glob(f".*{_UNFINISHED}"):
        shutil.rmtree(left)


@contextmanager
def _writing(releases: Path, *, wait: bool) -> Iterator[None]:
    """Hold the folder itself, so that no lock file lies among what is published. Raises `BlockingIOError` where another does."""
    releases.mkdir(parents=True, exist_ok=True)
    held = os.open(releases, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)


def sums(files: Mapping[str, bytes]) -> bytes:
    """The lines of `SHA256SUMS`, as `sha256sum -c` reads them."""
    return "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(files.items())).encode()


def stored(folder: Path) -> dict[str, bytes]:
    """The files of a stored release. Raises `HarmoniaError` where it is not whole or a file is not what was written."""
    try:
        lines = [line.split("  ", 1) for line in (folder / SUMS).read_text("utf-8").splitlines()]
        said = {name: sha for sha, name in lines}
        found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p != folder / SUMS}
    except (OSError, ValueError) as error:
        raise HarmoniaError(f"release {folder}: cannot be read ({type(error).__name__}): restore it from a backup") from None
    wrong = sorted(
        [f"{name} is missing" for name in said.keys() - found.keys()]
        + [f"{name} was added" for name in found.keys() - said.keys()]
        + [f"{name} was changed" for name, content in found.items() if name in said and sha256(content) != said[name]]
    )
    if wrong:
        raise HarmoniaError(f"release {folder.name} was touched: {'; '.join(wrong)}. It is not used: restore it from a backup")
    _check_format(folder, found.get(f"{PUBLIC}/{MANIFEST}", b"{}"))
    return found


def public(folder: Path) -> dict[str, bytes]:
    """The public files of a release by name, held against its manifest; works where only `public/` was handed on."""
    try:
        found = {p.name: p.read_bytes() for p in (folder / PUBLIC).iterdir() if p.is_file()}
        said = json.loads(found[MANIFEST])["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarmoniaError(
            f"release {folder}: has no readable public manifest ({type(error).__name__}): restore it from a backup"
        ) from None
    _check_format(folder, found[MANIFEST])
    wrong = sorted(name for name in said if sha256(found.get(name, b"")) != said[name]["sha256"])
    wrong += sorted(found.keys() - {MANIFEST} - said.keys())
    if wrong:
        raise HarmoniaError(f"release {folder.name} was touched: {', '.join(wrong)} is not as in its manifest: restore it from a backup")
    return found


def _check_format(folder: Path, manifest: bytes) -> None:
    """Raise `HarmoniaError` where a release was made by a program whose releases cannot be relied on, or by a newer one."""
    made = json.loads(manifest).get("format")
    if made == FORMAT:
        return
    reason = "it can print other categories' figures" if made == 1 else "this program does not know that format"
    raise HarmoniaError(
        f"release {folder.name} is of format {made}, not {FORMAT}: {reason}, and it is not used. Move {folder.parent} to another place, "
        "tell those who received its releases that they are withdrawn, and make new ones with `harmonia release create --as-of DAY` "
        "(docs/reference/releases.md, Withdrawn formats)"
    )


def chain(releases: Path) -> list[str]:
    """The verified releases, oldest first, each naming the manifest of the one before. Raises `HarmoniaError` at the first that is
    not right.
    """
    before: tuple[str, str] | None = None
    for name in names(releases):
        files = stored(releases / name)
        manifest = json.loads(files[f"{PUBLIC}/{MANIFEST}"])
        said = manifest["previous"]
        if (said and (said["release"], said["sha256"])) != (before or None):
            raise HarmoniaError(
                f"release {name} was made after {said['release'] if said else 'none'}, not after what lies before it here "
                f"({before[0] if before else 'none'}): a release was removed, added or changed; restore them from a backup"
            )
        before = (name, sha256(files[f"{PUBLIC}/{MANIFEST}"]))
    return names(releases)
