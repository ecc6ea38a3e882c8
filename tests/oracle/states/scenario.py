"""An inbox of two years whole, damaged, healed, with corrections that cannot be read, and with some far too small; by the command line.

A folder holds `base`, `damaged`, `healed`, `broken` and `thin`, each with `home`, `run.txt` and `status.txt`; `damaged` also the text of
`explain figure` for every damaged delivery, and a release with all its forms, laid out as `tests.oracle.releases.history` does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.oracle.releases.history import Harmonia, write_forms
from tests.oracle.states.damages import apply, corrections, heal, plan, staged, thin

DAY = "2016-02-15"
STEPS = ("base", "damaged", "healed", "broken", "thin")
INDICATORS = {
    "police": "persons_arrested",
    "inspectorate": "cases_registered",
    "prosecution": "persons_indicted",
    "courts": "persons_convicted",
    "corrections": "persons_detained",
}
LOSING = ("cut", "noise", "forgotten", "empty")


def build(
    folder: Path, command: Path, *, cases_per_year: int = 100, seed: int = 5, forms: bool = True, steps: tuple[str, ...] = STEPS
) -> None:
    """Writes the scenario. A step that is there already is left as it is, so that a build that was stopped goes on."""
    source, work = folder / "simulated" / "inbox", folder / "work"
    if not source.exists():
        Harmonia(command, folder, folder)(
            *("simulate", "--out", folder / "simulated", "--seed", str(seed), "--start", "2014", "--years", "2"),
            *("--cases-per-year", str(cases_per_year), "--noise", "clean"),
        )
    for step in steps:
        target = folder / step
        if (target / "status.txt").exists():
            continue
        if step == "base":
            run(Harmonia(command, target / "home", source), target)
            continue
        if step == "damaged":
            list(staged(source, work / "inbox", plan()))
        elif step == "healed":
            for damage in plan():
                heal(source, work / "inbox", damage)
        else:
            for damage in corrections() if step == "broken" else thin():
                version = "_v3" if step == "broken" else "_v4"
                heal(source, work / "inbox", damage, version)
                apply(work / "inbox", damage, version)
        harmonia = Harmonia(command, work / "home", work / "inbox")
        if step == "damaged":
            shutil.rmtree(target, ignore_errors=True)
        run(harmonia, target, keep=work / "home")
        if step == "damaged" and forms:
            publish(harmonia, target, work / "home")


def run(harmonia: Harmonia, target: Path, keep: Path | None = None) -> None:
    target.mkdir(parents=True, exist_ok=True)
    (target / "run.txt").write_text(harmonia("run"), encoding="utf-8")
    status = harmonia("status")
    if keep:
        shutil.copytree(keep, target / "home", ignore=shutil.ignore_patterns("lake", "landing", "dagster"))
    (target / "status.txt").write_text(status, encoding="utf-8")


def publish(harmonia: Harmonia, target: Path, home: Path) -> None:
    (target / "explain").mkdir(exist_ok=True)
    for damage in plan():
        if damage.kind in LOSING:
            text = harmonia("explain", "figure", INDICATORS[damage.institution], damage.quarter)
            (target / "explain" / f"{damage.institution} {damage.quarter}.txt").write_text(text, encoding="utf-8")
    harmonia("release", "sign", "--key", target / "coordinator.key", "--name", "Coordinator", "--day", "2015-12-31")
    harmonia("release", "create", "--as-of", DAY)
    (target / "warehouses").mkdir(exist_ok=True)
    shutil.copy(home / "warehouse.duckdb", target / "warehouses" / f"{DAY}.duckdb")
    for name in ("releases", "explorer", "disclosure_policy.yaml"):
        source = home / name
        shutil.copytree(source, target / "home" / name, dirs_exist_ok=True) if source.is_dir() else shutil.copy(
            source, target / "home" / name
        )
    write_forms(harmonia, target / "forms" / DAY, DAY, 2014)
