"""What a kept result hangs on besides its inputs: a change of code, of a code list or of a library is noticed, nothing else is."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from pipelines.resources import code_digest


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("counting/rules.py", "counting/codes/forms.csv", "counting/__pycache__/rules.pyc", "other/page.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(code_digest, "_ROOT", tmp_path)
    return tmp_path


def _digest(*patterns: str, libraries: tuple[str, ...] = ("pandas",)) -> str:
    code_digest.hash_code_and_libraries.cache_clear()
    return code_digest.hash_code_and_libraries(patterns, libraries)


@pytest.mark.parametrize(
    ("changed", "noticed"),
    [
        ("counting/rules.py", True),
        ("counting/codes/forms.csv", True),
        ("counting/codes/more.csv", True),
        ("counting/__pycache__/rules.pyc", False),
        ("other/page.py", False),
    ],
)
def test_a_file_that_matters_is_noticed(repository: Path, changed: str, noticed: bool) -> None:
    before = _digest("counting")
    (repository / changed).write_text("changed")
    assert (_digest("counting") != before) == noticed


def test_a_pattern_names_files_and_a_library_counts_by_its_version(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _digest("*/rules.py")
    (repository / "counting/codes/forms.csv").write_text("changed")
    assert _digest("*/rules.py") == before != _digest("*/rules.py", libraries=())
    monkeypatch.setattr(code_digest, "version", lambda name: "0.1")
    other = _digest("*/rules.py")

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(code_digest, "version", absent)
    assert len({before, other, _digest("*/rules.py")}) == 3
