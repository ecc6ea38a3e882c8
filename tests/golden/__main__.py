"""`python -m tests.golden write|check FILE FOLDER [--set NAME …]`; `python -m tests.golden rows HOME HOME`.

`write` runs the sets and keeps their fingerprints in FILE; `check` runs them again and names what differs from FILE; `rows` shows in which
rows two homes differ. Sets that need `../shared` are left out where it is not there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.golden.fingerprints import differing, fingerprints
from tests.golden.sets import SETS, build

KEPT = Path(__file__).with_name("fingerprints.json")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("action", choices=["write", "check", "rows"])
    parser.add_argument("folders", type=Path, nargs="+", help="where the sets are run; for `rows` two homes")
    parser.add_argument("--set", action="append", choices=list(SETS), help="only these")
    parser.add_argument("--file", type=Path, default=KEPT)
    parser.add_argument("--harmonia", type=Path, default=Path(sys.executable).with_name("harmonia"))
    chosen = parser.parse_args()
    if chosen.action == "rows":
        found = differing(*chosen.folders)
        sys.stdout.write("".join(f"{table}\n  " + "\n  ".join(lines) + "\n" for table, lines in found.items()))
        return int(bool(found))
    kept = json.loads(chosen.file.read_text("utf-8")) if chosen.file.exists() else {}
    bad = 0
    for name in chosen.set or [name for name, made in SETS.items() if not isinstance(made, Path) or made.exists()]:
        new = fingerprints(build(name, chosen.folders[0] / name, chosen.harmonia))
        old = kept.get(name, {})
        differ = sorted(table for table in {*old, *new} if old.get(table) != new.get(table))
        sys.stdout.write(f"{name}: {len(new)} tables and files, {len(differ)} differ" + "".join(f"\n  {one}" for one in differ) + "\n")
        sys.stdout.flush()
        bad += bool(differ)
        kept[name] = new
        if chosen.action == "write":
            chosen.file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
    return int(bad > 0 and chosen.action == "check")


if __name__ == "__main__":
    raise SystemExit(main())
