"""Counting many cases piece by piece, so that memory does not grow with history and several processes share the work.

Belongs here: cutting the canonical tables into pieces, what a process does with one, putting the parts together in the lake. Does not
belong here: which records must stay together (`warehouse.star.apart`), counting (`warehouse.star.build`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.assets.counting_inputs import Before
from pipelines.assets.describing import careful
from pipelines.resources import lake
from pipelines.resources.given_back import give_back
from pipelines.resources.lake import Kept, Tables
from pipelines.resources.processes import each
from pipelines.resources.workplace import Workplace
from schemas.canonical import TABLES
from warehouse import tables
from warehouse.count import MOVES, SUMS, CountInputs
from warehouse.count.inputs import FILE, KEY
from warehouse.loading import show
from warehouse.star.apart import pieces
from warehouse.star.build import DAYS, OFFENCES, of_all, of_cases

MOST = 600_000
"""Canonical rows of a piece: some 900 MiB while it is counted. No more than these are counted at once."""
_SMALL = (SUMS, MOVES, DAYS, OFFENCES, "bridge_records")
_NUMBERED = {"fact_event": "event_id", "fact_stay": "chain"}  # columns that number the rows of a piece from 1
# What a record key names: a case and a person of one institution may have the same number.
_ENTITY = {"case_records": "'case'", "person_records": "'person'", "events": "entity"}
_OTHERWISE = "CASE WHEN record_key = coalesce(case_key, record_key) THEN 'case' ELSE 'person' END"


@dataclass(frozen=True)
class Piece:
    """Some cases: the folder with their records, and the one for what is made of them."""

    workplace: Workplace
    records: Path
    made: Path


class Below(lake.Stream):
    """A published table whose parts lie in several folders, one below the other, its rows numbered through."""

    def __init__(self, folders: list[Path], name: str) -> None:
        self.paths, self._number = [folder / f"{name}.parquet" for folder in folders], _NUMBERED.get(name)

    def __iter__(self) -> Iterator[pa.Table]:
        before = 0
        for path in self.paths:
            rows = pq.read_table(path)
            if self._number:
                numbers = pc.add(rows[self._number], before)
                before = pc.max(numbers).as_py() or before
                rows = rows.set_column(rows.schema.get_field_index(self._number), self._number, numbers)
            yield rows


def count_apart(workplace: Workplace, before: Before) -> Kept:
    """Write the published tables into the lake, as `warehouse.star.build.everything` makes them."""
    folder = workplace.home.lake / ".statistics.pieces"
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run
    try:
        parts = [folder / "made" / str(n) for n in range(_cut(before, folder / "records"))]
        each(_count, [Piece(workplace, folder / "records" / part.name, part) for part in parts], len(parts) * MOST)
        made = {name: pd.concat([lake.read_table(part / f"{name}.parquet") for part in parts], ignore_index=True) for name in _SMALL}
        facts = {path.stem: Below(parts, path.stem) for path in sorted(parts[0].glob("*.parquet")) if path.stem not in _SMALL}
        known = {"person_records": before.canonical.some("person_records", [*KEY, "case_key", "status"])}
        rest = of_all(replace(before.inputs(), canonical=known), made, {name: lake.scanned(below.paths) for name, below in facts.items()})
        lake.write(workplace.home.lake / "statistics", {**facts, **rest, "bridge_records": made["bridge_records"]})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Kept(workplace.home.lake / "statistics")


def _cut(before: Before, into: Path) -> int:
    """Write the records of every piece into a folder of its own, as many as are returned: canonical tables, `cases`, `persons`,
    `deliveries` and the `numbers` of all files."""
    canonical, deliveries = before.records, before.standing["deliveries"]
    ids = {name: before.identities[name] for name in ("cases", "persons")}
    found = pieces(_held(canonical), ids["cases"], ids["persons"], MOST)
    of_file = found.drop_duplicates(FILE).set_index(FILE)["piece"]
    folders = [into / str(n) for n in range(int(found["piece"].max()) + 1)]
    files = canonical.some("case_records", ["institution", "number", "status"])
    numbers = files.loc[files["status"] == "accepted", ["institution", "number"]].dropna().drop_duplicates(ignore_index=True)
    for folder in folders:
        folder.mkdir(parents=True)
        lake.write_table(folder / "deliveries.parquet", deliveries)
        lake.write_table(folder / "numbers.parquet", numbers)
    for name in TABLES:
        rows = canonical[name]
        _put(name, rows, [rows["institution"], rows["case_key"].fillna(rows["record_key"])], of_file, folders)
    of_person = found[found["entity"] == "person"].drop_duplicates(KEY).set_index(KEY)["piece"]
    for name, of_record in (("cases", of_file), ("persons", of_person)):  # a file may be known by its persons alone
        _put(name, ids[name], [ids[name]["institution"], ids[name]["record_key"]], of_record, folders)
    return len(folders)


def _held(canonical: Tables) -> pd.DataFrame:
    """institution, entity, record_key, case_key, rows: how many rows of the canonical tables have these keys."""
    with duckdb.connect() as connection:
        for name in TABLES:
            show(connection, name, canonical.scan(name))
        every = " UNION ALL ".join(
            f"SELECT institution, {_ENTITY.get(name, _OTHERWISE)} AS entity, record_key, coalesce(case_key, record_key) AS case_key "
            f'FROM "{name}"'
            for name in TABLES
        )
        found = connection.execute(f"SELECT *, count(*) AS rows FROM ({every}) GROUP BY ALL").df()
    return found.astype(dict.fromkeys([*KEY, "entity", "case_key"], "str"))


def _put(name: str, rows: pd.DataFrame, keys: list[pd.Series], piece_of: pd.Series, folders: list[Path]) -> None:
    """Write rows to the piece of their keys, in their order. Raises `KeyError` for rows of a record that no table knows."""
    piece = pd.Series(piece_of.reindex(pd.MultiIndex.from_arrays(keys)).to_numpy())
    if piece.isna().any():
        raise KeyError(f"{name}: {int(piece.isna().sum())} rows are of no record that the canonical tables hold")
    for n, mine in rows.groupby(piece.set_axis(rows.index)):
        lake.write_table(folders[int(n)] / f"{name}.parquet", mine.reset_index(drop=True))
    for folder in folders:
        if not (folder / f"{name}.parquet").exists():
            lake.write_table(folder / f"{name}.parquet", rows.iloc[:0])


def _count(piece: Piece) -> None:
    with careful(piece.workplace, "counting"):
        held, nothing = lake.read(piece.records), pd.DataFrame()
        canonical = {name: held[name] for name in TABLES}
        inputs = CountInputs(
            canonical, held["cases"], held["persons"], held["deliveries"], nothing, nothing, nothing, numbers=held["numbers"]
        )
        piece.made.mkdir(parents=True)
        for name, frame in of_cases(inputs).items():
            rows = tables.to_arrow(tables.WAREHOUSE.tables[name], frame) if name in tables.WAREHOUSE.tables else frame
            lake.write_table(piece.made / f"{name}.parquet", rows)
    give_back()
