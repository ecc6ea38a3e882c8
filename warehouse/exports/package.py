"""Export a release as a data package: CSV and Parquet files with `datapackage.json` (Data Package v1, Frictionless).

Belongs here: the descriptor. Does not belong here: the figures; the files are those of the release, unchanged.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.texts import merge_texts, texts
from schemas.yaml_declarations import read_yaml
from warehouse.releases.reading import Release

_TYPES = ((pa.types.is_boolean, "boolean"), (pa.types.is_integer, "integer"))


@cache
def _read_descriptions_of_tables() -> dict[str, Any]:
    """Read the descriptions of the tables and their columns."""
    return merge_texts(read_yaml(Path(__file__).with_suffix(".yaml")), texts("exports")["package"])


def make_files_of_data_package(release: Release) -> dict[str, bytes]:
    """Return the content of each file of the package by name: every file of the public release, and the descriptor."""
    return {**release.files, "datapackage.json": _as_json(make_descriptor_of_data_package(release))}


def make_descriptor_of_data_package(release: Release) -> dict[str, Any]:
    """Return the content of `datapackage.json`: one resource per table, as CSV with a schema and with the Parquet file beside it."""
    descriptions = _read_descriptions_of_tables()
    resources: list[dict[str, Any]] = []
    for name, table in descriptions["resources"].items():
        if f"{name}.csv" not in release.files:
            continue
        resources.append(
            {
                **_describe_file_of_data_package(release, f"{name}.csv", "csv", "text/csv"),
                "name": name,
                "title": table["title"],
                "schema": _make_table_schema(release, name),
            }
        )
        resources.append(
            {
                **_describe_file_of_data_package(release, f"{name}.parquet", "parquet", "application/vnd.apache.parquet"),
                "name": f"{name}-parquet",
                "title": table["title"],
                "schema": {
                    "fields": [{"name": column, "type": "any"} for column in _read_column_types(release, name).names]
                },  # the Parquet file has its own types
            }
        )
    return {
        "profile": "data-package",
        "name": f"harmonia-{release.name}",
        "title": descriptions["title"]["en"],
        "titles": descriptions["title"],
        "description": descriptions["description"],
        "version": release.name,
        "licenses": [descriptions["licence"]],
        "resources": resources,
    }


def _describe_file_of_data_package(release: Release, path: str, file_format: str, media_type: str) -> dict[str, Any]:
    """Describe a file by its path and type, and a CSV file also by its size and hash. Validators do not read Parquet; the manifest of the
    release contains size and hash of all files."""
    if file_format != "csv":
        return {"path": path, "format": file_format, "mediatype": media_type, "profile": "data-resource"}
    entry = release.manifest["files"][path]
    dialect = {"delimiter": ",", "lineTerminator": "\n"}
    resource = {
        "path": path,
        "format": file_format,
        "mediatype": media_type,
        "profile": "tabular-data-resource",
        "encoding": "utf-8",
        "dialect": dialect,
    }
    return {**resource, "bytes": entry["bytes"], "hash": f"sha256:{entry['sha256']}"}


def _make_table_schema(release: Release, name: str) -> dict[str, Any]:
    table = _read_descriptions_of_tables()["resources"][name]
    fields = [
        {"name": f.name, "type": _convert_to_json_type(f.type), "description": table.get("columns", {}).get(f.name, f.name)}
        for f in _read_column_types(release, name)
    ]
    return {"fields": fields, "missingValues": [""], **({"primaryKey": table["key"]} if "key" in table else {})}


def _read_column_types(release: Release, name: str) -> pa.Schema:
    return pq.read_schema(pa.BufferReader(release.files[f"{name}.parquet"]))


def _convert_to_json_type(arrow_type: pa.DataType) -> str:
    return next((name for matches, name in _TYPES if matches(arrow_type)), "string")


def _as_json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
