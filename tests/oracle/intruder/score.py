"""What the intruder learnt, held against the truth.

Belongs here: which counts are protected, and how many values are left of them. Does not belong here: attacks (`attack`, `joint`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from tests.oracle.intruder import joint
from tests.oracle.intruder.attack import (
    CROSS,
    HARMONISED,
    OFFENCE,
    REPORTED,
    BridgeLine,
    Cube,
    Learnt,
    Policy,
    Question,
    State,
    own_printed,
)
from tests.oracle.intruder.rule import VALUES, Figures, Year, bridged, bridged_alike, harmonised, knowings, reported, revised

Truth = Callable[[str, str, str, str, str], tuple[int, ...] | None]
"""Indicator, measure (or `bridge`), table, year, release: the exact counts, in the order of the policy; offences as reported: own, rest."""
OUTSIDE = "outside the programme"
PART = "sex by age part"


@dataclass
class Leak:
    """A count of which too little is left."""

    attacker: str
    where: str
    cell: str
    true: int
    left: int
    knows: tuple[int, ...] | str
    public: bool


@dataclass
class Score:
    """Counts of one run."""

    cells: Counter[str] = field(default_factory=Counter)
    leaks: list[Leak] = field(default_factory=list)
    apart: list[Leak] = field(default_factory=list)
    """Outside what the page calls protected."""
    mismatches: list[str] = field(default_factory=list)
    """The rule as read from the page publishes something else, or excludes the truth."""
    differences: Counter[str] = field(default_factory=Counter)
    beside: Counter[str] = field(default_factory=Counter)
    least: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How many protected counts are left with how many values, at worst."""

    def add(self, other: Score) -> None:
        for name in ("cells", "differences", "beside", "least"):
            getattr(self, name).update(getattr(other, name))
        for name in ("leaks", "apart", "mismatches"):
            getattr(self, name).extend(getattr(other, name))


def _truth_of(question: Question, truth: Truth) -> tuple[int, ...] | None:
    tables = [truth(question.indicator, question.measure, question.table, y, known) for y, known in question.years]
    if any(t is None for t in tables):
        return None
    return tuple(int(sum(c)) for c in zip(*[t for t in tables if t], strict=True))


def _ways(true: tuple[int, ...], known: int) -> list[tuple[int, ...]]:
    return [w for w in knowings(len(true), known) if all(m <= c for m, c in zip(w, true, strict=True))]


def judge(question: Question, truth: Truth, figures: Figures, score: Score, seed: str) -> None:
    """Count the values left of each protected count of one question."""
    true = _truth_of(question, truth)
    if true is None:
        return
    where = f"{seed} {question.indicator} {question.measure} {question.table} {question.of} (records of {question.release})"
    if question.holds is not None and not question.holds(true):
        score.mismatches.append(f"{where}: truth {true} is not among the possibilities of {question.attacker}")
    counts = true
    if question.attacker == "pooled year":
        whole = [truth(question.indicator, question.measure, question.table, y, k) for y, k in question.others]
        counts = (*true, *(int(sum(c)) for c in zip(*[t for t in whole if t], strict=True)))
    extended = true
    if len(question.names) == len(true) + 2:
        extended = (*true, sum(true[1:]), sum(true))
    protected = [j for j, (c, h) in enumerate(zip(extended, question.hidden, strict=True)) if h and c < figures.threshold]
    if not protected:
        return
    worst: dict[int, tuple[int, tuple[int, ...]]] = {}
    public = question.values((0,) * len(counts))
    for ways in _ways(counts, figures.known):
        values = question.values(ways)
        for j in protected:
            if j not in worst or values[j] < worst[j][0]:
                worst[j] = values[j], ways
    for j in protected:
        score.cells[question.attacker] += 1
        left, ways = worst[j]
        score.least[question.attacker, min(left, 9)] += 1
        if left < VALUES:
            leak = Leak(question.attacker, where, question.names[j], extended[j], left, ways, public[j] < VALUES)
            (score.apart if OUTSIDE in question.attacker else score.leaks).append(leak)


def judge_parts(parts: list[Question], truth: Truth, figures: Figures, score: Score, seed: str) -> None:
    """A window of sex by age whose margins are not printed whole: three values in one year are three values of the sum."""
    trues = [t for q in parts if (t := _truth_of(q, truth))]
    if len(trues) < len(parts):
        return
    window = [sum(c) for c in zip(*trues, strict=True)]
    for j, n in enumerate(window):
        if n >= figures.threshold or not any(q.hidden[j] for q in parts):
            continue
        score.cells[PART] += 1
        least, public = 0, 0
        for question, true in zip(parts, trues, strict=True):
            if question.hidden[j]:
                least = max(least, min(question.values(w)[j] for w in _ways(true, figures.known)))
                public = max(public, question.values((0,) * len(true))[j])
            if least >= VALUES:
                break
        score.least[PART, min(least, 9)] += 1
        if least < VALUES:
            where = f"{seed} {parts[0].indicator} {parts[0].table} {parts[0].of}"
            score.leaks.append(Leak(PART, where, parts[0].names[j], n, least, "at most", public < VALUES))


def judge_bridge(line: BridgeLine, truth: Truth, figures: Figures, order: tuple[str, ...], score: Score, seed: str) -> None:
    """The causes of one bridge: net counts, records of one sign, and natural signs."""
    true = truth(line.indicator, "bridge", "bridge", line.year, line.known)
    if true is None:
        return
    by_name = dict(zip(order, true, strict=True))
    where = f"{seed} bridge {line.indicator} {line.year}"
    said = tuple(sorted(order[i] for i in bridged(true, figures)))
    if said != tuple(sorted(line.shown)) or line.rest != sum(by_name[c] for c in line.joined):
        score.mismatches.append(f"{where}: printed {line.shown} + {line.rest}, the page says {said} of {by_name}")
    natural = -1 if line.rest < 0 else 1
    size = len(line.joined)
    for j, cause in enumerate(line.joined):
        n = by_name[cause]
        if abs(n) >= figures.threshold:
            continue
        score.cells["bridge"] += 1
        left, knows = len(line.possible(j, (0,) * size, (0,) * size, figures)), "public"
        signs = [int(np.sign(by_name[c])) or natural for c in line.joined]
        for name, some in (("signs", signs), ("either", [0] * size)):
            for mine in range(min(abs(n), figures.known) + 1):
                others = _others([abs(by_name[c]) for c in line.joined], j, figures.known - mine)
                for held in others:
                    least = [*held]
                    least[j] = mine
                    if name == "either" and any(least):
                        continue
                    now = len(line.possible(j, least, some, figures))
                    if now < VALUES:  # not all that is possible was listed
                        at = [order.index(c) for c in line.joined]
                        held_at, signs_at = dict(zip(at, least, strict=True)), dict(zip(at, some, strict=True))
                        now = max(now, len(bridged_alike(true, at[j], held_at, signs_at, figures)))
                    if now < left:
                        left, knows = now, f"{name}, records {[(line.joined[i], m) for i, m in enumerate(least) if m]}"
        score.least["bridge", min(left, 9)] += 1
        if left < VALUES:
            score.leaks.append(Leak("bridge", where, cause, n, left, knows, knows == "public"))


def _others(counts: Sequence[int], j: int, most: int) -> list[list[int]]:
    """None known of the other causes, or as many as can be, of the causes with the most records first."""
    none, full, left = [0] * len(counts), [0] * len(counts), most
    for i in sorted(range(len(counts)), key=lambda i: -counts[i]):
        if i != j:
            full[i] = min(left, counts[i])
            left -= full[i]
    return [none, full]


# -- differences -------------------------------------------------------------------------------------------------------------------------


def _sums(state: State) -> dict[str, np.ndarray]:
    """The possible values of every sum of categories of one year at one release; only those that can be distinguished are kept."""
    if state.counts is None:
        return {}
    size = len(state.counts.tables[0]) if hasattr(state.counts, "tables") else state.counts.others + 1
    if hasattr(state.counts, "tables"):
        tables = state.counts.tables
        sets = [c for r in range(1, size + 1) for c in combinations(range(size), r)]
        return {str(c): np.unique(tables[:, list(c)].sum(axis=1)) for c in sets}
    own, *_, rest, total = state.counts.can((0,) * size)
    return {"(0,)": own, str(tuple(range(1, size))): rest, str(tuple(range(size))): total}


def judge_differences(learnt: Learnt, truth: Truth, score: Score, seed: str, revise_from: int) -> None:
    """Exact differences of 1 to 4 between releases, and between reported and harmonised in one release."""
    by: dict[tuple[str, str, str], list[State]] = {}
    for state in learnt.states:
        by.setdefault((state.indicator, state.measure, state.year), []).append(state)
    sums = {id(s): _sums(s) for s in learnt.states}
    for key, some in by.items():
        for a, b in combinations(some, 2):
            before, after = sums[id(a)], sums[id(b)]
            first, second = (truth(key[0], key[1], OFFENCE, key[2], s.release) for s in (a, b))
            for name in before.keys() & after.keys():
                if first is None or second is None:
                    continue
                cells = [int(x) for x in name.strip("(),").split(",")]
                real = sum(second[c] for c in cells) - sum(first[c] for c in cells)
                if not 1 <= abs(real) < revise_from:
                    continue
                score.differences["differences of 1 to 4"] += 1
                left = np.unique(after[name][:30, None] - before[name][None, :30])
                if len(left) < VALUES:
                    score.differences["exact" if len(left) == 1 else "two values"] += 1
                    where = f"{seed} {key} {a.release} to {b.release} {a.outcome}/{b.outcome}"
                    score.leaks.append(Leak("difference between releases", where, name, real, len(left), "public", True))
    pairs = {(s.indicator, s.year, s.release): s for s in learnt.states if s.measure == HARMONISED}
    for state in (s for s in learnt.states if s.measure == REPORTED and s.counts is not None):
        other = pairs[state.indicator, state.year, state.release]
        mine = sums[id(state)]
        size = len(truth(state.indicator, HARMONISED, OFFENCE, state.year, state.release) or ())
        for name, theirs in (("(0,)", "(0,)"), ("(1,)", str(tuple(range(1, size)))), ("(0, 1)", str(tuple(range(size))))):
            here, there = mine.get(name), sums[id(other)].get(theirs)
            if here is None or there is None:
                continue
            label = {"(0,)": "trafficking", "(1,)": "rest", "(0, 1)": "total"}[name]
            if len(here) == len(there) == 1:
                away = int(here[0] - there[0])
                score.beside[f"{label} exact"] += 1
                if 1 <= abs(away) < revise_from:
                    score.beside[f"{label} exact, 1 to 4"] += 1
                    where = f"{seed} {state.indicator} {state.year} {state.release}"
                    score.apart.append(Leak("reported beside harmonised", where, label, away, 1, "public", True))
            elif len(np.unique(here[:30, None] - there[None, :30])) < VALUES:
                score.beside[f"{label} fewer than three values"] += 1


# -- the rule of the page against what is printed ----------------------------------------------------------------------------------------


def check_rule(learnt: Learnt, truth: Truth, policy: Policy, score: Score, seed: str) -> None:
    """Does the rule as it was read make the printed tables of the true counts?"""
    for state in learnt.states:
        counts = truth(state.indicator, state.measure, OFFENCE, state.year, state.release)
        if counts is None:
            continue
        figures = policy.figures[state.indicator]
        if state.measure == HARMONISED:
            new: Year | None = harmonised(counts, figures)
        else:
            new = reported((counts[0], counts[1]), state.beside or Year(), figures)
        if new is None:
            score.cells["rule: nothing as reported"] += 1
            continue
        outcome, year = revised(new, state.earlier, figures, state.beside)
        score.cells["rule: years"] += 1
        same = year.total == state.printed.total and year.value == state.printed.value and year.broken == state.printed.broken
        if (outcome, sorted(year.parts)) != (state.outcome, sorted(state.printed.parts)) or not same:
            where = f"{seed} {state.indicator} {state.measure} {state.year} {state.release}"
            score.mismatches.append(f"{where}: {counts} after {state.earlier}: {outcome} {year}, printed {state.outcome} {state.printed}")


def check_presence(cubes: Sequence[tuple[str, Cube]], learnt: Learnt, policy: Policy, score: Score, seed: str) -> None:
    """Is a breakdown or a bridge printed when, and only when, the page says so? Else its absence would tell something."""
    before: Cube = {}
    bridged_before: set[tuple[str, str]] = set()
    for release, cube in cubes:
        for indicator in sorted({a[0] for a in cube}):
            expected = _expected(indicator, release, cube, before, policy)
            actual = {a for a in cube.keys() - before.keys() if a[0] == indicator and a[1] == HARMONISED and a[2] not in ("total", OFFENCE)}
            score.cells["presence of breakdowns"] += len(actual)
            if expected != actual:
                score.mismatches.append(f"{seed} {release} {indicator}: not as expected {sorted(expected ^ actual)}")
            for year in sorted({a[3] for a in cube if a[0] == indicator and a[2] == "total"}):
                totals = [cube.get((indicator, m, "total", year)) for m in (HARMONISED, REPORTED)]
                new = cube.keys() - before.keys()  # "breakdowns of the year": its own; "its total": the total printed now
                broken = any(a[0] == indicator and a[2] not in ("total", OFFENCE, CROSS) and a[3] == year for a in new)
                due = broken or (totals[0] is not None and totals[0].edition < release)
                both = all(t and t.cells for t in totals) and len({t.known for t in totals if t}) == 1
                said = any(b.indicator == indicator and b.year == year and b.edition == release for b in learnt.bridges)
                if (indicator, year) not in bridged_before and (due and both) != said:
                    score.mismatches.append(
                        f"{seed} {release} {indicator} {year}: bridge printed: {said}, as the page says: {due and both}"
                    )
                if said:
                    bridged_before.add((indicator, year))
        before = cube


def _expected(indicator: str, release: str, cube: Cube, before: Cube, policy: Policy) -> set[tuple[str, str, str, str]]:
    out: set[tuple[str, str, str, str]] = set()
    tables = policy.tables[indicator]
    years = sorted(int(a[3]) for a in cube if a[0] == indicator and a[1] == HARMONISED and a[2] == "total")
    for first in range(policy.first, max(years, default=0) + 1, policy.years):
        window = list(range(first, first + policy.years))
        own = {y: own_printed(cube, indicator, str(y)) for y in window}
        due = {
            y: (indicator, HARMONISED, "total", str(y)) in before or (y in years and release >= f"{y + policy.after_months // 12}-12-31")
            for y in window
        }
        named = f"{first}/{window[-1]}"
        start = next((y for y in window if y in years), first)
        mine = own[start]
        broken = any(a[0] == indicator and a[2] in tables and a[3] in {str(y) for y in window} for a in before)
        whole = all(due.values()) and all(own.values())
        if (mine is None or mine[0] < policy.pool_below) and not broken:
            if whole:
                out |= {(indicator, HARMONISED, t, named) for t in tables if t != "quarter"}
        else:
            for y in (y for y in window if due[y] and own[y]):
                out |= {
                    (indicator, HARMONISED, t, str(y)) for t in tables if t != CROSS and (indicator, HARMONISED, t, named) not in before
                }
            if whole and CROSS in tables:
                out.add((indicator, HARMONISED, CROSS, named))
    return out - before.keys()


def judge_joint(cubes: Sequence[tuple[str, Cube]], learnt: Learnt, truth: Truth, policy: Policy, score: Score, seed: str) -> None:
    """Sums alone, over all releases."""
    for indicator in sorted({s.indicator for s in learnt.states}):
        figures = policy.figures[indicator]
        said = joint.equations(indicator, cubes, learnt, policy)
        programme = joint.Programme(said)
        zero = {
            (b.address[2], year)
            for b in learnt.broken
            if b.address[0] == indicator and (("unknown",), 0) in b.printed.cells
            for year, _, _ in b.owns
        }
        alone = {
            (b.address[2], b.owns[0][0], c[0])
            for b in learnt.broken
            if b.address[0] == indicator and len(b.owns) == 1
            for c, _ in b.printed.cells
            if len(c) == 1
        }
        for count, i in said.counts.items():
            _, measure, table, year, known, category = count
            true = truth(indicator, measure, table, year, known)
            if true is None or table == "total":
                continue
            causes = tuple(c for c in learnt.causes) if measure == "bridge" else policy.names(indicator, measure, table)
            n = true[causes.index(category)]
            if abs(n) >= figures.threshold or (table, year, category) in alone:
                continue
            if category == "unknown" and (table, year) in zero:
                continue
            sides = zip(("sex", "age_group"), category.split("|"), strict=False)
            if table == CROSS and any(c == "unknown" and (t, year) in zero for t, c in sides):
                continue
            name = "joint: " + ("sex by age of a year (outside the programme)" if table == CROSS else "sums")
            score.cells[name] += 1
            width = programme.width([i])
            if width is None:
                score.mismatches.append(f"{seed} {indicator}: published figures contradict each other")
                break
            left, knows = width[1] - width[0] + 1, "public"
            if not width[0] <= n <= width[1]:
                score.mismatches.append(f"{seed} {count}: truth {n} is outside {width}")
            if left <= 20 and measure != "bridge":
                mine = {i: min(n, figures.known)}
                siblings = sorted(((true[causes.index(c)], said.counts[*count[:5], c]) for c in causes if c != category), reverse=True)
                theirs = {siblings[0][1]: min(siblings[0][0], figures.known)}
                for persons in (mine, theirs):
                    now = programme.knowing([i], persons)
                    if now and now[1] - now[0] + 1 < left:
                        left, knows = now[1] - now[0] + 1, str(persons)
            score.least[name, min(left, 9)] += 1
            if left < VALUES:
                leak = Leak(name, f"{seed} {count}", category, n, left, knows, knows == "public")
                (score.apart if OUTSIDE in name else score.leaks).append(leak)


def score_all(cubes: Sequence[tuple[str, Cube]], learnt: Learnt, truth: Truth, policy: Policy, seed: str, linear: bool = True) -> Score:
    """Everything learnt, against the truth."""
    out = Score()
    parts: dict[tuple[str, str], list[Question]] = {}
    for question in learnt.questions:
        if question.attacker == PART:
            parts.setdefault((question.indicator, question.of.split(":")[0]), []).append(question)
        else:
            judge(question, truth, policy.figures[question.indicator], out, seed)
    for some in parts.values():
        judge_parts(some, truth, policy.figures[some[0].indicator], out, seed)
    for line in learnt.bridges:
        judge_bridge(line, truth, policy.figures[line.indicator], learnt.causes, out, seed)
        out.cells["bridges"] += 1
    revise_from = next(iter(policy.figures.values())).revise_from
    judge_differences(learnt, truth, out, seed, revise_from)
    check_rule(learnt, truth, policy, out, seed)
    check_presence(cubes, learnt, policy, out, seed)
    if linear:
        judge_joint(cubes, learnt, truth, policy, out, seed)
    return out


__all__ = ["Score", "score_all"]
