"""`python -m tests.oracle.intruder --populations N [--first SEED] [--out FILE]`: attack populations and say what was learnt."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.oracle.intruder import every, others
from tests.oracle.intruder.attack import learn
from tests.oracle.intruder.populations import published, the_causes, the_policy, the_words
from tests.oracle.intruder.rule import Figures
from tests.oracle.intruder.score import Leak, Score, score_all


def attack(seed: int, linear: bool = True) -> Score:
    """One population: publish, attack, score."""
    policy = the_policy()
    seen = published(seed)
    learnt = learn(seen.cubes, seen.bridge, policy, the_causes())
    score = score_all(seen.cubes, learnt, seen.truth, policy, f"seed {seed}", linear)
    score.cells["populations"] += 1
    score.cells["releases"] += len(seen.cubes)
    score.cells["releases refused"] += seen.refused
    return score


def describe_score(score: Score) -> dict[str, object]:
    def some(leaks: list[Leak]) -> list[dict[str, object]]:
        return [asdict(x) for x in leaks[:500]]

    return {
        "attacked": dict(sorted(score.cells.items())),
        "left at worst": {f"{name}: {n}": c for (name, n), c in sorted(score.least.items())},
        "differences between releases": dict(score.differences),
        "reported beside harmonised": dict(sorted(score.beside.items())),
        "learnt": len(score.leaks),
        "learnt by the public": sum(x.public for x in score.leaks),
        "exact": sum(x.left == 1 for x in score.leaks),
        "outside the definition": len(score.apart),
        "rule read otherwise": len(score.mismatches),
        "leaks": some(score.leaks),
        "apart": some(score.apart),
        "mismatches": score.mismatches[:200],
    }


def rule_alone(most: int, many: int, out: Path | None) -> int:
    """Attack the rule without populations."""
    started = time.process_time()
    found, leaks = every.attack(most, many, Figures())
    lines = [f"{name}: {left} left: {many}" for (name, left), many in sorted(found.items())]
    for name, every_table, protected, beside in others.attack(the_words(), min(most, 60), Figures()):
        lines.append(f"published by others, {name}: {every_table} tables, {protected} with protected counts, {len(beside)} examples learnt")
        lines += [f"LEARNT, PUBLISHED BY OTHERS {x}" for x in beside[:200]]
    lines += [f"LEARNT {x}" for x in leaks[:200]] + [f"{len(leaks)} learnt, {time.process_time() - started:.0f} s"]
    text = "\n".join(lines) + "\n"
    if out:
        out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 1 if leaks else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.intruder", description=__doc__)
    parser.add_argument("--populations", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--no-linear", action="store_true", help="leave out the linear programme")
    parser.add_argument("--rule", type=int, metavar="TOTAL", help="the rule alone instead: every table up to a total, random histories")
    said = parser.parse_args()
    if said.rule is not None:
        return rule_alone(said.rule, said.populations, said.out)
    started, score = time.process_time(), Score()
    for seed in range(said.first, said.first + said.populations):
        score.add(attack(seed, not said.no_linear))
        if said.out and (seed + 1) % 25 == 0:
            said.out.write_text(json.dumps(describe_score(score), indent=1), encoding="utf-8")
    out = describe_score(score) | {"seconds": round(time.process_time() - started, 1), "first": said.first}
    if said.out:
        said.out.write_text(json.dumps(out, indent=1), encoding="utf-8")
    short = {k: v for k, v in out.items() if k not in ("leaks", "apart", "mismatches")}
    sys.stdout.write(json.dumps(short, indent=1) + "\n")
    for leak in score.leaks[:20]:
        sys.stdout.write(f"LEARNT {leak}\n")
    for line in score.mismatches[:20]:
        sys.stdout.write(f"OTHERWISE {line}\n")
    return 1 if score.leaks or score.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
