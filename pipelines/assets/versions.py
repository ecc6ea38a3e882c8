"""Skipping a stage whose code and inputs have not changed.

Belongs here: the data version of a stage's output, and an asset that keeps its output if the version is the same. Does not belong here:
what a stage does, the layout of an output (`pipelines.resources.lake`).

A version is a hash of the code, the versions of the inputs, and whatever else a stage reads (`also`). It is stored with the output in the
lake. A killed run stores none, and the next run repeats the stage. Dagster shows it as the data version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from pipelines.describing import ROWS
from pipelines.resources import code
from pipelines.resources.delivery_store import MANIFEST
from pipelines.resources.lake import StoredOutput, Version, VersionedOutput, read_version
from pipelines.resources.workplace import Workplace

_CODE = ("harmonia", "pipelines", "warehouse", "schemas", "sources")
_LIBRARIES = ("duckdb", "pandas", "pyarrow", "rapidfuzz", "pandera")


def hashed(*parts: object) -> str:
    """One hash of plain values."""
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()


def program() -> str:
    """A hash of all code that a stage runs, and of the libraries that compute."""
    return code.digest(_CODE, _LIBRARIES)


def content(*frames: pd.DataFrame) -> str:
    """A hash of what frames hold, for outputs that do not follow from their inputs alone."""
    return hashed(*([list(frame.columns), pd.util.hash_pandas_object(frame, index=False).tolist()] for frame in frames))


def stage(
    also: Callable[[Workplace], object] = lambda _: None, writes: bool = False, **declared: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset(**declared)` over a function that is not called where its output has the version that it would get.

    also  what the stage reads beside its inputs, as plain values. A stage that changes it itself says so (`writes`); where somebody else
          did meanwhile, the output gets no version, and the stage is done again.
    """

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        @wraps(function)
        def done(context: dg.AssetExecutionContext, **given: Any) -> Any:
            workplace = given["workplace"]
            folder = workplace.home.lake.joinpath(*context.asset_key.path)
            wanted = _wanted(context, workplace, also)
            there = read_version(folder)
            if there and there.version == wanted:
                rows = {} if there.rows is None else {ROWS: there.rows}
                context.add_output_metadata({**rows, "unchanged": "code and inputs are those of an earlier run"})
                return dg.Output(StoredOutput(folder), data_version=dg.DataVersion(wanted))
            value = function(context, **given)
            after = _wanted(context, workplace, also)
            if after != wanted and not writes:
                return dg.Output(value)
            said = (context.op_execution_context.get_output_metadata("result") or {}).get(ROWS)
            return dg.Output(VersionedOutput(value, Version(after, said)), data_version=dg.DataVersion(after))

        done.__annotations__ = {**function.__annotations__, "return": dg.Output[Any]}
        return dg.asset(**declared)(done)

    return decorate


def _wanted(context: dg.AssetExecutionContext, workplace: Workplace, also: Callable[[Workplace], object]) -> str:
    keys = sorted(key.path for key in context.assets_def.keys_by_input_name.values())
    inputs = [(key, _of_input(workplace.home.lake.joinpath(*key))) for key in keys]
    return hashed(program(), inputs, also(workplace))


def _of_input(folder: Path) -> str | None:
    """The version of what a stage before made: its own, or of portions which of them stand."""
    stands = folder / MANIFEST
    if stands.exists():
        return hashed(stands.read_text("utf-8"))
    there = read_version(folder)
    return there.version if there else None
