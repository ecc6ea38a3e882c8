"""An attack on the rule alone: every table of a total, histories of a year, bridges, margins, whatever the population.

Belongs here: enumeration without populations. Does not belong here: what was published of somebody (`attack`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from tests.oracle.intruder.attack import (
    HARMONISED,
    REPORTED,
    BridgeLine,
    Four,
    Pairs,
    State,
    possible,
)
from tests.oracle.intruder.rule import (
    VALUES,
    Figures,
    OneTable,
    Year,
    bridged,
    bridged_alike,
    compositions,
    crossed,
    harmonised,
    knowings,
    reported,
    revised,
)

Found = tuple[str, int]
"""What, and how many values are left."""
Said = Counter[Found]


def tables(rule: OneTable, total: int) -> tuple[Said, list[str]]:
    """Every table of a total: the values left of each protected count, to everybody who knows none to three."""
    every = compositions(total, rule.size)
    decision = rule.decisions(every, total)
    said: Said = Counter()
    leaks: list[str] = []
    for at in np.unique(decision).tolist():
        some = every[decision == at]
        partition = rule.partitions[at] if at >= 0 else (tuple(range(rule.size)),)
        code = np.zeros(len(some), np.int64)
        for block in partition:
            code = code * (total + 1) + some[:, list(block)].sum(axis=1)
        groups, group = np.unique(code, return_inverse=True)
        for c in (c for block in partition if len(block) > 1 for c in block):
            worst = np.full(len(some), 99)
            for ways in knowings(rule.size, rule.figures.known):
                held = (some >= np.array(ways)).all(axis=1)
                if held.any():
                    seen = np.zeros((len(groups), total + 1), bool)
                    seen[group[held], some[held, c]] = True
                    left = seen.sum(axis=1)[group]
                    worst[held] = np.minimum(worst[held], left[held])
            small = some[:, c] < rule.figures.threshold
            for n, many in zip(*np.unique(np.minimum(worst[small], 9), return_counts=True), strict=True):
                said[f"one table, {rule.size} categories", int(n)] += int(many)
            for row in np.flatnonzero(small & (worst < VALUES))[:5]:
                leaks.append(f"total {total}: {some[row].tolist()}, category {c}, printed as {partition}: {worst[row]} left")
    return said, leaks


def _random_year(rng: np.random.Generator, near: tuple[int, int] | None) -> tuple[int, int]:
    if near is None:
        return int(rng.integers(0, 26)), int(rng.integers(0, 26))
    return max(0, near[0] + int(rng.integers(-7, 8))), max(0, near[1] + int(rng.integers(-7, 8)))


def histories(rng: np.random.Generator, many: int, figures: Figures) -> tuple[Said, list[str]]:
    """Random histories of a year with one other category, and as reported beside: what is left in each release."""
    said: Said = Counter()
    leaks: list[str] = []
    for _ in range(many):
        counts: tuple[int, int] | None = None
        theirs: tuple[int, int] | None = None
        earlier: list[Year] = []
        beside: list[Year] = []
        for release in range(4):
            counts = _random_year(rng, counts)
            outcome, printed = revised(harmonised(counts, figures), earlier, figures)
            state = State("made up", HARMONISED, "2012", str(release), outcome, printed, list(earlier), None, None)
            _left(state, counts, earlier, figures, said, leaks)
            earlier.append(printed)
            theirs = _random_year(rng, theirs or counts)
            new = reported(theirs, printed, figures)
            if new is None:
                continue
            outcome, second = revised(new, beside, figures, printed)
            state = State("made up", REPORTED, "2012", str(release), outcome, second, list(beside), printed, None)
            _left(state, theirs, beside, figures, said, leaks)
            beside.append(second)
    return said, leaks


def _left(state: State, counts: tuple[int, int], earlier: list[Year], figures: Figures, said: Said, leaks: list[str]) -> None:
    held = possible(state, 1, figures)
    if not isinstance(held, Pairs):
        return
    if not ((held.own == counts[0]) & (held.rest == counts[1])).any():
        leaks.append(f"{state}: truth {counts} is not among the possibilities")
        return
    name = f"{state.measure}, {state.outcome}"
    columns = [1] if state.outcome == "replaced" and state.printed.own() is not None else [0, 1]
    for j in columns:
        public = held.can((0, 0))[j]
        printed = [y for e in earlier if (y := (e.own(), e.rest())[j]) is not None]
        near = [p for p in printed if 1 <= abs(counts[j] - p) < figures.revise_from]
        if counts[j] < figures.threshold:
            ways = [w for w in knowings(2, figures.known) if w[0] <= counts[0] and w[1] <= counts[1]]
            left = min(len(held.can(w)[j]) for w in ways)
            said[f"{name}: count under the threshold", min(left, 9)] += 1
            if left < VALUES:
                leaks.append(f"{state} {counts}: {left} values of {('trafficking', 'rest')[j]}")
        if near:
            left = len(public)
            said[f"{name}: difference of 1 to 4", min(left, 9)] += 1
            if left < VALUES:
                leaks.append(f"{state} {counts}: {left} values of the difference of {('trafficking', 'rest')[j]}")
            away = np.unique(np.abs(public - near[-1]))
            said[f"{name}: size of the difference", min(len(away), 9)] += 1
            grown = public[public >= near[-1]] - near[-1]
            if counts[j] > near[-1]:
                said[f"{name}: outside, who believes that records were only added", min(int((grown > 0).sum()), 9)] += 1
                added = min(counts[j] - near[-1], figures.known)
                said[
                    f"{name}: outside, who knows that records were only added, and of three of them", min(int((grown >= added).sum()), 9)
                ] += 1
    total = held.can((0, 0))[-1]
    for e in earlier:
        if e.value is not None and 1 <= abs(sum(counts) - e.value) < figures.revise_from and state.outcome == "stays":
            said[f"{name}: total", min(len(total), 9)] += 1
            if len(total) < VALUES:
                leaks.append(f"{state} {counts}: {len(total)} values of the total")


def bridges(rng: np.random.Generator, many: int, size: int, figures: Figures) -> tuple[Said, list[str]]:
    """Random bridges: causes of either sign, and all of one."""
    said: Said = Counter()
    leaks: list[str] = []
    names = tuple(f"c{i}" for i in range(size))
    for at in range(many):
        filled = int(rng.integers(1, size + 1))
        values = np.zeros(size, int)
        values[rng.choice(size, filled, replace=False)] = -rng.geometric(rng.uniform(0.05, 0.6), filled)
        if at % 2:
            values *= rng.choice([-1, 1], size)
        true = tuple(values.tolist())
        if abs(sum(true)) < figures.differ_from:
            continue
        alone = bridged(true, figures)
        shown = {names[i]: true[i] for i in alone}
        joined = [i for i in range(size) if i not in alone]
        line = BridgeLine("made up", "2012", "", shown, tuple(names[i] for i in joined), sum(true[i] for i in joined))
        sign = -1 if line.rest < 0 else 1
        signs = [int(np.sign(true[i])) or sign for i in joined]
        for j, i in enumerate(joined):
            if abs(true[i]) >= figures.threshold:
                continue
            left = len(line.possible(j, [0] * len(joined), [0] * len(joined), figures))
            left = min(left, *(len(line.possible(j, w, signs, figures)) for w in _records(joined, j, true, figures.known)))
            if left < VALUES:  # not all that is possible was listed
                named = dict(zip(joined, signs, strict=True))
                ways = [{}, *({joined[i]: m for i, m in enumerate(w)} for w in _records(joined, j, true, figures.known))]
                left = min(len(bridged_alike(true, i, w, named, figures)) for w in ways)
            mixed = "outside, who knows the sign of every cause, and they differ: " if len(set(signs)) > 1 else ""
            said[mixed + ("bridge, shown" if shown else "bridge, not broken down"), min(left, 9)] += 1
            if left < VALUES and not mixed:  # the page: any cause can be of either sign
                leaks.append(f"bridge {true}, cause {i}: {left} left")
    return said, leaks


def _records(joined: list[int], j: int, true: tuple[int, ...], known: int) -> Iterator[list[int]]:
    """Records known: so many of the cause, the others of one other cause."""
    for mine in range(min(abs(true[joined[j]]), known) + 1):
        held = [0] * len(joined)
        held[j] = mine
        yield held
        for other in range(len(joined)):
            if other != j and true[joined[other]] and mine < known:
                more = list(held)
                more[other] = min(known - mine, abs(true[joined[other]]))
                yield more


def margins(rng: np.random.Generator, many: int, figures: Figures) -> tuple[Said, list[str]]:
    """Random margins of one to three years: every x that they allow."""
    said: Said = Counter()
    leaks: list[str] = []
    for _ in range(many):
        four = []
        for _ in range(int(rng.integers(1, 4))):
            total = int(rng.integers(2 * figures.threshold, 60))
            s, a = rng.integers(figures.threshold, total - figures.threshold + 1, 2).tolist()
            four.append((s, total - s, a, total - a))
        low, high, least, smallest = crossed(four, figures)
        x = np.arange(low, high + 1)
        hidden = x if least is None else x[smallest < least]
        sums = [sum(f[i] for f in four) for i in (0, 2, 3)]
        asked = Four(hidden, low, high, *sums)
        cells = asked.can((0,) * 9)
        for at, value in enumerate(hidden.tolist()):
            true = (value, sums[0] - value, 0, sums[1] - value, sums[2] - sums[0] + value)
            for j in (0, 1, 3, 4):
                if true[j] < figures.threshold:
                    left = min(
                        len(asked.can((*w[:2], 0, *w[2:]))[j]) for w in knowings(4, figures.known) if _held(w, true, value, low, high)
                    )
                    said["sex by age", min(left, 9)] += 1
                    if left < VALUES:
                        leaks.append(f"margins {four}, x {value}: {left} left of {len(cells[j])} ({at})")
    return said, leaks


def _held(ways: tuple[int, ...], true: tuple[int, ...], value: int, low: int, high: int) -> bool:
    fits = all(m <= c for m, c in zip(ways, (true[0], true[1], true[3], true[4]), strict=True))
    return fits and low + ways[0] + ways[3] <= value <= high - ways[1] - ways[2]


def attack(most: int, many: int, figures: Figures) -> tuple[Said, list[str]]:
    """All of it: totals up to `most`, and so many random histories, bridges and margins."""
    said: Said = Counter()
    leaks: list[str] = []
    rng = np.random.default_rng(1)
    parts: list[tuple[Said, list[str]]] = [histories(rng, many, figures), bridges(rng, many, 15, figures), margins(rng, many, figures)]
    for size, unknown in ((3, 2), (3, None), (4, 3), (4, None)):
        rule = OneTable(size, unknown, figures)
        parts += [tables(rule, total) for total in range(figures.floor, most + 1)]
    for some, found in parts:
        said.update(some)
        leaks += found
    return said, leaks
