"""The sets of deliveries, and running one of them into a folder.

A set is `simulated/` (or the samples' own folder) and `home/`, with one release on the last day that it covers.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).parents[3] / "shared" / "deliveries"


@dataclass(frozen=True)
class Simulated:
    """What the simulator is asked for."""

    seed: int
    years: int
    cases_per_year: int
    noise: str = "typical"
    start: int = 2012


SETS: dict[str, Simulated | Path] = {
    "sample-2012": SAMPLES / "sample-2012",
    "sample-2018": SAMPLES / "sample-2018",
    "typical": Simulated(31, 2, 100),
    "hard": Simulated(32, 2, 60, "hard"),
    "large": Simulated(33, 2, 20_000),
}


def build(name: str, folder: Path, harmonia: Path) -> Path:
    """Run a set with the program at `harmonia`; returns its home. Raises `CalledProcessError` where a command fails."""
    made = SETS[name]
    home = folder / "home"
    if isinstance(made, Simulated):
        inbox = folder / "simulated" / "inbox"
        if not inbox.exists():
            asked = {
                "seed": made.seed,
                "start": made.start,
                "years": made.years,
                "cases-per-year": made.cases_per_year,
                "noise": made.noise,
            }
            _call(harmonia, "simulate", "--out", folder / "simulated", *(part for k, v in asked.items() for part in (f"--{k}", v)))
    else:
        inbox = made / "inbox"
    last = max(path.name[:4] for path in inbox.glob("*/*"))
    _call(harmonia, "run", "--inbox", inbox, "--home", home)
    key = ("--key", folder / "coordinator.pem", "--name", "A Coordinator", "--day", f"{last}-12-31")
    _call(harmonia, "release", "sign", "--home", home, *key)
    _call(harmonia, "release", "create", "--home", home, "--as-of", f"{int(last) + 1}-12-31")
    return home


def _call(harmonia: Path, *arguments: object) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HARMONIA_")}
    subprocess.run([harmonia, *map(str, arguments)], check=True, env=environment, stdout=subprocess.DEVNULL)
