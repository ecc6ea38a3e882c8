"""Train the linkage model on canonical tables, without any truth.

    python benchmarks/linkage_train.py --out pipelines/linkage/models --version v2 --by NAME DIR [DIR ...]

Each DIR holds `case_records, person_records, charges, events, references` as Parquet. Writes `persons-<version>.json` and
`cases-<version>.json`. A new version comes into use when `pipelines/linkage/model.py` names it, never by itself.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import pandas as pd

from pipelines.linkage import modelfile
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
        modelfile.write(args.out / f"{name}.json", content)
        print(args.out / f"{name}.json")


if __name__ == "__main__":
    main()
