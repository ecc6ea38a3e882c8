"""Every kill point lies where the table says, and the right process dies there."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import kill_points
import pytest
from kill_points import KILL_POINTS, KillPoint, function_of, instrumented

SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from pipelines.resources import bounded
from harmonia.atomic_files import write_small_file

folder, worker = Path(sys.argv[1]), sys.argv[2] == "worker"
if __name__ == "__main__":
    write = partial(write_small_file, content=b"x")
    for name in ("a", "b", "c"):
        bounded.run_bounded_task(write, folder / name, bounded.Bounds()) if worker else write(folder / name)
"""


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


@pytest.mark.parametrize("name", KILL_POINTS)
def test_the_line_of_a_kill_point_occurs_once_in_its_function(name: str) -> None:
    """Fails where a refactoring changed the line: name the new one in tests/kill_points.py."""
    point = KILL_POINTS[name]
    module = importlib.import_module(point.module)
    file = Path(str(module.__file__))
    code = instrumented(point.module, file.read_text("utf-8"), str(file))[point.function]
    assert [name in one.co_consts for one in codes(code)].count(True) == 1
    assert function_of(module, point.function).__code__.co_freevars == code.co_freevars


@pytest.mark.parametrize("source", ["def f():\n    g()\n", "def f():\n    h()\n    h()\n", "def g():\n    h()\n"])
def test_a_line_that_is_missing_or_there_twice_is_an_error(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_points, "KILL_POINTS", {"x": KillPoint("m", "f", "before", "h()")})
    with pytest.raises(LookupError, match="kill point x"):
        instrumented("m", source, "m.py")


def test_an_unknown_kill_point_is_an_error() -> None:
    with pytest.raises(LookupError, match="no such kill point"):
        kill_points.environment("nowhere:2")


def ran(tmp_path: Path, at: str, where: str) -> tuple[int, list[str]]:
    """The exit code of a process that writes three files, in its main thread or in a worker, and the files that it left."""
    script, folder = tmp_path / "script.py", tmp_path / "files"
    script.write_text(SCRIPT)
    folder.mkdir()
    done = subprocess.run([sys.executable, script, folder, where], env=kill_points.environment(at), capture_output=True, check=False)
    return done.returncode, sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_the_run_dies_the_time_that_is_named(tmp_path: Path) -> None:
    assert ran(tmp_path, "page-written:2", "itself") == (-signal.SIGKILL, ["a"])


def test_the_run_dies_when_its_worker_reaches_the_point(tmp_path: Path) -> None:
    code, files = ran(tmp_path, "page-written:2", "worker")
    assert code == -signal.SIGKILL
    assert files in (["a"], ["a", "b"])  # the worker ends when it sees that the run is dead


def test_the_run_dies_the_first_time_where_no_number_is_named(tmp_path: Path) -> None:
    assert ran(tmp_path, "page-written", "itself") == (-signal.SIGKILL, [])


def test_a_run_that_does_not_reach_the_point_so_often_goes_on(tmp_path: Path) -> None:
    assert ran(tmp_path, "page-written:4", "itself") == (0, ["a", "b", "c"])


def test_the_product_knows_nothing_of_kill_points() -> None:
    root = Path(__file__).parents[3]
    files = [path for package in ("harmonia", "pipelines", "sources", "schemas", "warehouse") for path in (root / package).rglob("*.py")]
    assert not [path for path in files if any(name in path.read_text("utf-8") for name in (kill_points.VARIABLE, kill_points.__name__))]
