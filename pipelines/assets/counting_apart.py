"""Counting many cases piece by piece, so that memory does not grow with history and several processes share the work, and of these only
such as something has touched since the last run.

Belongs here: which cases are counted now and in which piece, what a process does with one, putting everything into the lake. Does not
belong here: which records must stay together (`warehouse.star.apart`), cutting them (`counting_cut`), what is kept from run to run
(`counting_memory`), counting (`warehouse.star.build`).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from pipelines.assets import counting_cut, counting_memory
from pipelines.assets.counting_inputs import Before
from pipelines.assets.counting_memory import Memory
from pipelines.assets.describing import careful
from pipelines.resources import lake, parquet
from pipelines.resources.given_back import give_back
from pipelines.resources.lake import Kept
from pipelines.resources.processes import each
from pipelines.resources.workplace import Workplace
from schemas.canonical import TABLES
from warehouse import tables
from warehouse.count.inputs import KEY
from warehouse.star.apart import groups, pieces
from warehouse.star.build import OF_CASES, PUBLISHED, of_all, of_cases
from warehouse.star.prints import printed

MOST = 600_000
"""Canonical rows of a piece: some 900 MiB while it is counted. No more than these are counted at once."""


@dataclass(frozen=True)
class Piece:
    """Some cases: the folder with their records, and the one for what is made of them."""

    workplace: Workplace
    records: Path
    made: Path


def count_apart(workplace: Workplace, before: Before) -> Kept:
    """Write the published tables into the lake, as `warehouse.star.build.everything` makes them."""
    habits = counting_cut.habits(before)
    wanted = counting_memory.token(before.standing["deliveries"], habits)
    memory = counting_memory.opened(_memory(workplace), wanted)
    try:
        return _count_all(workplace, before, habits, memory, wanted)
    except counting_memory.DamagedError:
        return _count_all(workplace, before, habits, counting_memory.none(memory.folder), wanted)


def _count_all(workplace: Workplace, before: Before, habits: pd.DataFrame, memory: Memory, wanted: str) -> Kept:
    home, folder = workplace.home.lake, _pieces(workplace)
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run
    try:
        cases, records, rows = _touched(before, habits, memory, folder / "records")
        parts = [folder / "made" / one.name for one in records]
        each(_count, [Piece(workplace, one, part) for one, part in zip(records, parts, strict=True)], rows)
        made = counting_memory.renewed(memory, cases, parts, folder / "all")
        known = {"person_records": before.canonical.some("person_records", [*KEY, "delivery", "case_key", "status", "kind"])}
        rest = of_all(replace(before.inputs(), canonical=known), {name: parquet.scanned([path]) for name, path in made.items()})
        lake.write(home / "statistics", {**{name: made[name] for name in PUBLISHED}, **rest})
        counting_memory.keep(memory, folder / "all", wanted)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Kept(home / "statistics")


def forget(workplace: Workplace) -> None:
    """Remove what counting in pieces left: a history that is counted at once would neither renew it nor see whose it was."""
    shutil.rmtree(_pieces(workplace), ignore_errors=True)
    counting_memory.forget(_memory(workplace))


def _pieces(workplace: Workplace) -> Path:
    return workplace.home.lake / ".statistics.pieces"


def _memory(workplace: Workplace) -> Path:
    return workplace.home.lake / "counting_memory"


def _touched(before: Before, habits: pd.DataFrame, memory: Memory, folder: Path) -> tuple[pd.DataFrame, list[Path], int]:
    """Cut the cases that the memory does not hold as they are into pieces of about one size, as many as keep all processes at work.

    Out: case_id, print of all cases that can be remembered; the folders of the pieces; how many rows they hold.
    """
    scanned = {name: before.canonical.scan(name) for name in TABLES}
    found = groups(printed(scanned, before.standing["deliveries"]), before.identities["cases"], before.identities["persons"])
    cases = counting_memory.told(found)
    found = found[~found["print"].isin(memory.cases["print"])]
    rows, processes = int(found["rows"].sum()), len(os.sched_getaffinity(0))
    number = max(1, processes * -(-rows // (MOST * processes)))  # a multiple of the processes, rounded up
    found = found.assign(piece=pieces(found, max(1, -(-rows // number))))
    return cases, counting_cut.cut(before, found, habits, folder), rows


def _count(piece: Piece) -> None:
    with careful(piece.workplace, "counting"):
        made = of_cases(counting_cut.inputs(piece.records))
        piece.made.mkdir(parents=True)
        for table in OF_CASES:
            parquet.write_table(piece.made / f"{table.name}.parquet", tables.to_arrow(table, made[table.name]))
    give_back()
