"""How long do landing and reading take with many deliveries waiting, and with a very large one?

python -m benchmarks landing_backlog [--deliveries N]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from harmonia.home import Home
from harmonia.registry import open_registry
from pipelines.landing import land_deliveries, list_landed_deliveries
from sources.reading import read_delivery


def timed() -> tuple[float, int]:
    """CPU seconds so far, and the most memory so far in MiB."""
    return time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    """Land N small deliveries; then one whose file is 2 GB, filled with rows, and read it."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--deliveries", type=int, default=10_000)
    ask.add_argument("--megabytes", type=int, default=2_000)
    said = ask.parse_args()
    root = Path(tempfile.mkdtemp(prefix="harmonia-waiting-"))
    inbox, home = root / "inbox", Home(root / "home").create()
    registry = open_registry(home.registry_url)
    for n in range(said.deliveries):
        version, quarter = divmod(n, 400)
        name = f"{1901 + quarter // 4}-Q{quarter % 4 + 1}" + (f"_v{version + 1}" if version else "")
        path = inbox / "police" / name / "rastet.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"{name}\n")
    begun, _ = timed()
    report = land_deliveries(inbox, home, registry, settle_seconds=0)
    first, memory = timed()
    land_deliveries(inbox, home, registry, settle_seconds=0)
    again, _ = timed()
    out = {"deliveries": report.deliveries, "landing s CPU": round(first - begun, 1), "again": round(again - first, 1), "MiB": memory}
    large = inbox / "courts/2013-Q1/smil.xml"
    large.parent.mkdir(parents=True)
    with large.open("wb") as file:
        while file.tell() < said.megabytes * 1_000_000:
            file.write(os.urandom(1 << 16).hex().encode() * 16)
    begun, _ = timed()
    land_deliveries(inbox, home, registry, settle_seconds=0)
    middle, memory = timed()
    (one,) = [d for d in list_landed_deliveries(registry, home) if d.institution == "courts"]
    result = read_delivery("courts", one.files)
    after, peak = timed()
    out |= {"2 GB landing s CPU": round(middle - begun, 1), "its reading": round(after - middle, 1), "MiB then": memory, "MiB after": peak}
    out["said"] = [str(f["rule"]) for f in result.findings]
    registry.close()
    shutil.rmtree(root)
    sys.stdout.write(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
