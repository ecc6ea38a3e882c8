"""What counting keeps from run to run, so that it counts anew only the cases that something has touched.

Belongs here: the layout of the memory, which of its rows still stand, putting them above what was counted now. Does not belong here:
counting; which cases belong together and by what they are known again (`warehouse.star.apart`).

The memory is a cache: a run without it, or with one of other code, comes to the same and takes longer. `lake/counting_memory` holds what
`warehouse.star.build.of_cases` made of all cases, and by case what it was made of (`CASES`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Table

from pipelines.resources import parquet
from pipelines.resources.code import digest
from warehouse.star.build import OF_CASES
from warehouse.tables import arrow_schema

CASES, _SAYS = "_cases", "says.json"
_CODE = (
    "warehouse/*.py",
    "warehouse/count",
    "warehouse/star",
    "warehouse/indicators",
    "schemas",
    "pipelines/linkage/*.py",
    "pipelines/assets",
)
_LIBRARIES = ("numpy", "pandas", "pyarrow", "duckdb")
_AT_A_TIME = 250_000  # rows
# Columns that number the rows through: every row, or only those of which another column says so.
_NUMBERED = {"fact_event": ("event_id", None), "fact_stay": ("chain", "first_of_chain")}


# Read when this code is: where another takes its place while a run goes on, what the run makes must not pass for that one's.
_MADE_BY = digest(_CODE, _LIBRARIES)


class DamagedError(Exception):
    """Kept rows cannot be read, which shows where they are read and no sooner."""


@dataclass(frozen=True)
class Memory:
    """folder: where it lies; cases: case_id, print (`warehouse.star.apart.groups`), none where there is nothing that can be used."""

    folder: Path
    cases: pd.DataFrame


class KeptAndCounted(parquet.Stream):
    """The rows of one table: what was kept of cases that stay as they are, below it what was counted now; numbered through.

    caseless: how many of them name no case.
    """

    def __init__(self, table: Table, memory: Memory, stay: pa.Array, counted: list[Path]) -> None:
        self.table, self.caseless = table, 0
        self._stay, self._counted = stay, [folder / f"{table.name}.parquet" for folder in counted]
        self._kept = [memory.folder / f"{table.name}.parquet"] if len(stay) else []

    def __iter__(self) -> Iterator[pa.Table]:
        before = 0
        yield arrow_schema(self.table).empty_table()
        for rows in self._rows():
            self.caseless += rows["case_id"].null_count
            numbered, first = _NUMBERED.get(self.table.name, (None, None))
            if numbered:
                one = np.ones(len(rows), dtype="int64") if first is None else rows[first].to_numpy().astype("int64")
                numbers = before + one.cumsum()
                before = int(numbers[-1]) if len(numbers) else before
                rows = rows.set_column(rows.schema.get_field_index(numbered), numbered, pa.array(numbers))
            yield rows

    def _rows(self) -> Iterator[pa.Table]:
        yield from self._staying()
        yield from map(pq.read_table, self._counted)

    def _staying(self) -> Iterator[pa.Table]:
        try:
            for path in self._kept:
                with pq.ParquetFile(path, page_checksum_verification=True) as file:
                    for batch in file.iter_batches(_AT_A_TIME):
                        yield pa.Table.from_batches([batch]).filter(pc.is_in(batch["case_id"], self._stay))
        except (OSError, pa.ArrowException) as error:
            raise DamagedError from error


def token(deliveries: pd.DataFrame, habits: pd.DataFrame) -> str:
    """What a memory must have been made with: this code, and what days are judged by: the first quarter of each institution, and how all of
    them enter dates."""
    begins = deliveries[deliveries["state"] != "unreadable"].groupby("institution")["period"].min()
    return f"{_MADE_BY} {begins.to_dict()} {habits.sort_index().to_dict('split')}"


def opened(folder: Path, wanted: str) -> Memory:
    """The memory in `folder`; an empty one where there is none, or one that was lost, damaged or made otherwise."""
    try:
        if json.loads((folder / _SAYS).read_text()) == wanted:
            for table in OF_CASES:
                pq.read_metadata(folder / f"{table.name}.parquet")
            return Memory(folder, parquet.below([pq.read_table(folder / f"{CASES}.parquet", page_checksum_verification=True)]))
    except (OSError, ValueError, KeyError, pa.ArrowException):
        pass  # everything is counted again
    return none(folder)


def none(folder: Path) -> Memory:
    """An empty one, whatever lies in `folder`."""
    return Memory(folder, pd.DataFrame({"case_id": pd.Series(dtype="str"), "print": pd.Series(dtype="uint64")}))


def told(found: pd.DataFrame) -> pd.DataFrame:
    """case_id, print of the cases in `found` (of `warehouse.star.apart.groups`); not of groups that hold a record without an id."""
    nameless = found.loc[found["case_id"].isna() | ((found["entity"] == "person") & found["person_id"].isna()), "group"]
    return found.loc[~found["group"].isin(nameless), ["case_id", "print"]].drop_duplicates(ignore_index=True)


def renewed(memory: Memory, cases: pd.DataFrame, counted: list[Path], into: Path) -> dict[str, Path]:
    """Write what stands now into the folder `into`; returns the file of each table of `OF_CASES`.

    cases: of `told`, of all cases; counted: a folder for every piece that was counted now. Raises `DamagedError`.
    """
    into.mkdir(parents=True, mode=0o700)
    stay = pa.array(memory.cases.merge(cases, on=["case_id", "print"])["case_id"], pa.string())
    files = {table.name: into / f"{table.name}.parquet" for table in OF_CASES}
    standing = [KeptAndCounted(table, memory, stay, counted) for table in OF_CASES]
    for rows in standing:
        parquet.write_table(files[rows.table.name], rows)
    caseless = sum(rows.caseless for rows in standing)  # would not be found again: then nothing is remembered
    parquet.write_table(into / f"{CASES}.parquet", cases.iloc[:0] if caseless else cases)
    return files


def keep(memory: Memory, made: Path, wanted: str) -> None:
    """Put what `renewed` wrote in the place of the memory. A run that is killed in between leaves none: the next one counts everything."""
    forget(memory.folder)
    (made / _SAYS).write_text(json.dumps(wanted))
    made.rename(memory.folder)


def forget(folder: Path) -> None:
    """Remove the memory in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
