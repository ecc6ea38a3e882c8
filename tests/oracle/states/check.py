"""All checks over a scenario that was built."""

from __future__ import annotations

from pathlib import Path

from tests.oracle.releases.compare import compare_history
from tests.oracle.states.compare import (
    Faults,
    check_doubled,
    check_explanation,
    check_healed,
    check_release,
    check_run,
    check_volume,
)
from tests.oracle.states.damages import Damage, corrections, plan, thin
from tests.oracle.states.scenario import DAY, STEPS


class Correction(Damage):
    """A correction that cannot be read replaces nothing; every page agrees on whether the quarter stays complete."""

    @property
    def allowed(self) -> frozenset[str]:
        return frozenset({"complete", "partial", "unreadable"})


def check(folder: Path) -> dict[str, Faults]:
    found: dict[str, Faults] = {}
    base = folder / "base" / "home"
    for step in STEPS:
        place = folder / step
        if not (place / "status.txt").exists():
            continue
        faults = found[step] = Faults()
        unread = [Correction(damage.institution, damage.quarter, damage.kind) for damage in corrections()]
        damages = {"damaged": plan(), "broken": unread, "thin": [*unread, *thin()]}.get(step, [])
        home = place / "home"
        texts = [(place / name).read_text(encoding="utf-8") for name in ("run.txt", "status.txt")]
        coverage = check_run(home, *texts, damages, faults)
        if step == "damaged":
            check_doubled(home, plan(), faults)
            for path in sorted((place / "explain").glob("*.txt")):
                institution, _, quarter = path.stem.partition(" ")
                check_explanation(path.read_text(encoding="utf-8"), (institution, quarter), coverage[institution, quarter], faults)
            if (home / "releases" / DAY).exists():
                check_release(home / "releases" / DAY / "public", coverage, faults)
                for _, result in compare_history(place):
                    faults.figures += sum(result.figures.values())
                    faults.passing += [text for _, text in result.not_flagged]
                    faults.other += [text for _, text in result.wrong_figures + result.wrong_lines + result.other]
        if step in ("healed", "broken"):
            check_healed(base, home, faults)
        if step == "thin":
            check_volume(base, home, thin(), faults)
    return found
