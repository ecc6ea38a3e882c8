"""Skip a stage if neither its code nor its inputs have changed.

Belongs here: the data version of a stage's output, and an asset that keeps its output if the version is the same. Does not belong here:
what a stage does, how its output is stored (`pipelines.resources.lake`).

A version is a hash of the code, of the versions of the inputs, and of whatever else the stage reads (`other_inputs`). It is stored with the
output in the lake, and Dagster shows it as the data version. If a run is killed, it stores no version, so the next run repeats the stage.
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

from pipelines.asset_helpers import ROW_COUNT
from pipelines.resources import code_digest
from pipelines.resources.delivery_store import MANIFEST
from pipelines.resources.lake import DataVersion, StoredOutput, VersionedOutput, read_version
from pipelines.resources.workplace import Workplace

_CODE = ("harmonia", "pipelines", "warehouse", "schemas", "sources")
_LIBRARIES = ("duckdb", "pandas", "pyarrow", "rapidfuzz", "pandera")


def hash_values(*parts: object) -> str:
    """Return a hash of plain values, such as texts, numbers and lists of them."""
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()


def hash_stage_code() -> str:
    """Return a hash of all code that a stage can run, and of the versions of the libraries with which it computes."""
    return code_digest.hash_code_and_libraries(_CODE, _LIBRARIES)


def hash_frames(*frames: pd.DataFrame) -> str:
    """Return a hash of the content of frames. An output has this hash as its version if it does not depend only on its inputs."""
    return hash_values(*([list(frame.columns), pd.util.hash_pandas_object(frame, index=False).tolist()] for frame in frames))


def versioned_asset(
    other_inputs: Callable[[Workplace], object] = lambda _: None, changes_inputs: bool = False, **asset_options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Return a decorator like `dg.asset(**asset_options)`. The asset does not call its function if the stored output has the expected
    version.

    - other_inputs: a function that returns, as plain values, what the stage reads besides its inputs
    - changes_inputs: whether the stage itself changes what `other_inputs` returns. If this is false and it changed during the stage, the
      output gets no version, so the next run repeats the stage
    """

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        @wraps(function)
        def run_if_changed(context: dg.AssetExecutionContext, **arguments: Any) -> Any:
            workplace = arguments["workplace"]
            folder = workplace.home.lake.joinpath(*context.asset_key.path)
            expected = _compute_expected_version(context, workplace, other_inputs)
            stored = read_version(folder)
            if stored and stored.version == expected:
                rows = {} if stored.rows is None else {ROW_COUNT: stored.rows}
                context.add_output_metadata({**rows, "unchanged": "code and inputs are those of an earlier run"})
                return dg.Output(StoredOutput(folder), data_version=dg.DataVersion(expected))
            value = function(context, **arguments)
            version = _compute_expected_version(context, workplace, other_inputs)
            if version != expected and not changes_inputs:
                return dg.Output(value)
            row_count = (context.op_execution_context.get_output_metadata("result") or {}).get(ROW_COUNT)
            return dg.Output(VersionedOutput(value, DataVersion(version, row_count)), data_version=dg.DataVersion(version))

        run_if_changed.__annotations__ = {**function.__annotations__, "return": dg.Output[Any]}
        return dg.asset(**asset_options)(run_if_changed)

    return decorate


def _compute_expected_version(context: dg.AssetExecutionContext, workplace: Workplace, other_inputs: Callable[[Workplace], object]) -> str:
    """Return the version of an output that would be computed now. The stored output is kept if and only if it has this version."""
    keys = sorted(key.path for key in context.assets_def.keys_by_input_name.values())
    inputs = [(key, _read_input_version(workplace.home.lake.joinpath(*key))) for key in keys]
    return hash_values(hash_stage_code(), inputs, other_inputs(workplace))


def _read_input_version(folder: Path) -> str | None:
    """Return the version of the output in `folder`, from which a stage reads: a hash of its manifest if it is stored by delivery, otherwise
    the stored version.
    """
    manifest = folder / MANIFEST
    if manifest.exists():
        return hash_values(manifest.read_text("utf-8"))
    stored = read_version(folder)
    return stored.version if stored else None
