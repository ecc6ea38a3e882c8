"""Trains the shipped linkage model from the declared shares (`*-v0.json`), only on simulated sets.

    python -m benchmarks linkage_train --version v2 --by NAME SET [SET ...]

Each SET is a folder of `harmonia simulate`; a folder without the simulator's mark is refused. Writes `persons-<version>.json` and
`cases-<version>.json` with checksum and the expected shares of levels for `model_still_fits`. A new version is used only when
`pipelines/linkage/model.py` names it. `harmonia link train` continues from the shipped model and writes one file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from harmonia import training
from pipelines.linkage import model_files
from pipelines.linkage.model import FOLDER, load_linkage_model


def main() -> None:
    """Train from the declared model, write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--version", required=True)
    parser.add_argument("--by", required=True)
    args = parser.parse_args()
    declared = load_linkage_model(FOLDER / "persons-v0.json", FOLDER / "cases-v0.json")
    _, content = training.train_new_model(training.collect_training_data_from_simulated_sets(args.sets), args.version, args.by, declared)
    for half in ("persons", "cases"):
        path = args.out / f"{content[half]['version']}.json"
        model_files.write_model_file(path, content[half])
        print(path)


if __name__ == "__main__":
    main()
