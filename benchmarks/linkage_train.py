"""Train the linkage model on canonical tables, without any truth.

    python benchmarks/linkage_train.py --out pipelines/linkage/models --version v2 --by NAME DIR [DIR ...]

Each DIR holds `case_records, person_records, charges, events, references` as Parquet. Writes `persons-<version>.json` and
`cases-<version>.json`. A new version comes into use when `pipelines/linkage/model.py` names it, never by itself.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.linkage.model import FOLDER, load_model
from pipelines.linkage.training import as_files, train

TABLES = ("case_records", "person_records", "charges", "events", "references")


def main() -> None:
    """Read the sets, train from the declared model (`*-v0.json`), write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--version", required=True)
    parser.add_argument("--by", required=True)
    args = parser.parse_args()
    start = load_model(FOLDER / "persons-v0.json", FOLDER / "cases-v0.json")
    sets = [{name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES} for folder in args.sets]
    provenance = {
        "how": "pipelines/linkage/training.py, no truth read",
        "sets": [folder.name for folder in args.sets],
        "records": int(sum(len(s["person_records"]) for s in sets)),
        "when": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "by": args.by,
        "from": start.version,
    }
    names = (f"persons-{args.version}", f"cases-{args.version}")
    for name, content in zip(names, as_files(train(sets, start), provenance, names), strict=True):
        (args.out / f"{name}.json").write_text(as_text(content), "utf-8")
        print(args.out / f"{name}.json")


def as_text(content: dict[str, Any]) -> str:
    """JSON with one level, kind of evidence or setting a line, so that versions can be compared line by line."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            entries = ",\n".join("  " + _entry(entry) for entry in value)
            lines.append(f' "{key}": [\n{entries}\n ]')
        elif isinstance(value, dict):
            entries = ",\n".join(f'  "{name}": {json.dumps(v)}' for name, v in value.items())
            lines.append(f' "{key}": {{\n{entries}\n }}')
        else:
            lines.append(f' "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _entry(entry: dict[str, Any]) -> str:
    levels = entry.get("levels")
    if not levels:
        return json.dumps(entry)
    head = ", ".join(f'"{k}": {json.dumps(v)}' for k, v in entry.items() if k != "levels")
    return "{" + head + ', "levels": [\n' + ",\n".join("    " + json.dumps(level) for level in levels) + "\n  ]}"


if __name__ == "__main__":
    main()
