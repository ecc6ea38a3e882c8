"""Train the model that is shipped: from the declared shares (`*-v0.json`), on simulated sets and on nothing else.

    .venv/bin/python -m benchmarks.linkage_train --version v2 --by NAME SET [SET ...]

Each SET is a folder of `harmonia simulate`; a folder without the simulator's mark is refused. Writes `persons-<version>.json` and
`cases-<version>.json`, sealed, with the expected shares of levels that `model_still_fits` compares with. A new version comes into use
when `pipelines/linkage/model.py` names it, never by itself. `harmonia link train` trains further from the shipped one, into one file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.linkage import modelfile, trainer
from pipelines.linkage.model import FOLDER, load_model


def main() -> None:
    """Train from the declared model, write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--version", required=True)
    parser.add_argument("--by", required=True)
    args = parser.parse_args()
    declared = load_model(FOLDER / "persons-v0.json", FOLDER / "cases-v0.json")
    _, content = trainer.fit(trainer.of_simulated(args.sets), args.version, args.by, declared)
    for half in ("persons", "cases"):
        path = args.out / f"{content[half]['version']}.json"
        modelfile.write(path, content[half])
        print(path)


if __name__ == "__main__":
    main()
