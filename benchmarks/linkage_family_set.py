"""Writes a simulated set with many brothers and twins, to measure how linkage separates family members.

    python -m benchmarks linkage_family_set --out DIR [--seed N] [--noise typical|hard] [--numberless SHARE]

A third of the suspects are replaced by a brother (one in three of these a twin) of somebody in an earlier case; `--numberless` of all
have no personal number. Then `harmonia run` on it and `linkage_ablations`. The simulator itself puts brothers into one case only, and
rarely.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from unittest import mock

from sources.simulator import simulate
from sources.simulator.life import CaseMaker
from sources.simulator.model import Case, Person
from sources.simulator.people import PersonMaker

BROTHERS, TWINS = 0.35, 0.35
# By how many suspects the two brothers are apart.
SINCE, BEFORE = 20, 400


def _with_brothers(own: Any) -> Any:
    def suspects(life: CaseMaker, case: Case) -> list[Person]:
        chosen: list[Person] = own(life, case)
        known, first = life._known, len(life._known) - len(chosen)
        for n in range(len(chosen)):
            if life.rng.random() >= BROTHERS or first <= SINCE:
                continue
            of = known[-life.rng.randrange(SINCE, min(len(known), BEFORE))]
            if of.sex == "M" and of.community != "foreign":
                known[first + n] = chosen[n] = life.people.make_brother(of, twin=life.rng.random() < TWINS)
        return chosen

    return suspects


def _numberless(own: Any, share: float) -> Any:
    def made(people: PersonMaker, *rest: Any, **named: Any) -> Person:
        person: Person = own(people, *rest, **named)
        if people.rng.random() < share:
            person.number = ""
        return person

    return made


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--noise", choices=("typical", "hard"), default="hard")
    parser.add_argument("--numberless", type=float, default=0.5)
    args = parser.parse_args()
    with (
        mock.patch.object(CaseMaker, "_draw_suspects", _with_brothers(CaseMaker._draw_suspects)),
        mock.patch.object(PersonMaker, "make_resident", _numberless(PersonMaker.make_resident, args.numberless)),
        mock.patch.object(PersonMaker, "make_brother", _numberless(PersonMaker.make_brother, args.numberless)),
    ):
        print(simulate(args.out, seed=args.seed, start=2013, years=2, cases_per_year=100, noise=args.noise))


if __name__ == "__main__":
    main()
