"""Moments of a run at which a kill would hurt most, by name, and dying at one of them by SIGKILL. The product knows nothing of them.

Belongs here: the table of kill points, and the mechanism. Does not belong here: what a kill leaves behind and who cleans it up
(`tests/faults/crash`, docs/reference/backup.md).

`watch` compiles each function of the table again, with a call of `reached` inserted at the named statement, and gives that code to the
function. Unlike a tracer, this costs no speed, reaches threads that already run, and does not count a `with` line again when its block
ends. `tests/faults/crash/startup/sitecustomize.py` does the same in a new Python process.
"""

from __future__ import annotations

import ast
import inspect
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal

VARIABLE = "HARMONIA_DIE_AT"
STARTUP = Path(__file__).parent / "faults/crash/startup"
_CALL = "_reached_kill_point"


@dataclass(frozen=True)
class KillPoint:
    """The process dies before or after the statement of `function` whose first line is `line`, or at the end of its block."""

    module: str
    function: str  # as in `Store.commit`; the statement may lie in a function inside it
    where: Literal["before", "after", "end of"]
    line: str  # must occur exactly once in the function


KILL_POINTS = {  # in the order of a run
    # a pull: half of a file is in the folder in which the delivery is built; in a separate process
    "pull-file-begun": KillPoint("pipelines.pull.file_source", "write_stream", "before", "if written > largest:"),
    "pull-file-written": KillPoint("pipelines.pull.file_source", "write_stream", "before", "return digest.hexdigest()"),
    # complete, under the folder's unfinished name
    "pull-fetched": KillPoint("pipelines.pull.inbox", "_move_folder", "before", "folder.rename(target)"),
    # in the inbox, and the ledger does not know
    "pull-moved": KillPoint("pipelines.pull.inbox", "_move_folder", "after", "folder.rename(target)"),
    # in the transaction
    "pull-entered": KillPoint("harmonia.registry.pulls", "record_pull", "end of", "with registry.write() as session:"),
    "pull-recorded": KillPoint("harmonia.registry.pulls", "record_pull", "after", "with registry.write() as session:"),
    # in the transaction
    "registry-migrated": KillPoint("harmonia.registry.connection", "_migrate_schema", "after", 'command.upgrade(config, "head")'),
    "bytes-aside": KillPoint("pipelines.landing.store", "LandingStore._write_temporary", "after", "self._verify_hash(temporary, sha256)"),
    # no receipt names them yet
    "bytes-in-place": KillPoint("pipelines.landing.store", "LandingStore.commit_bytes", "before", "folders.add(target.parent)"),
    # in the transaction
    "receipts-entered": KillPoint("pipelines.landing.ingest", "land_deliveries", "end of", "with registry.write() as session:"),
    "receipts-kept": KillPoint("pipelines.landing.ingest", "land_deliveries", "after", "with registry.write() as session:"),
    # beside the old folder
    "lake-written": KillPoint(
        "pipelines.resources.lake", "write_tables", "after", "size = sum(path.stat().st_size for path in partial.iterdir())"
    ),
    # the old folder is away, the new one is not there yet
    "lake-absent": KillPoint("pipelines.resources.lake", "write_tables", "before", "partial.rename(folder)"),
    # in the transaction
    "identities-entered": KillPoint("harmonia.registry.identity", "assign_ids", "end of", "with registry.write() as session:"),
    # a finished DuckDB file beside the old one
    "file-built": KillPoint("warehouse.publish", "_build_stores", "after", "rows[name] = running.result()"),
    "before-swap": KillPoint("harmonia.atomic_files", "replace_large_file", "before", "finished_file.replace(target)"),
    "after-swap": KillPoint("harmonia.atomic_files", "replace_large_file", "after", "finished_file.replace(target)"),
    # PostgreSQL: in the transaction
    "server-loaded": KillPoint(
        "warehouse.postgres", "prepare_publication", "after", "(_replace_rows if is_unchanged else _build_new_schemas)(cursor, stores)"
    ),
    # PostgreSQL: in the transaction
    "server-renamed": KillPoint("warehouse.postgres", "prepare_publication", "before", "connection.commit()"),
    "server-committed": KillPoint("warehouse.postgres", "prepare_publication", "after", "connection.commit()"),
    # in the transaction
    "states-entered": KillPoint("harmonia.registry.ledger", "record_states", "end of", "with registry.write() as session:"),
    "run-closed": KillPoint("harmonia.registry.ledger", "end_run", "after", "with registry.write() as session:"),
    # a page of feedback, scorecard, report or export: beside the old one
    "page-written": KillPoint("harmonia.atomic_files", "write_small_file", "before", "new_file.replace(path)"),
    # review: in the transaction
    "judgements-entered": KillPoint(
        "harmonia.review.judgements",
        "enter_judgements",
        "after",
        "session.execute(insert(Judgement), convert_frame_to_rows(new.assign(decided_at=moment)))",
    ),
    # all of it, under its unfinished name
    "release-written": KillPoint("warehouse.releases.folder", "write_release", "before", "unfinished.rename(target)"),
    # all of it, under its unfinished name
    "backup-copied": KillPoint(
        "harmonia.operations.backup.create", "backup", "after", "manifest = _copy_home_to_backup(workplace, partial)"
    ),
    "restore-copied": KillPoint("harmonia.operations.backup.restore", "restore", "after", "if workplace.registry_url:"),
    # the bytes still lie there
    "erasure-entered": KillPoint(
        "harmonia.operations.erasure.redaction", "record_redactions", "before", "store.forget_unrecorded_hashes()"
    ),
}

times: Counter[str] = Counter()  # how often each was reached in this process
_watching = False


def reached(name: str) -> None:
    """Die by SIGKILL where `HARMONIA_DIE_AT` names this point (`name`: the next time it is reached; `name:3`: the third time).

    In a process that works for a run, the run dies.
    """
    times[name] += 1
    wanted, _, nth = os.environ.get(VARIABLE, "").partition(":")
    if wanted == name and nth in ("", str(times[name])):
        run = multiprocessing.parent_process()
        os.kill(run.pid if run and run.pid else os.getpid(), signal.SIGKILL)


def die_at(at: str) -> None:
    """This process, which is to be a child of the test, dies at the point `name` or `name:nth`, counted from now."""
    os.environ.update(environment(at))
    times.clear()
    watch()


def environment(at: str) -> dict[str, str]:
    """The environment for a new Python process, which dies at the point `name` or `name:nth`."""
    if at.partition(":")[0] not in KILL_POINTS:
        raise LookupError(f"{at}: no such kill point")
    folders = [str(STARTUP), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, VARIABLE: at, "PYTHONPATH": os.pathsep.join(filter(None, folders))}


def watch() -> None:
    """Have `reached` called at every kill point from now on, in this process and in those that it forks."""
    global _watching
    if not _watching:
        _watching = True
        for name in modules() & set(sys.modules):
            _patch(sys.modules[name])
        sys.meta_path.insert(0, _Finder())


def modules() -> set[str]:
    """Names of the modules that have kill points."""
    return {point.module for point in KILL_POINTS.values()}


def function_of(module: ModuleType, name: str) -> FunctionType:
    """The function of that qualified name, without its decorators."""
    function: FunctionType = inspect.unwrap(reduce(getattr, name.split("."), module))  # type: ignore[arg-type]
    return function


def instrumented(module: str, source: str, file: str) -> dict[str, CodeType]:
    """The code of each function of `module` that has kill points, with a call of `reached` at them, by the function's qualified name.

    Raises `LookupError` where the source has no such function, or the statement does not occur exactly once in it.
    """
    here = {name: point for name, point in KILL_POINTS.items() if point.module == module}
    tree = ast.parse(source)
    places = {name: _place(tree, source.splitlines(), name, point) for name, point in here.items()}
    for name, (block, statement) in places.items():
        call = ast.parse(f"{_CALL}({name!r})").body[0]
        for node in ast.walk(call):
            ast.copy_location(node, statement)
        if here[name].where == "end of":
            statement.body.append(call)
        else:
            block.insert(block.index(statement) + (here[name].where == "after"), call)
    wanted = {point.function for point in here.values()}
    return {code.co_qualname: code for code in _codes(compile(tree, file, "exec", dont_inherit=True)) if code.co_qualname in wanted}


def _place(tree: ast.Module, lines: list[str], name: str, point: KillPoint) -> tuple[list[ast.stmt], Any]:
    """The statement of a kill point, and the block in which it lies."""
    scope: Any = tree
    for part in point.function.split("."):
        scope = next((node for node in scope.body if getattr(node, "name", None) == part), None)
        if scope is None:
            raise LookupError(f"kill point {name}: {point.module} has no function {point.function}")
    blocks = [getattr(node, field, None) for node in ast.walk(scope) for field in ("body", "orelse", "finalbody")]
    found = [(block, one) for block in blocks if isinstance(block, list) for one in block if lines[one.lineno - 1].strip() == point.line]
    if len(found) != 1:
        raise LookupError(f"kill point {name}: {point.function} of {point.module} has {point.line!r} {len(found)} times, not once")
    return found[0]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _patch(module: ModuleType) -> None:
    file = str(module.__file__)
    for name, code in instrumented(module.__name__, Path(file).read_text("utf-8"), file).items():
        function = function_of(module, name)
        function.__globals__[_CALL] = reached
        function.__code__ = code


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _patch(module)


class _Finder(MetaPathFinder):
    """Has the modules with kill points patched as soon as they are imported."""

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in modules() else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec
