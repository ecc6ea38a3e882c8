"""The sets of deliveries, and running one of them into a folder.

A set is `simulated/` (or the samples' own folder) and `home/`, with one release on the last day that it covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.oracle.releases.history import Harmonia

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
    """Run a set with the program at `harmonia`; returns its home. Raises `RuntimeError` where a command fails."""
    made = SETS[name]
    inbox = folder / "simulated" / "inbox" if isinstance(made, Simulated) else made / "inbox"
    run = Harmonia(harmonia, folder / "home", inbox)
    if isinstance(made, Simulated) and not inbox.exists():
        asked = {"seed": made.seed, "start": made.start, "years": made.years, "cases-per-year": made.cases_per_year, "noise": made.noise}
        run("simulate", "--out", folder / "simulated", *(part for k, v in asked.items() for part in (f"--{k}", str(v))))
    last = max(path.name[:4] for path in inbox.glob("*/*"))
    run("run")
    run("release", "sign", "--key", folder / "coordinator.pem", "--name", "A Coordinator", "--day", f"{last}-12-31")
    run("release", "create", "--as-of", f"{int(last) + 1}-12-31")
    return folder / "home"
