"""How accurate is our engine beside Splink 5 on public labelled sets?

    python -m benchmarks linkage_public_sets --data DIR [--set NAME …]

Same records, levels and blocking rules, both trained without truth. `--data`: the files that `linkage_public_data` names. Needs
`.venv/bin/uv sync --inexact --group bench`. True pairs that no blocking rule finds count as missed. *best*: F1 at the threshold chosen
with the truth in hand; *own*: at the model's own threshold, a match weight of zero (one pair in two is right).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.linkage_engines import ENGINES, Run, judged, true_pairs
from benchmarks.linkage_public_data import PUBLIC, Set

LEAST = -20.0


def f1_at(data: Set, run: Run) -> dict[str, float]:
    """F1 at the best threshold and where the weight is zero."""
    pairs, true = judged(data, run), true_pairs(data)
    right, taken = pairs["right"].cumsum().to_numpy("float64"), np.arange(1, len(pairs) + 1)
    f1 = 2 * right / (taken + true)
    # Only between two different weights can a threshold lie.
    last = np.append(pairs["weight"].to_numpy()[1:] != pairs["weight"].to_numpy()[:-1], True)
    own = int((pairs["weight"] >= 0).sum())
    return {
        "best": float(f1[last].max()),
        "threshold": float(pairs["weight"].to_numpy()[last][f1[last].argmax()]),
        "own": float(f1[own - 1]) if own else 0.0,
        "found": float(right[-1] / true),
    }


def main() -> None:
    """Run both engines on every set asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", choices=list(PUBLIC), action="append", dest="sets")
    args = parser.parse_args()
    rows = []
    for name in args.sets or list(PUBLIC):
        data = PUBLIC[name](args.data)
        for engine, run in ENGINES.items():
            done = run(data, LEAST, True)
            found = f1_at(data, done)
            rows.append({"set": name, "records": len(data.records), "engine": engine, **found, "s": done.training + done.scoring})
            print(pd.DataFrame(rows[-1:]).round(4).to_string(index=False, header=len(rows) == 1), flush=True)


if __name__ == "__main__":
    main()
