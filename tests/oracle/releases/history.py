"""Releases over three years of simulated deliveries with corrections and a late institution, and every form of each; by the command line.

A history is a folder: `inbox`, `home`, `warehouses/<day>.duckdb` (the warehouse from which the release of that day was made) and
`forms/<day>/{package,sdmx,questionnaires,reports}`.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

QUESTIONNAIRES = ("european_commission", "eurostat", "glotip", "greta", "tip_report")


@dataclass(frozen=True)
class Plan:
    """What is simulated, which institution's deliveries of which year come late, and on which days releases are made."""

    seed: int
    late: str
    cases_per_year: int = 100
    start: int = 2012
    years: int = 3
    late_year: str = "2013"
    late_until: str = "2015-01-01"
    days: tuple[str, ...] = ("2013-02-15", "2013-09-30", "2014-02-15", "2015-01-20", "2015-06-30")
    victims: bool = False


SMALL = Plan(7, "police", 40, start=2014, years=1, late_year="2014-Q4", late_until="2015-09-01", days=("2015-02-15", "2015-09-30"))
OF_VICTIMS = Plan(23, "courts", 70, start=2013, years=1, late_year="none", days=("2014-02-15", "2015-02-15"), victims=True)
PLANS = (Plan(11, "corrections"), Plan(12, "courts"), Plan(13, "prosecution"))


class Harmonia:
    """The command line, on one home and inbox."""

    def __init__(self, command: Path, home: Path, inbox: Path):
        self.command = command
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HARMONIA_")}
        self.environment |= {"HARMONIA_HOME": str(home), "HARMONIA_INBOX": str(inbox)}

    def __call__(self, *arguments: str | Path) -> str:
        done = subprocess.run([str(self.command), *map(str, arguments)], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"harmonia {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return done.stdout


def stage(simulated: Path, inbox: Path, plan: Plan, day: str) -> None:
    """Copies into the inbox what had arrived by a day; the late institution's year not before `late_until`."""
    with (simulated / "truth" / "arrivals.csv").open(encoding="utf-8") as file:
        arrivals = list(csv.DictReader(file))
    for row in arrivals:
        late = row["institution"] == plan.late and row["delivery"].startswith(plan.late_year) and day < plan.late_until
        target = inbox / row["institution"] / row["delivery"]
        if row["arrived"][:10] <= day and not late and not target.exists():
            shutil.copytree(simulated / "inbox" / row["institution"] / row["delivery"], target)


def build(history: Path, plan: Plan, command: Path, *, forms: bool = True) -> None:
    """Writes a history. A day that is there already is left as it is, so that a build that was stopped goes on."""
    simulated, inbox, home = history / "simulated", history / "inbox", history / "home"
    harmonia = Harmonia(command, home, inbox)
    inbox.mkdir(parents=True, exist_ok=True)
    (history / "warehouses").mkdir(exist_ok=True)
    if not simulated.exists():
        harmonia(
            *("simulate", "--out", simulated, "--seed", str(plan.seed), "--start", str(plan.start)),
            *("--years", str(plan.years), "--cases-per-year", str(plan.cases_per_year)),
            *(("--victims",) if plan.victims else ()),
        )
    for day in plan.days:
        copy = history / "warehouses" / f"{day}.duckdb"
        if not copy.exists():
            stage(simulated, inbox, plan, day)
            harmonia("run")
            if not (history / "coordinator.key").exists():
                harmonia("release", "sign", "--key", history / "coordinator.key", "--name", "Coordinator", "--day", f"{plan.start}-12-31")
            harmonia("release", "create", "--as-of", day)
            shutil.copy(home / "warehouse.duckdb", copy)
        if forms and not (history / "forms" / day).exists():
            write_forms(harmonia, history / "forms" / day, day, plan.start)
            transmit(harmonia, history / "forms" / day, day, history / "coordinator.key")


def write_forms(harmonia: Harmonia, out: Path, day: str, start: int) -> None:
    """Every form of one release: exports, reports of its years (the last in three languages) and of the first year's quarters."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "show.txt").write_text(harmonia("release", "show", day, "--lang", "en"), encoding="utf-8")
    harmonia("export", "create", "package", "--release", day, "--out", out / "package")
    harmonia("export", "create", "sdmx", "--release", day, "--out", out / "sdmx")
    languages = ("en", "sq", "sr")
    for n, name in enumerate(QUESTIONNAIRES):
        harmonia("export", "create", name, "--release", day, "--lang", languages[n % 3], "--out", out / "questionnaires")
    years = range(start, int(day[:4]))
    periods = [*map(str, years), *(f"{start}-Q{n}" for n in range(1, 5) if len(years) > 1)]
    for n, period in enumerate(periods):
        audience = ("public", "government")[n % 2]
        for language in languages if period == str(years[-1]) else (languages[n % 3],):
            harmonia("report", "--period", period, "--audience", audience, "--lang", language, "--release", day, "--out", out / "reports")


def transmit(harmonia: Harmonia, out: Path, day: str, key: Path) -> None:
    """One questionnaire in full, as the coordinator approves it for a recipient."""
    approval = out / "approval.json"
    harmonia(
        *("export", "approve", "eurostat", "--release", day, "--recipient", "Eurostat"),
        *("--key", key, "--name", "Coordinator", "--day", day, "--out", approval),
    )
    harmonia(
        *("export", "create", "eurostat", "--release", day, "--full", "--recipient", "Eurostat"),
        *("--approval", approval, "--out", out / "full"),
    )
