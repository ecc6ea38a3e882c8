"""The frames of a stage by delivery, and their union over all deliveries.

Belongs here: adding the delivery to each row of what reading, validation and harmonising return, and reading it back. Does not belong here:
storing them (`pipelines.resources.delivery_store`), the stages (`institution`).
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.harmonisation.stage import harmonise
from pipelines.resources import lake
from pipelines.resources.delivery_store import DELIVERY, DeliveryStore
from pipelines.resources.lake import Frames
from pipelines.resources.workplace import Workplace
from pipelines.validation import Validated, validate
from schemas.canonical import arrow_schema
from sources import contract
from sources.contract import TableSpec
from sources.readers.delivery import assemble
from sources.readers.piece import Piece
from sources.readers.result import ReadResult

ROW = "_row"  # of a canonical row: the delivered row that it was made of, whose status is its own
_TABLE = "tables."


@dataclass
class RawDelivery(ReadResult):
    """One delivery as read, with its name. `incomplete`: a file was still being written, so that absence from it says nothing."""

    delivery: str = ""
    incomplete: bool = False


def refused(institution: str, delivery: str, files: Iterable[str], rule: str, detail: str) -> RawDelivery:
    """A delivery of which nothing is taken: its files are unreadable, a finding says why."""
    declared = contract.load(institution)
    pieces = [Piece(file, state="unreadable") for file in files]
    read = assemble(pieces, declared)
    read.findings = [{"file": None, "rule": rule, "detail": detail or None}]
    return RawDelivery(**vars(read), delivery=delivery, incomplete=True)


def stage_folder(workplace: Workplace, institution: str, stage: str) -> Path:
    """Where a stage of an institution lies in the lake."""
    return workplace.home.lake / institution / stage


def packed(read: list[RawDelivery]) -> Frames:
    """Frames of deliveries as read, with the delivery of each row; `told` says of each what its page in Dagster shows."""
    names = pd.Series([one.delivery for one in read], dtype="str")
    frames = lake.pack(read)
    items = frames.pop(lake.ITEMS).assign(**{DELIVERY: names})
    out = {name: frame.assign(**{DELIVERY: names.to_numpy()[frame[lake.ITEM].to_numpy()]}) for name, frame in frames.items()}
    told = [(one.delivery, sum(map(len, one.tables.values())), len(one.unreadable), len(one.structure)) for one in read]
    counts = pd.DataFrame(told, columns=[DELIVERY, "rows", "unreadable", "structural"])
    return {**out, lake.ITEMS: items, "told": counts.astype({DELIVERY: "str"})}


def unpacked(frames: Frames) -> list[RawDelivery]:
    """The deliveries whose frames `packed` made."""
    number = {name: n for n, name in enumerate(frames[lake.ITEMS][DELIVERY])}
    numbered = {name: frame.assign(**{lake.ITEM: frame[DELIVERY].map(number)}) for name, frame in frames.items()}
    found: list[RawDelivery] = lake.unpack(list[RawDelivery], numbered)
    return found


def judged(institution: str, portions: DeliveryStore) -> Validated:
    """What validation made of all deliveries; of the tables only what says which row stands, and whose it is."""
    if not portions.manifest:
        return deepcopy(_of_nothing(institution))
    declared = contract.load(institution)
    asked = {f"{_TABLE}{name}": _asked(spec) for name, spec in declared.tables.items()}
    if units := declared.units:
        asked[f"{_TABLE}{units.table}"] |= {*units.columns, f"{units.number}:text"}
    frames = portions.load(columns=lambda name, c: name not in asked or c in asked[name])
    tables = {name.removeprefix(_TABLE): frames.pop(name) for name in list(frames) if name.startswith(_TABLE)}
    return Validated(institution=institution, tables=tables, **frames)


@cache
def _of_nothing(institution: str) -> Validated:
    """What validation makes of an institution that delivered nothing: nobody changes it."""
    return validate(institution, {})


def counted(portions: DeliveryStore) -> tuple[int, int, pd.DataFrame]:
    """Of what validation made of all deliveries: rows that can be read, rows set aside, and `severity` and `rule` of every finding."""
    frames = portions.load(columns=lambda _, column: column in ("_delivery", "delivery", "severity", "rule"))
    rows = sum(len(frame) for name, frame in frames.items() if name.startswith(_TABLE))
    nothing = pd.DataFrame(columns=["severity", "rule"], dtype="str")
    return rows, len(frames.get("quarantined", nothing)), frames.get("findings", nothing)[["severity", "rule"]]


def _asked(spec: TableSpec) -> set[str]:
    """The columns of a judged table that say which of its rows stands, whose it is, and what shows between deliveries."""
    places = {"_row", "_delivery", "_file", "_part", "_line", "_key", "_parent", "_record", "_case", "_period", "_version"}
    told = {f"{column.name}:given" for column in spec.columns}
    led = {f"{column.name}:argument" for column in spec.columns if column.prefixes and column.type == "code"}
    keys = {spec.crosswalk.table, spec.crosswalk.old, spec.crosswalk.new} if spec.crosswalk else set()
    return places | told | led | keys | ({"_content"} if spec.entity else set())


def files_of(institution: str, portions: DeliveryStore) -> pd.DataFrame:
    """Files of all deliveries: institution, delivery, file, state."""
    files = portions.load({"files"}.__contains__)["files"] if portions.manifest else _of_nothing(institution).files
    return files[["delivery", "file", "state"]].assign(institution=institution)


def by_delivery(found: Validated) -> Frames:
    """Frames of `found` with the delivery of each row."""
    tables = {f"{_TABLE}{name}": frame.assign(**{DELIVERY: frame["_delivery"]}) for name, frame in found.tables.items()}
    others = {name: getattr(found, name) for name in ("deliveries", "files", "quarantined", "structure", "findings")}
    return {**tables, **{name: frame.assign(**{DELIVERY: frame["delivery"]}) for name, frame in others.items()}}


def canonical_rows(institution: str, frames: Frames) -> Frames:
    """Canonical rows of judged ones, without status, with `ROW` and `DELIVERY`. A mapping passes a row's status on as it is, so that the
    number of the row can take its place."""
    tables = {name.removeprefix(_TABLE): frame for name, frame in frames.items() if name.startswith(_TABLE)}
    made = harmonise(institution, {name: frame.assign(_status=frame[ROW].astype("str")) for name, frame in tables.items()})
    rows = {name: frame["status"].astype("int64") for name, frame in made.items()}
    return {name: frame.drop(columns="status").assign(**{ROW: rows[name], DELIVERY: frame["delivery"]}) for name, frame in made.items()}


def with_status(harmonised: DeliveryStore, status: pd.Series, name: str) -> pa.Table:
    """A canonical table of an institution, every state with what became of it. status: `_status` (a category) by `ROW`."""
    rows, schema = harmonised.table(name), arrow_schema(name)
    if rows is None:
        return schema.empty_table()
    codes = np.append(status.cat.codes, -1)[status.index.get_indexer(rows[ROW].to_numpy())]
    known = pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(status.cat.categories, pa.string()))
    columns = {**dict(zip(rows.column_names, rows.columns, strict=True)), "status": known}
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)
