"""`python -m tests.oracle.releases build|check FOLDER [--harmonia PATH] [--seed N]`: the first row of issue 15, "To show"."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.oracle.releases.compare import Result, compare_history
from tests.oracle.releases.history import PLANS, build

HEADER = ("history", "form", "figures", "differ", "bridge lines", "differ", "without the right sign", "other")


def table(results: dict[str, list[tuple[str, Result]]], *, names: int) -> str:
    """A line for each history and form, with the first faults named below it."""
    lines = [_line(HEADER), _line(["---"] * len(HEADER))]
    for history, releases in results.items():
        total = Result()
        for _, result in releases:
            total.add(result)
        for form in sorted(set(total.figures) | set(total.lines) | {form for form, _ in total.faults}):
            lines.append(_line([history, form, *_counts(total, form)]))
            found = [text for one, text in total.faults if one == form]
            lines += [f"    {text}" for text in found[:names]]
            lines += [f"    … and {len(found) - names} more"] * (len(found) > names > 0)
        lines.append(_line([history, "csv of the last release", *_counts(releases[-1][1], "csv")]))
    return "\n".join(lines)


def _counts(result: Result, form: str) -> list[int]:
    wrong, wrong_lines, not_flagged, other = (
        sum(one == form for one, _ in found) for found in (result.wrong_figures, result.wrong_lines, result.not_flagged, result.other)
    )
    return [result.figures[form], wrong, result.lines[form], wrong_lines, not_flagged, other]


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.releases", description=__doc__)
    parser.add_argument("action", choices=["build", "check"])
    parser.add_argument("folder", type=Path, help="where histories are, a folder each")
    parser.add_argument("--harmonia", type=Path, default=Path(sys.executable).with_name("harmonia"))
    parser.add_argument("--seed", type=int, action="append", help="only these of the histories")
    parser.add_argument("--no-forms", action="store_true", help="the releases alone, without exports and reports")
    parser.add_argument("--names", type=int, default=5, help="how many faults of a form are named")
    chosen = parser.parse_args()
    plans = [plan for plan in PLANS if not chosen.seed or plan.seed in chosen.seed]
    if chosen.action == "build":
        for plan in plans:
            build(chosen.folder / str(plan.seed), plan, chosen.harmonia, forms=not chosen.no_forms)
        return 0
    histories = {str(plan.seed): list(compare_history(chosen.folder / str(plan.seed))) for plan in plans}
    sys.stdout.write(table(histories, names=chosen.names) + "\n")
    return int(any(result.faults for releases in histories.values() for _, result in releases))


if __name__ == "__main__":
    raise SystemExit(main())
