"""`python -m tests.oracle.states build|check FOLDER [--harmonia PATH]`: the second row of issue 15, "To show"."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.oracle.states.check import check
from tests.oracle.states.scenario import build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.states", description=__doc__)
    parser.add_argument("action", choices=["build", "check"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--harmonia", type=Path, default=Path(sys.executable).with_name("harmonia"))
    parser.add_argument("--names", type=int, default=1000, help="how many faults of a kind are named")
    chosen = parser.parse_args()
    if chosen.action == "build":
        build(chosen.folder, chosen.harmonia)
        return 0
    found = check(chosen.folder)
    lines = ["| step | figures | pass for complete | states | differ | other |", "|---|---|---|---|---|---|"]
    for step, faults in found.items():
        lines.append(
            f"| {step} | {faults.figures} | {len(faults.passing)} | {faults.states} | {len(faults.differing)} | {len(faults.other)} |"
        )
        for kind, texts in (("passes", faults.passing), ("differs", faults.differing), ("other", faults.other)):
            lines += [f"    {kind}: {text}" for text in texts[: chosen.names]]
            lines += [f"    … and {len(texts) - chosen.names} more"] * (len(texts) > chosen.names)
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(faults.all for faults in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
