"""Write and read the folder of a release, and detect modified files.

Belongs here: names, checksums, writing equal content as equal bytes, the chain that links each release to the previous one. Does not belong
here: the content of the tables. `HOME/releases/<day>/public/` is for everyone; `HOME/releases/<day>/confidential/` (mode 0700) contains the
source data. `SHA256SUMS` lists every file; the manifest of a release contains the hash of the previous release's manifest, so that changes
to an old release are detected.
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

from harmonia.atomic_files import sync_to_disk
from harmonia.errors import HarmoniaError, convert_storage_errors

PUBLIC, CONFIDENTIAL, SUMS, MANIFEST = "public", "confidential", "SHA256SUMS", "manifest.json"
FORMAT = 2
"""The version of the format of releases. A release of format 1 could publish figures of wrong categories if it counted the records of an
earlier release."""
_OWNER_ONLY = 0o700
_UNFINISHED_SUFFIX = ".tmp"


def release_names(releases: Path) -> list[str]:
    """Return the releases in a folder, oldest first."""
    return sorted(p.name for p in releases.iterdir() if p.is_dir() and is_valid_release_name(p.name)) if releases.is_dir() else []


def is_valid_release_name(name: str) -> bool:
    """Return whether `name` is a valid release name: a day, `2014-06-30`."""
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def sha256(content: bytes) -> str:
    """Return the SHA-256 hash of `content` as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def as_json(value: Any) -> bytes:
    """Write a value as JSON; equal values give equal bytes."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV in UTF-8, with commas and one line feed per row. Null is an empty cell; a flag is `true` or `false`."""
    flags = {c: frame[c].map({True: "true", False: "false"}) for c in frame.columns if frame[c].dtype == bool}
    return frame.assign(**flags).to_csv(index=False, lineterminator="\n").encode()


def as_parquet(frame: pd.DataFrame, schema: pa.Schema | None = None) -> bytes:
    """Return a frame as a Parquet file with one row group and without the metadata that pandas adds."""
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=max(len(frame), 1))
    return sink.getvalue()


def from_parquet(content: bytes) -> pd.DataFrame:
    """Read the frame that `as_parquet` wrote. No Python file object is used, since with it Arrow aborts some processes on exit
    (arrow#34314)."""
    return pd.read_parquet(pa.BufferReader(content))


def make_manifest_entries_of_files(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the entries of files in a manifest: the number of bytes (`bytes`) and the hash (`sha256`) of each file, by name."""
    return {name: {"bytes": len(content), "sha256": sha256(content)} for name, content in sorted(files.items())}


def write_release(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a release, either completely or not at all. files: the content of each file, by its path within the release.

    Raises `HarmoniaError` if the release already exists or cannot be written.
    """
    unfinished = target.with_name(f".{target.name}.{os.getpid()}{_UNFINISHED_SUFFIX}")
    with convert_storage_errors(target), _lock_folder(target.parent, wait=True):
        if target.exists():
            raise HarmoniaError(f"release {target.name} already exists, and a release is never overwritten: choose a later day")
        _remove_unfinished_releases_of_locked_folder(target.parent)
        (unfinished / CONFIDENTIAL).mkdir(parents=True, mode=_OWNER_ONLY)
        for name, content in {**files, SUMS: make_checksum_file(files)}.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            sync_to_disk(path)
        unfinished.rename(target)
        sync_to_disk(target.parent)


def remove_unfinished_releases(releases: Path) -> None:
    """Remove incomplete releases that killed processes left. Nothing is removed while a release is being written."""
    with convert_storage_errors(releases), suppress(BlockingIOError), _lock_folder(releases, wait=False):
        _remove_unfinished_releases_of_locked_folder(releases)


def _remove_unfinished_releases_of_locked_folder(releases: Path) -> None:
    for unfinished in releases.glob(f".*{_UNFINISHED_SUFFIX}"):
        shutil.rmtree(unfinished)


@contextmanager
def _lock_folder(releases: Path, *, wait: bool) -> Iterator[None]:
    """Lock the folder itself, so that there is no lock file among the releases. Raises `BlockingIOError` if it is locked."""
    releases.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(releases, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def make_checksum_file(files: Mapping[str, bytes]) -> bytes:
    """Return the lines of `SHA256SUMS`, as `sha256sum -c` reads them."""
    return "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(files.items())).encode()


def read_verified_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a stored release by name. Raises `HarmoniaError` if one is missing or was modified."""
    try:
        lines = [line.split("  ", 1) for line in (folder / SUMS).read_text("utf-8").splitlines()]
        stated = {name: sha for sha, name in lines}
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p != folder / SUMS}
    except (OSError, ValueError) as error:
        raise HarmoniaError(f"release {folder}: cannot be read ({type(error).__name__}): restore it from a backup") from None
    problems = sorted(
        [f"{name} is missing" for name in stated.keys() - files.keys()]
        + [f"{name} was added" for name in files.keys() - stated.keys()]
        + [f"{name} was changed" for name, content in files.items() if name in stated and sha256(content) != stated[name]]
    )
    if problems:
        raise HarmoniaError(f"release {folder.name} was modified: {'; '.join(problems)}. It is not used: restore it from a backup")
    _check_format_of_release(folder, files.get(f"{PUBLIC}/{MANIFEST}", b"{}"))
    return files


def read_public_files(folder: Path) -> dict[str, bytes]:
    """Return the public files of a release by name, after comparing them with its manifest. Only the folder `public/` has to exist."""
    try:
        files = {p.name: p.read_bytes() for p in (folder / PUBLIC).iterdir() if p.is_file()}
        stated = json.loads(files[MANIFEST])["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarmoniaError(
            f"release {folder}: has no readable public manifest ({type(error).__name__}): restore it from a backup"
        ) from None
    _check_format_of_release(folder, files[MANIFEST])
    modified = sorted(name for name in stated if sha256(files.get(name, b"")) != stated[name]["sha256"])
    modified += sorted(files.keys() - {MANIFEST} - stated.keys())
    if modified:
        raise HarmoniaError(
            f"release {folder.name} was modified: {', '.join(modified)} differs from its manifest: restore it from a backup"
        )
    return files


def _check_format_of_release(folder: Path, manifest: bytes) -> None:
    """Raise `HarmoniaError` if the release was made by a program version whose releases are unreliable, or by a newer version than this
    one."""
    release_format = json.loads(manifest).get("format")
    if release_format == FORMAT:
        return
    reason = "it may contain other categories' figures" if release_format == 1 else "this program does not know that format"
    raise HarmoniaError(
        f"release {folder.name} has format {release_format}, not {FORMAT}: {reason}, so it is not used. Move {folder.parent} elsewhere, "
        "tell the recipients of its releases that they are withdrawn, and create new ones with `harmonia release create --as-of DAY` "
        "(docs/reference/releases.md, Withdrawn formats)"
    )


def verify_release_chain(releases: Path) -> list[str]:
    """Return the names of the releases, oldest first, after verifying that each contains the hash of the previous release's manifest.
    Raises `HarmoniaError` at the first invalid release."""
    previous: tuple[str, str] | None = None
    for name in release_names(releases):
        files = read_verified_files(releases / name)
        manifest = json.loads(files[f"{PUBLIC}/{MANIFEST}"])
        stated = manifest["previous"]
        if (stated and (stated["release"], stated["sha256"])) != previous:
            raise HarmoniaError(
                f"release {name} was created after {stated['release'] if stated else 'none'}, not after the previous release here "
                f"({previous[0] if previous else 'none'}): a release was removed, added or changed; restore them from a backup"
            )
        previous = (name, sha256(files[f"{PUBLIC}/{MANIFEST}"]))
    return release_names(releases)
