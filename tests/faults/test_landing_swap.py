"""A finished database takes the place of the old one whole, or the old one stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harmonia.atomic_files import make_temporary_path, remove_unfinished_files, replace_large_file, write_small_file
from harmonia.errors import HarmoniaError


def test_the_new_file_takes_the_place_and_what_was_left_goes(tmp_path: Path) -> None:
    target = tmp_path / "warehouse.duckdb"
    target.write_text("old")
    (tmp_path / "warehouse.duckdb.wal").write_text("log of the old")
    (tmp_path / ".warehouse.duckdb.77.tmp").write_text("left by a killed run")
    (tmp_path / ".warehouse.duckdb.77.tmp.wal").write_text("its log")
    (tmp_path / "analysts.duckdb").write_text("another")
    new = make_temporary_path(target)
    new.write_text("new")
    with target.open() as held:  # somebody has the old one open
        replace_large_file(new, target)
        assert held.read() == "old"
    assert target.read_text() == "new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["analysts.duckdb", "warehouse.duckdb"]


def test_a_file_that_is_not_closed_is_not_swapped(tmp_path: Path) -> None:
    new = make_temporary_path(tmp_path / "w")
    new.write_text("new")
    new.with_name(new.name + ".wal").write_text("open")
    with pytest.raises(ValueError, match="still has a write-ahead log"):
        replace_large_file(new, tmp_path / "w")
    remove_unfinished_files(tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_is_one_clear_line_and_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "w"
    target.mkdir()
    new = make_temporary_path(target)
    new.write_text("new")
    with pytest.raises(HarmoniaError, match="a folder is in the place of the file"):
        replace_large_file(new, target)
    target.rmdir()
    target.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HarmoniaError, match="the disk is full"):
        replace_large_file(new, target)
    assert target.read_text() == "old"


def test_a_small_file_is_written_whole_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    target = tmp_path / "page [1].html"
    target.write_text("old")
    (tmp_path / ".page [1].html.77.tmp").write_text("left by a killed process")
    (tmp_path / ".page 1.html.77.tmp").write_text("another's")
    write_small_file(target, b"new", 0o600)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o600)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".page 1.html.77.tmp", "page [1].html"]
    with pytest.raises(HarmoniaError, match="a folder is in the place of the file"):
        write_small_file(tmp_path, b"new")
