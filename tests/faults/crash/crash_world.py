"""Killing runs: a parent that has imported everything forks a child for each run, and the child dies by a real SIGKILL.

Belongs here: a base home, the ways to kill, what a reader sees afterwards, what may not be left. Does not belong here: how many kills
(`test_kills.py` a few, `benchmarks/crash_recovery.py` many).

A chain starts with a copy of the base home in which an older inbox was published. Runs over the grown inbox are killed one after the
other, each on what the one before left; after each kill every published store must hold the old or the new state whole, and may
not go back. Then one run is let through: it must publish what an undisturbed run publishes, and leave nothing behind.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import re
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from random import Random
from typing import Any, Literal
from unittest.mock import patch

import dagster as dg
import kill_points
import psycopg
import published_world as published
from sqlalchemy import create_engine, text

from harmonia.lock import lock_home_for_run
from pipelines.assets import comparison, landing, linkage, publication
from pipelines.checks.pipeline_wide import find_hashes_of_damaged_files
from pipelines.definitions import list_assets
from pipelines.progress import SilentListener
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything

OLD = ("police/2013-Q1", "prosecution/2013-Q1")
NEW = ("police/2013-Q2", "police/2013-Q2_v2", "courts/2013-Q1", "corrections/2013-Q1")
FILES = ("warehouse.duckdb", "analysts.duckdb", "identity.duckdb")
EFFECTS = (linkage.identities, comparison.comparison, publication.warehouse, publication.feedback, publication.scorecard)  # beyond the lake
_WAIT = 600  # seconds after which a child counts as hanging


@dataclass(frozen=True)
class Kill:
    """How one run is to die: at a named point (`name:nth`), or after a share of its operations on files of the home, or of its CPU time."""

    kind: Literal["point", "file", "cpu"]
    at: str


@dataclass(frozen=True)
class Moments:
    """Of an undisturbed run, or of its effects: operations on files of the home, CPU seconds, how often each point is reached."""

    operations: int
    cpu: float
    points: Mapping[str, int]


@dataclass
class World:
    """A base home and the two inboxes. `states`: per published store its hash in the old and in the new state."""

    root: Path
    server: str | None = None  # URL of a PostgreSQL server with the database `base`; None: files only
    fresh: bool = False  # chains start in an empty home
    states: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)  # files of a home after an undisturbed run
    moments: dict[bool, Moments] = field(default_factory=dict)  # True: of a whole run; False: of its effects alone
    again: dict[bool, Moments] = field(default_factory=dict)  # the same if the new state exists already: less is to be done
    made: dict[str, Any] = field(default_factory=dict)  # what the assets of the undisturbed run made, by key
    known: dict[str, str] = field(default_factory=dict)  # content hash by the hash of a file's bytes

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    def place(self, home: str, inbox: Path | None = None) -> Workplace:
        """The work place of the home called `home`; with a server, its registry and warehouse lie in the database of that name."""
        if self.server is None:
            return Workplace.from_paths(inbox or self.inbox, self.root / home)
        url = self.database(home)
        return Workplace.from_paths(inbox or self.inbox, self.root / home, url.replace("postgresql://", "postgresql+psycopg://"), url)

    def database(self, name: str) -> str:
        """The URL of a database of the server."""
        assert self.server is not None
        return self.server.replace("/postgres?", f"/{name}?")


def prepare(root: Path, delivered: Path, server: str | None = None, fresh: bool = False) -> World:
    """Make the world below `root` from the simulated inbox `delivered`: publish the old state, then, in a copy, the new one."""
    kill_points.watch()
    world = World(root, server, fresh)
    before = root / "before"
    for name in OLD:
        shutil.copytree(delivered / name, before / name)
        shutil.copytree(delivered / name, world.inbox / name)
    for name in NEW:
        shutil.copytree(delivered / name, world.inbox / name)
    for path in root.rglob("*"):
        os.utime(path, (1, 1))  # long since still: landing need not watch them
    if server:
        _sql(server, "CREATE DATABASE base")
    if fresh:
        (root / "base").mkdir()
    else:
        in_child(lambda: run_everything(world.place("base", before), SilentListener()) and None)
    copy(world, "undisturbed")
    world.moments[True], world.made = in_child(
        lambda: _counted(world.place("undisturbed"), lambda p: run_everything(p, SilentListener()).values)
    )
    copy(world, "effects")
    edges(world.place("effects"), world.made)  # in this process: what it imports and keeps, no child need do again
    copy(world, "effects")
    for known in (world.moments, world.again):
        known[False], _ = in_child(lambda: _counted(world.place("effects"), lambda p: edges(p, world.made)))
    world.again[True], _ = in_child(lambda: _counted(world.place("undisturbed"), lambda p: run_everything(p, SilentListener()).values))
    old, new = look(world, "base"), look(world, "undisturbed")
    world.states = {store: (old[store], new[store]) for store in new}
    world.left = set(_names(world.root / "undisturbed"))
    return world


def copy(world: World, name: str) -> None:
    """A copy of the base home, and of its database, called `name`; an older one of that name goes."""
    shutil.rmtree(world.root / name, ignore_errors=True)
    shutil.copytree(world.root / "base", world.root / name)
    if world.server:
        _sql(world.server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        _sql(world.server, f"CREATE DATABASE {name} TEMPLATE base")


def _sql(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _counted(place: Workplace, run: Callable[[Workplace], Mapping[str, Any]]) -> tuple[Moments, dict[str, Any]]:
    """Let a run through; its moments, and what its assets made."""
    kill_points.times.clear()
    seen, begun = _watch(place.home.root, lambda _: None), time.process_time()
    made = run(place)
    return Moments(seen[0], time.process_time() - begun, dict(kill_points.times)), dict(made)


def edges(place: Workplace, made: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run's effects alone, in its order: everything between them is taken from an undisturbed run, since it touches nothing.

    Some ten times cheaper than a whole run, so that many more moments around a write can be tried. There is no run of Dagster's here, so
    what its pages say of a delivery is left out.
    """
    place.prepare_folders()
    with (
        lock_home_for_run(place.home),
        dg.build_asset_context() as context,
        patch.object(publication, "report_tolerance_checks_to_dagster"),
        patch.object(type(context), "run", create=True),
        patch.object(dg.DagsterInstance, "add_run_tags"),
    ):
        made = {**made, "landing": _value(landing.landing(context, place))}
        for asset in list_assets():
            key = "/".join(asset.key.path)
            if asset in EFFECTS:
                made = {**made, key: _value(asset(context, **_inputs(asset, made, place)))}
            if not isinstance(made[key], lake.StoredOutput):  # those are written where they are made
                lake.write_tables(place.home.lake.joinpath(*asset.key.path), lake.convert_value_to_frames(made[key]))
    return made


def _value(output: Any) -> Any:
    """What an asset made, without the version that a run keeps beside it: what is written without one is made again by the next run."""
    value = output.value if isinstance(output, dg.Output) else output
    return value.value if isinstance(value, lake.VersionedOutput) else value


def _inputs(asset: dg.AssetsDefinition, made: Mapping[str, Any], place: Workplace) -> dict[str, Any]:
    """What an asset's function takes, of what the others made."""
    wanted = inspect.signature(asset.op.compute_fn.decorated_fn).parameters
    given = {name: made["/".join(key.path)] for name, key in asset.keys_by_input_name.items() if name in wanted}
    return {name: lake.Tables(value) if isinstance(value, dict) else value for name, value in given.items()} | {"workplace": place}


def _watch(home: Path, each: Callable[[int], None]) -> list[int]:
    """Call `each` with the number of every operation on a file below `home` from now on, before it is made."""
    seen, start = [0], str(home)
    names = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.rmdir", "sqlite3.connect"}

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in names or not isinstance(arguments[0], str | os.PathLike):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if os.fspath(arguments[0]).startswith(start):
            seen[0] += 1
            each(seen[0])

    sys.addaudithook(hook)
    return seen


def own_processes() -> None:
    """In a child: start a separate process server, since it must not use the parent's."""
    forkserver._forkserver.__init__()  # type: ignore[misc]


def in_child(function: Callable[[], Any]) -> Any:
    """What `function` gives, run in a forked process; raises what it raised."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        own_processes()
        try:
            out = pickle.dumps((True, function()))
        except BaseException as error:  # noqa: BLE001 - handed over to the parent
            out = pickle.dumps((False, f"{type(error).__name__}: {error}"))
        with os.fdopen(write, "wb") as pipe:
            pipe.write(out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    good, value = pickle.loads(data)
    if not good:
        raise AssertionError(value)
    return value


def killed(world: World, home: str, kill: Kill, whole: bool = True, again: bool = False) -> bool:
    """Start a run (or, not `whole`, its effects alone) in a forked process and let it die; whether it did (False: it ended first).

    again: the new state exists already. Raises `AssertionError` if it hangs or fails.
    """
    moments = (world.again if again else world.moments)[whole]
    child = os.fork()
    if child == 0:
        _die_at_moments(world, home, kill, whole, moments)
    until = time.monotonic() + _WAIT
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if kill.kind == "cpu" and _cpu(child) >= float(kill.at) * moments.cpu:
            os.kill(child, signal.SIGKILL)
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"{kill}: a run hangs")
        time.sleep(0.002)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert os.waitstatus_to_exitcode(status) == 0, f"{kill}: a run on what a kill left failed"
    return False


def _die_at_moments(world: World, home: str, kill: Kill, whole: bool, moments: Moments) -> None:
    place = world.place(home)
    own_processes()
    try:
        if kill.kind == "point":
            kill_points.die_at(kill.at)
        elif kill.kind == "file":
            wanted = 1 + int(float(kill.at) * moments.operations)
            _watch(place.home.root, lambda n: os.kill(os.getpid(), signal.SIGKILL) if n == wanted else None)
        if whole:
            run_everything(place, SilentListener())
        else:
            edges(place, world.made)
    except BaseException as error:  # noqa: BLE001 - the child ends here whatever happens
        sys.stderr.write(f"{kill}: {type(error).__name__} {error}\n")
        os._exit(1)
    os._exit(0)


def _cpu(process: int) -> float:
    try:
        return time.clock_gettime(((~process) << 3) | 2)  # the CPU clock of another process (clock_getcpuclockid)
    except OSError:
        return 0.0


def look(world: World, home: str) -> dict[str, str | None]:
    """The content hash of every published store as its readers see it now; None where there is none."""
    out: dict[str, str | None] = {}
    pointer = world.root / home / "published/current"
    pointed = pointer.parent / pointer.read_text().strip() if pointer.exists() else pointer.parent / "none"
    for name, path in {**{n: world.root / home / n for n in FILES}, **{f"pointed at: {n}": pointed / n for n in FILES}}.items():
        if not path.exists():
            out[name] = None
            continue
        bytes_ = hashlib.sha256(path.read_bytes()).hexdigest()
        key = f"{path.name} {bytes_}"
        if key not in world.known or path.with_name(f"{path.name}.wal").exists():
            world.known[key] = in_child(lambda path=path: _content(path))
        out[name] = world.known[key]
    if world.server:
        url = world.database(home)
        out["server"] = in_child(lambda: _content_of_server(url))
    return out


def _content(path: Path) -> str:
    tables = published.of_file(path)
    if path.name == "analysts.duckdb":  # a fresh home makes itself a new key: pseudonyms apart, the content must be the same
        hidden = ("record_key", "chain", *published.IDS)
        return published.content_hash({name: f.drop(columns=[c for c in hidden if c in f]) for name, f in tables.items()})
    return published.content_hash(published.renamed(tables, "persons" if path.name == "identity.duckdb" else "lineage"))


def _content_of_server(url: str) -> str | None:
    tables = published.of_server(url)
    return published.content_hash(published.renamed(tables)) if tables else None


def check_readers(world: World, home: str, seen_new: set[str], kill: Kill) -> None:
    """Every store holds the old or the new state whole, the three that are pointed at the same one, and none goes back."""
    found = look(world, home)
    pointed = {found[f"pointed at: {name}"] == world.states[name][1] for name in FILES}
    assert len(pointed) == 1, f"{kill}: the files that are pointed at are of two states"
    for store, hash_ in found.items():
        old, new = world.states[store]
        assert hash_ in (old, new), f"{kill}: {store} is torn"
        if hash_ == new:
            seen_new.add(store)
        assert hash_ == new or store not in seen_new, f"{kill}: {store} went back to the old state"


def recovered(world: World, home: str) -> list[str]:
    """Let a run through on what the kills left; what is wrong afterwards, a line each."""
    try:
        in_child(lambda: run_everything(world.place(home), SilentListener()) and None)
    except AssertionError as error:
        return [f"the next run failed: {error}"]
    wrong = [f"{store} is not that of an undisturbed run" for store, hash_ in look(world, home).items() if hash_ != world.states[store][1]]
    wrong += [f"left behind: {name}" for name in sorted(set(_names(world.root / home)) - world.left)]
    wrong += [f"missing: {name}" for name in sorted(world.left - set(_names(world.root / home)))]
    return wrong + in_child(lambda: _open_ends(world, home))


def _names(home: Path) -> Iterator[str]:
    """Files and folders of a home; Dagster's file of a run is named after the run, a publishing is numbered."""
    for path in home.rglob("*"):
        name = re.sub(r"^published/\d+", "published/N", str(path.relative_to(home)))
        if not name.startswith("dagster/history/runs/") and not name.endswith(("-wal", "-shm")):
            yield name


def _open_ends(world: World, home: str) -> list[str]:
    place, wrong = world.place(home), []
    engine = create_engine(place.registry)
    with engine.connect() as connection:
        if connection.scalar(text("SELECT count(*) FROM run WHERE finished IS NULL")):
            wrong.append("the ledger has a run that never ended")
        hashes = list(connection.scalars(text("SELECT sha256 FROM file")))
        unknown = connection.scalar(text("SELECT count(*) FROM delivery_file WHERE sha256 NOT IN (SELECT sha256 FROM file)"))
        if unknown:
            wrong.append(f"{unknown} receipts name bytes that are not in the ledger")
    engine.dispose()
    wrong += [f"landed bytes are damaged: {sha256}" for sha256 in find_hashes_of_damaged_files(hashes, place.home.landing)]
    stored = {p.name for p in place.home.landing.rglob("*") if len(p.name) == 64}
    wrong += [f"landed bytes without an entry: {name}" for name in stored - set(hashes)]
    with dg.DagsterInstance.from_config(str(place.home.dagster)) as instance:
        wrong += [f"Dagster run {run.status}" for run in instance.get_runs() if not run.is_finished]
    if world.server:
        with psycopg.connect(world.database(home)) as connection:
            schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'warehouse_%'").fetchall()
            wrong += [f"half a schema: {name}" for (name,) in schemas]
            locks = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
            wrong += ["an advisory lock is held"] if locks and locks[0] else []
    else:
        with sqlite3.connect(place.home.root / "registry.sqlite") as registry:
            wrong += [] if registry.execute("PRAGMA integrity_check").fetchone() == ("ok",) else ["the registry is damaged"]
    return wrong


def chain(world: World, home: str, kills: list[Kill], whole: bool = True) -> tuple[dict[Kill, bool], list[str]]:
    """Kill one run after the other in a fresh copy, then let a whole one through. Which died, and all that is wrong."""
    copy(world, home)
    died: dict[Kill, bool] = {}
    seen_new: set[str] = set()
    try:
        for kill in kills:
            died[kill] = killed(world, home, kill, whole, again=bool(seen_new))
            check_readers(world, home, seen_new, kill)
    except AssertionError as error:
        return died, [str(error)]
    return died, recovered(world, home)


def at_random(draw: Random) -> Kill:
    """A kill at a random moment: half at an operation on a file, half after a share of the run's CPU time."""
    return Kill("file" if draw.random() < 0.5 else "cpu", f"{draw.uniform(0.0, 1.0):.4f}")


def at_points(world: World, whole: bool = True) -> list[Kill]:
    """A kill at every named point that a run reaches: the first, a middle and the last time."""
    reached = world.moments[whole].points.items()
    return [Kill("point", f"{point}:{nth}") for point, times in reached for nth in sorted({1, (times + 1) // 2, times})]
