"""The lake as Dagster's IO manager: it writes the output of an asset and loads it as input of another.

Belongs here: the IO manager. Does not belong here: the layout of a value (`lake`), which processes without Dagster write too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.failures import redact_errors
from pipelines.resources.lake import ITEMS, Kept, Tables, Versioned, keep_version, light, opened, pack, write
from pipelines.resources.memory import release_memory


class LakeIOManager(dg.IOManager):
    """Keeps what an asset made as Parquet, and in memory for the rest of the run where it is light.

    `shapes` says by the last part of an asset's key what its value is, where that is not a frame by name.
    """

    def __init__(self, root: Path, shapes: Mapping[str, Any]):
        self._root, self._shapes, self._held = root, shapes, dict[tuple[str, ...], Any]()
        self._logs = root.parent / "logs"

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write `obj`; rows by table go into the materialisation's metadata. A `Kept` one is there already."""
        with redact_errors(f"{'/'.join(context.asset_key.path)}: writing to the lake", self._logs):
            self._write(context, obj)

    def _write(self, context: dg.OutputContext, obj: Any) -> None:
        key, folder = tuple(context.asset_key.path), self._root.joinpath(*context.asset_key.path)
        if isinstance(obj, Versioned):
            self._write(context, obj.value)
            keep_version(folder, obj.version)
            return
        release_memory()
        if isinstance(obj, Kept):
            if isinstance(obj, self._shapes.get(key[-1], ())):
                self._held[key] = obj
            context.add_output_metadata({"lake": dg.MetadataValue.path(str(folder))})
            return
        frames = pack(obj)
        written = write(folder, frames)
        if light(folder):
            self._held[key] = Tables(obj) if isinstance(obj, dict) else obj
        context.add_output_metadata(
            {
                "tables": {name: len(frame) for name, frame in frames.items() if name != ITEMS},
                "lake": dg.MetadataValue.path(str(folder)),
                "bytes": written,
            }
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """What the upstream asset made: of this run, else of the last one that wrote it."""
        key, folder = tuple(context.asset_key.path), self._root.joinpath(*context.asset_key.path)
        if key in self._held:
            return self._held[key]
        with redact_errors(f"{'/'.join(key)}: reading from the lake", self._logs):
            value = opened(self._shapes.get(key[-1], dict), folder)
        if light(folder):
            self._held[key] = value
        return value
