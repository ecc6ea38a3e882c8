"""A registry that is older than the one that was published with, or another one, is refused; a later state of the same one is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.registry import Registry, open_registry, published_seal
from harmonia.registry.ledger import begin_run


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    (home.root / "published").mkdir(exist_ok=True)
    return home


def opened(home: Home) -> Registry:
    return open_registry(home.registry_url)


def ran(home: Home) -> None:
    registry = opened(home)
    begin_run(registry)
    published_seal.store_newest_seal(home, registry)
    registry.close()


def held(home: Home) -> None:
    registry = opened(home)
    try:
        published_seal.require_current_registry(home, registry)
    finally:
        registry.close()


def copied(home: Home, to: Path) -> Path:
    for log in home.root.glob("registry.sqlite-*"):
        assert not log.stat().st_size
    return Path(shutil.copy2(home.registry_file, to))


def test_a_home_that_never_published_or_kept_no_mark_takes_any_registry(home: Home) -> None:
    held(home)


def test_a_registry_that_went_on_is_the_same(home: Home) -> None:
    ran(home)
    held(home)
    registry = opened(home)
    begin_run(registry)
    registry.close()
    held(home)


def test_an_older_copy_is_refused_with_the_way_out(home: Home, tmp_path: Path) -> None:
    ran(home)
    older = copied(home, tmp_path / "older.sqlite")
    ran(home)
    shutil.copy2(older, home.registry_file)
    with pytest.raises(HarmoniaError, match=r"is older \(newest seal 1\) .* \(seal 2\).*harmonia restore"):
        held(home)


def test_an_older_copy_that_was_used_further_is_refused_too(home: Home, tmp_path: Path) -> None:
    ran(home)
    older = copied(home, tmp_path / "older.sqlite")
    ran(home)
    shutil.copy2(older, home.registry_file)
    registry = opened(home)
    for _ in range(3):
        begin_run(registry)
    registry.close()
    with pytest.raises(HarmoniaError, match="is a different one"):
        held(home)
