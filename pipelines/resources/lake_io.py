"""The lake as Dagster's IO manager, which stores the output of an asset and loads it as the input of another asset.

Belongs here: the IO manager. Does not belong here: converting outputs to frames (`lake`), which is also used without Dagster.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.failures import redact_errors
from pipelines.resources.lake import (
    ITEMS_FRAME,
    StoredOutput,
    Tables,
    VersionedOutput,
    are_tables_small,
    convert_value_to_frames,
    open_stored_output,
    write_tables,
    write_version,
)
from pipelines.resources.memory import release_free_memory


class LakeIOManager(dg.IOManager):
    """Stores the outputs of assets as Parquet files, and keeps small ones in memory for the rest of the run.

    `value_types` maps the last part of an asset's key to the type of its output, if the output is not a dictionary of frames.
    """

    def __init__(self, root: Path, value_types: Mapping[str, Any]):
        self._root, self._shapes, self._cache = root, value_types, dict[tuple[str, ...], Any]()
        self._logs = root.parent / "logs"

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write the output `obj` to the lake, unless it is a `StoredOutput`. The number of rows of each table is shown in Dagster."""
        with redact_errors(f"{'/'.join(context.asset_key.path)}: writing to the lake", self._logs):
            self._write(context, obj)

    def _write(self, context: dg.OutputContext, obj: Any) -> None:
        key, folder = tuple(context.asset_key.path), self._root.joinpath(*context.asset_key.path)
        if isinstance(obj, VersionedOutput):
            self._write(context, obj.value)
            write_version(folder, obj.version)
            return
        release_free_memory()
        if isinstance(obj, StoredOutput):
            if isinstance(obj, self._shapes.get(key[-1], ())):
                self._cache[key] = obj
            context.add_output_metadata({"lake": dg.MetadataValue.path(str(folder))})
            return
        frames = convert_value_to_frames(obj)
        written = write_tables(folder, frames)
        if are_tables_small(folder):
            self._cache[key] = Tables(obj) if isinstance(obj, dict) else obj
        context.add_output_metadata(
            {
                "tables": {name: len(frame) for name, frame in frames.items() if name != ITEMS_FRAME},
                "lake": dg.MetadataValue.path(str(folder)),
                "bytes": written,
            }
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the output of an asset, for another asset that reads it.

        It is the output of this run, otherwise that of the last run that wrote it.
        """
        key, folder = tuple(context.asset_key.path), self._root.joinpath(*context.asset_key.path)
        if key in self._cache:
            return self._cache[key]
        with redact_errors(f"{'/'.join(key)}: reading from the lake", self._logs):
            value = open_stored_output(self._shapes.get(key[-1], dict), folder)
        if are_tables_small(folder):
            self._cache[key] = value
        return value
