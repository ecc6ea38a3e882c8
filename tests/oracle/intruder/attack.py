"""What follows from published cubes, the published bridge and the policy.

Belongs here: reading cubes, and the possible values of what they hide (`Question`). Does not belong here: what the truth is (`score`).
A question may list fewer possibilities than there are, never more: three values found are three values left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

from tests.oracle.intruder.rule import (
    VALUES,
    Blocks,
    Figures,
    Partition,
    Year,
    ahead_values,
    compositions,
    crossed,
    knowings,
    one_table,
    staying_values,
)

Address = tuple[str, str, str, str]  # indicator, measure, table, of
HARMONISED, REPORTED = "harmonised", "as_reported"
TOTAL, OFFENCE, CROSS = "total", "offence_group", "sex_age_group"
ROOM = 40
"""How far above what is printed the figures of a year are tried."""
SAMPLE = 250


@dataclass(frozen=True)
class Printed:
    """One table of a cube."""

    status: str
    cells: tuple[tuple[tuple[str, ...], int], ...]
    edition: str
    known: str


@dataclass
class Policy:
    """What the signed policy says."""

    tables: dict[str, tuple[str, ...]]
    offences: dict[str, tuple[str, ...]]
    categories: dict[str, tuple[str, ...]]
    figures: dict[str, Figures]
    after_months: int
    first: int
    years: int
    pool_below: int

    def names(self, indicator: str, measure: str, table: str) -> tuple[str, ...]:
        if table == OFFENCE:
            return ("trafficking", "rest") if measure == REPORTED else self.offences[indicator]
        if table == "quarter":
            return "Q1", "Q2", "Q3", "Q4"
        if table == CROSS:
            return tuple(f"{s}|{a}" for s in self.categories["sex"] for a in self.categories["age_group"])
        return self.categories[table]

    def unknown(self, indicator: str, table: str) -> int | None:
        names = self.names(indicator, HARMONISED, table)
        return names.index("unknown") if "unknown" in names else None


def read_policy(said: Mapping[str, Any]) -> Policy:
    """The policy of `policy.yaml`, parsed."""
    groups = said["groups"]
    indicators: Mapping[str, Any] = said["indicators"]
    every = tuple(said["categories"]["offence_group"])
    return Policy(
        {i: tuple(v["tables"]) for i, v in indicators.items()},
        {i: tuple(v.get("offences", every)) for i, v in indicators.items()},
        {d: tuple(v) for d, v in said["categories"].items()},
        {
            i: Figures(groups[v["group"]]["threshold"], groups[v["group"]]["known"], said["revise_from"], said["differ_from"])
            for i, v in indicators.items()
        },
        said["breakdowns"]["after_months"],
        said["windows"]["first"],
        said["windows"]["years"],
        said["windows"]["pool_below"],
    )


Row = Mapping[str, Any]
Cube = dict[Address, Printed]


def read_cube(rows: Sequence[Row]) -> Cube:
    """Rows of `cube.csv` as tables."""
    found: dict[Address, list[Row]] = {}
    for row in rows:
        found.setdefault((row["indicator"], row["measure"], row["table"], row["of"]), []).append(row)
    out = {}
    for address, some in found.items():
        cells = [(tuple(str(r["cell"]).split("+")), int(r["value"])) for r in some if r["status"] in ("shown", "joined")]
        status = "printed" if cells else str(some[0]["status"])
        out[address] = Printed(status, tuple(cells), str(some[0]["edition"]), str(some[0]["known"]))
    return out


# -- questions ---------------------------------------------------------------------------------------------------------------------------


@dataclass
class Question:
    """A table that was not printed whole: what can each of its counts be?

    `values(m)`: for each name the number of possible values to somebody who knows `m` of those counted; `can(m)`: the values themselves.
    """

    attacker: str
    indicator: str
    measure: str
    table: str
    of: str
    release: str
    """Whose records are counted."""
    names: tuple[str, ...]
    hidden: tuple[bool, ...]
    can: Callable[[tuple[int, ...]], list[np.ndarray]]
    holds: Callable[[tuple[int, ...]], bool] | None = None
    """Is a truth among the possibilities?"""
    years: tuple[tuple[str, str], ...] = ()
    """Year and release of the counts that are summed."""
    others: tuple[tuple[str, str], ...] = ()
    """The other years of a pooled window."""
    counted: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)

    def values(self, ways: tuple[int, ...]) -> tuple[int, ...]:
        if ways not in self.counted:
            self.counted[ways] = tuple(len(v) for v in self.can(ways))
        return self.counted[ways]


_COUNTED: dict[Any, dict[tuple[int, ...], tuple[int, ...]]] = {}


def _columns(tables: np.ndarray, ways: tuple[int, ...]) -> list[np.ndarray]:
    held = tables[(tables >= np.array(ways)).all(axis=1)]
    return [np.unique(held[:, j]) for j in range(tables.shape[1])]


@dataclass
class Pairs:
    """Possible trafficking and rest of a year, the other offences being any with that sum."""

    own: np.ndarray
    rest: np.ndarray
    others: int

    def can(self, ways: tuple[int, ...]) -> list[np.ndarray]:
        """Trafficking, each other offence, rest and total."""
        more = sum(ways[1:])
        held = (self.own >= ways[0]) & (self.rest >= more)
        own, rest = self.own[held], self.rest[held]
        if self.others == 1:
            parts = [np.unique(rest)]
        else:
            top = int(rest.max(initial=-1))
            parts = [np.arange(m, top - (more - m) + 1) if len(rest) else np.arange(0) for m in ways[1:]]
        return [np.unique(own), *parts, np.unique(rest), np.unique(own + rest)]


@dataclass
class Listed:
    """Possible tables of a year, listed: trafficking and the other offences."""

    tables: np.ndarray

    def can(self, ways: tuple[int, ...]) -> list[np.ndarray]:
        held = self.tables[(self.tables >= np.array(ways)).all(axis=1)]
        rest = held[:, 1:].sum(axis=1)
        return [*(np.unique(held[:, j]) for j in range(held.shape[1])), np.unique(rest), np.unique(rest + held[:, 0])]


@dataclass
class State:
    """What is known of one year's counts at one release: printed tables, what became of them, and what the counts can be."""

    indicator: str
    measure: str
    year: str
    release: str
    outcome: str  # replaced (also: the same again, and first), ahead, stays
    printed: Year
    earlier: list[Year]
    beside: Year | None
    counts: Pairs | Listed | None


def year_of(cube: Cube, indicator: str, measure: str, year: str, names: tuple[str, ...]) -> tuple[Year, str, str] | None:
    """The two tables of a year as printed, and the releases that they count."""
    total = cube.get((indicator, measure, TOTAL, year))
    parts = cube.get((indicator, measure, OFFENCE, year))
    if total is None:
        return None
    blocks: Blocks = ()
    if parts is not None:
        blocks = tuple((tuple(names.index(c) for c in cells), v) for cells, v in parts.cells)
    broken = "none" if parts is None else parts.status
    status = "shown" if total.cells else total.status
    return (
        Year(status, total.cells[0][1] if total.cells else None, blocks, broken),
        total.known,
        total.known if parts is None else parts.known,
    )


def _grid(top: int) -> tuple[np.ndarray, np.ndarray]:
    own, rest = np.indices((top + 1, top + 1))
    return own.ravel(), rest.ravel()


@dataclass
class New:
    """Tables computed from many possible counts."""

    total: np.ndarray
    own: np.ndarray
    rest: np.ndarray
    shows_total: np.ndarray
    shows_own: np.ndarray
    shows_rest: np.ndarray
    kind: np.ndarray


FEW, BOTH, OWN, SUM, NONE = range(5)


def new_harmonised(own: np.ndarray, rest: np.ndarray, figures: Figures) -> New:
    total, floor = own + rest, figures.floor
    kind = np.select(
        [total < floor, (own >= floor) & (rest >= floor), own >= floor, (rest >= floor) & (total >= 2 * floor - 1)],
        [FEW, BOTH, OWN, SUM],
        NONE,
    )
    return New(total, own, rest, (kind == BOTH) | (kind == SUM), (kind == BOTH) | (kind == OWN), kind == BOTH, kind)


def new_reported(own: np.ndarray, rest: np.ndarray, beside: Year, figures: Figures) -> New:
    total, floor, differ = own + rest, figures.floor, figures.differ_from
    theirs = beside.own()
    if beside.value is None:
        alone = (own >= floor) & (np.abs(own - theirs) >= differ) if theirs is not None else np.zeros(len(own), bool)
        kind = np.where(alone, OWN, NONE)
    else:
        both = (own >= floor) & (rest >= floor) & (theirs is not None and beside.rest() is not None)
        kind = np.select([total < floor, np.abs(total - beside.value) < differ, both], [FEW, NONE, BOTH], SUM)
    return New(total, own, rest, (kind == BOTH) | (kind == SUM), (kind == BOTH) | (kind == OWN), kind == BOTH, kind)


def _near(values: np.ndarray, others: set[int], figures: Figures) -> np.ndarray:
    out = np.zeros(len(values), bool)
    for other in others:
        away = np.abs(values - other)
        out |= (away >= 1) & (away < figures.revise_from)
    return out


def held_back(new: New, earlier: list[Year], figures: Figures) -> tuple[np.ndarray, np.ndarray]:
    """For which counts the printed tables surely stay, and for which of them the total goes ahead.

    Differences inside the other offences are left out: they make more tables stay, not fewer.
    """
    totals = {e.value for e in earlier if e.value is not None}
    at_total = new.shows_total & _near(new.total, totals, figures)
    stays = at_total.copy()
    stays |= new.shows_own & _near(new.own, {v for e in earlier if (v := e.own()) is not None}, figures)
    stays |= new.shows_rest & _near(new.rest, {v for e in earlier if (v := e.rest()) is not None}, figures)
    whole = {e.own() + e.rest() for e in earlier if e.own() is not None and e.rest() is not None}  # type: ignore[operator]
    stays |= new.shows_rest & _near(new.total, whole, figures)
    old = earlier[-1]
    ahead = np.zeros(len(stays), bool)
    if old.value is not None and old.own() is not None and old.rest() is not None:
        ahead = stays & new.shows_rest & ~at_total & (np.abs(new.total - old.value) >= figures.revise_from)
        enough = {n: ahead_values(n, earlier, figures) >= VALUES for n in np.unique(new.total[ahead]).tolist()}
        ahead[ahead] = [enough[n] for n in new.total[ahead].tolist()]
    return stays, ahead


def _listed(printed: Year, others: int, figures: Figures) -> Listed:
    own = printed.own()
    blocks = [(c, v) for c, v in printed.parts if 0 not in c]
    if others == 1:
        tables = np.array([[blocks[0][1]]])
    else:
        partition: Partition | None = tuple(tuple(x - 1 for x in c) for c, _ in blocks)
        sums = tuple(v for _, v in blocks)
        if partition and len(partition) == 1:
            partition, sums = None, ()
        tables = one_table(others, None, figures).alike(sum(v for _, v in blocks), partition, sums)
    return Listed(np.concatenate([np.full((len(tables), 1), own), tables], axis=1))


def possible(state: State, others: int, figures: Figures) -> Pairs | Listed:
    """The counts with which a year would have been printed just so, given what was printed before."""
    printed = state.printed
    if state.outcome == "replaced" and printed.rest() is not None and printed.own() is not None:
        if state.measure == REPORTED:
            return Listed(np.array([[printed.own(), printed.rest()]]))
        return _listed(printed, others, figures)
    values = [e.value or 0 for e in (*state.earlier, printed)] + [state.beside.value or 0 if state.beside else 0]
    values += [v for e in (*state.earlier, printed, *([state.beside] if state.beside else [])) for _, v in e.parts]
    own, rest = _grid(max(values) + ROOM)
    new = new_harmonised(own, rest, figures) if state.measure == HARMONISED else new_reported(own, rest, state.beside or Year(), figures)
    if state.outcome == "replaced":
        kind = {
            ("fewer_than", "none"): FEW,
            ("shown", "printed"): BOTH,
            ("shown", "not_broken_down"): SUM,
            ("not_shown", "printed"): OWN,
            ("not_shown", "none"): NONE,
        }[printed.total, printed.broken]
        held = new.kind == kind
        if printed.value is not None:
            held &= new.total == printed.value
        if printed.own() is not None:
            held &= own == printed.own()
        if kind == NONE and state.beside and state.earlier and staying_values(state.earlier, state.beside, figures) < VALUES:
            stays, ahead = held_back(new, state.earlier, figures)
            held |= stays & ~ahead
    else:
        stays, ahead = held_back(new, state.earlier, figures)
        held = ahead & (new.total == printed.value) if state.outcome == "ahead" else stays & ~ahead
    return Pairs(own[held], rest[held], others)


def states(cubes: Sequence[tuple[str, Cube]], policy: Policy) -> Iterator[State]:
    """Every year at every release."""
    indicators = sorted({a[0] for _, cube in cubes for a in cube})
    years = sorted({a[3] for _, cube in cubes for a in cube if a[2] == TOTAL})
    for indicator in indicators:
        for measure in (HARMONISED, REPORTED):
            names = policy.names(indicator, measure, OFFENCE)
            for year in years:
                earlier: list[Year] = []
                for release, cube in cubes:
                    found = year_of(cube, indicator, measure, year, names)
                    if found is None:
                        continue
                    printed, of_total, of_parts = found
                    outcome = "replaced" if of_parts == release else "ahead" if of_total == release else "stays"
                    beside = None
                    if measure == REPORTED:
                        theirs = year_of(cube, indicator, HARMONISED, year, policy.names(indicator, HARMONISED, OFFENCE))
                        beside = theirs[0] if theirs else None
                    state = State(indicator, measure, year, release, outcome, printed, list(earlier), beside, None)
                    dead = beside is not None and (beside.total in ("fewer_than", "no_delivery") or beside == Year("not_shown"))
                    if not dead and (earlier or outcome == "replaced") and printed.total != "no_delivery":
                        state.counts = possible(state, len(names) - 1, policy.figures[indicator])
                    earlier.append(printed)
                    yield state


# -- breakdowns --------------------------------------------------------------------------------------------------------------------------


def partition_of(table: Printed, names: tuple[str, ...]) -> tuple[Partition | None, tuple[int, ...]]:
    if not table.cells:
        return None, ()
    blocks = sorted((tuple(sorted(names.index(c) for c in cells)), v) for cells, v in table.cells)
    return tuple(b for b, _ in blocks), tuple(v for _, v in blocks)


def own_printed(cube: Cube, indicator: str, year: str) -> tuple[int, str] | None:
    """Trafficking of a year as printed, and whose records it counts."""
    parts = cube.get((indicator, HARMONISED, OFFENCE, year))
    if parts is None:
        return None
    return next(((v, parts.known) for cells, v in parts.cells if cells == ("trafficking",)), None)


def years_of(of: str) -> tuple[str, ...]:
    if "/" not in of:
        return (of,)
    first, last = of.split("/")
    return tuple(str(y) for y in range(int(first), int(last) + 1))


@dataclass
class Broken:
    """A breakdown, with all tables that would have been printed just so."""

    address: Address
    printed: Printed
    total: int
    owns: tuple[tuple[str, int, str], ...]  # year, trafficking, release
    tables: np.ndarray
    cached: Any


def breakdowns(cubes: Sequence[tuple[str, Cube]], policy: Policy) -> Iterator[Broken]:
    at = dict(cubes)
    for address, printed in cubes[-1][1].items():
        indicator, measure, table, of = address
        if measure != HARMONISED or table in (TOTAL, OFFENCE, CROSS) or printed.status == "no_delivery":
            continue
        edition = at.get(printed.edition, cubes[-1][1])
        owns = [(y, own_printed(edition, indicator, y)) for y in years_of(of)]
        if any(o is None for _, o in owns):
            raise ValueError(f"{address}: broken down without printed trafficking")
        total = sum(o[0] for _, o in owns if o)
        names = policy.names(indicator, measure, table)
        rule = one_table(len(names), policy.unknown(indicator, table), policy.figures[indicator])
        partition, sums = partition_of(printed, names)
        if partition is not None and sum(sums) != total:
            raise ValueError(f"{address}: does not add up to printed trafficking")
        key = rule, total, partition, sums
        yield Broken(address, printed, total, tuple((y, *o) for y, o in owns if o), rule.alike(total, partition, sums), key)


def _ask_table(b: Broken, policy: Policy) -> Question:
    indicator, measure, table, of = b.address
    names = policy.names(indicator, measure, table)
    shown = {cells[0] for cells, _ in b.printed.cells if len(cells) == 1}
    rows = {tuple(r) for r in b.tables.tolist()} if len(b.tables) < SAMPLE else None

    def holds(truth: tuple[int, ...]) -> bool:
        return truth in rows if rows is not None else bool((b.tables == np.array(truth)).all(axis=1).any())

    return Question(
        "rule",
        indicator,
        measure,
        table,
        of,
        b.printed.known,
        names,
        tuple(n not in shown for n in names),
        lambda ways: _columns(b.tables, ways),
        holds,
        tuple((y, known) for y, _, known in b.owns),
        counted=_COUNTED.setdefault(b.cached, {}),
    )


def _ask_pooled(b: Broken, policy: Policy) -> Iterator[Question]:
    """Tables of each year inside a pooled window. `ways`: known of the year's categories, then of the other years'."""
    indicator, measure, table, _ = b.address
    names = policy.names(indicator, measure, table)
    unknown = policy.unknown(indicator, table)
    zero = any(cells == ("unknown",) and v == 0 for cells, v in b.printed.cells)
    some = b.tables
    if len(some) > SAMPLE:
        some = some[np.linspace(0, len(some) - 1, SAMPLE).astype(int)]
    for year, own, known in b.owns:

        def can(ways: tuple[int, ...], own: int = own, some: np.ndarray = some) -> list[np.ndarray]:
            here, there = np.array(ways[: len(names)]), np.array(ways[len(names) :])
            left = some - here - there
            own_left, all_left = own - int(here.sum()), b.total - sum(ways)
            left = left[(left >= 0).all(axis=1)]
            if own_left < 0 or all_left - own_left < 0 or not len(left):
                return [np.arange(0)] * len(names)
            low = np.maximum(0, own_left - (all_left - left)) + here
            high = np.minimum(own_left, left) + here
            out = []
            for j in range(len(names)):
                marks = np.zeros(own + 2, int)
                np.add.at(marks, low[:, j], 1)
                np.add.at(marks, high[:, j] + 1, -1)
                out.append(np.flatnonzero(np.cumsum(marks) > 0))
            return out

        hidden = tuple(not (zero and j == unknown) for j in range(len(names)))
        others = tuple((y, k) for y, _, k in b.owns if y != year)
        yield Question("pooled year", indicator, measure, table, year, known, names, hidden, can, None, ((year, known),), others)


# -- sex by age --------------------------------------------------------------------------------------------------------------------------


@cache
def _cross_values(
    sex: tuple[Any, ...], age: tuple[Any, ...], total: int, figures: Figures, ways: tuple[int, ...]
) -> tuple[tuple[int, ...], ...]:
    """The values of the nine counts of one year whose margins are not both printed whole."""
    tables = []
    for partition, sums in (sex, age):
        some = one_table(3, 2, figures).alike(total, partition, sums)
        tables.append(some[np.linspace(0, len(some) - 1, 24).astype(int)] if len(some) > 24 else some)
    known = np.array(ways).reshape(3, 3)
    a = np.repeat(tables[0], len(tables[1]), axis=0) - known.sum(axis=1)
    b = np.tile(tables[1], (len(tables[0]), 1)) - known.sum(axis=0)
    held = (a >= 0).all(axis=1) & (b >= 0).all(axis=1)
    a, b = a[held], b[held]
    out = []
    for i in range(3):
        for j in range(3):
            low = np.maximum(0, a[:, i] + b[:, j] - (total - known.sum())) + known[i, j]
            high = np.minimum(a[:, i], b[:, j]) + known[i, j]
            marks = np.zeros(total + 3, int)
            np.add.at(marks, low, 1)
            np.add.at(marks, high + 1, -1)
            out.append(tuple(np.flatnonzero(np.cumsum(marks) > 0).tolist()))
    return tuple(out)


def _first_in(values: np.ndarray, truth: tuple[int, ...]) -> bool:
    return truth[0] in values


def _always(values: list[np.ndarray], _: tuple[int, ...]) -> list[np.ndarray]:
    return values


def _part(keys: tuple[Any, ...], total: int, figures: Figures, ways: tuple[int, ...]) -> list[np.ndarray]:
    return [np.array(v, int) for v in _cross_values(keys[0], keys[1], total, figures, ways)]


@dataclass
class Four:
    """The four counts of sex by age, by the first of them."""

    x: np.ndarray
    low: int
    high: int
    sex: int
    age: int
    other_age: int

    def can(self, ways: tuple[int, ...]) -> list[np.ndarray]:
        held = self.x[(self.x >= self.low + ways[0] + ways[4]) & (self.x <= self.high - ways[1] - ways[3])]
        zeros = np.zeros(min(1, len(held)), int)
        four = held, self.sex - held, zeros, self.age - held, self.other_age - self.sex + held
        return [np.sort(v) for v in (*four, zeros, zeros, zeros, zeros)]


def crosses(cubes: Sequence[tuple[str, Cube]], policy: Policy, found: Mapping[Address, Broken]) -> Iterator[Question]:
    for address, printed in cubes[-1][1].items():
        indicator, measure, table, of = address
        if table != CROSS:
            continue
        figures = policy.figures[indicator]
        sexes, ages = policy.categories["sex"], policy.categories["age_group"]
        parts = [of] if (indicator, measure, "sex", of) in found else list(years_of(of))
        names = policy.names(indicator, measure, table)
        margins, whole = [], []
        for part in parts:
            pair = found[indicator, measure, "sex", part], found[indicator, measure, "age_group", part]
            margins.append(pair)
            cells = [dict(b.printed.cells) for b in pair]
            whole.append(all(c.get(("unknown",)) == 0 and len(c) == 3 for c in cells))
        years = tuple((y, known) for pair in margins for y, _, known in pair[0].owns)
        zero = {n for n in names if all(_zero(b, n) for pair in margins for b in (pair,))}
        if all(whole):
            four = []
            for pair in margins:
                s, a = dict(pair[0].printed.cells), dict(pair[1].printed.cells)
                four.append((s[sexes[:1]], s[sexes[1:2]], a[ages[:1]], a[ages[1:2]]))
            low, high, least, smallest = crossed(four, figures)
            x = np.arange(low, high + 1)
            shown = least is not None and smallest >= least
            x = x[shown] if printed.cells else x[~shown] if least is not None else x
            if printed.cells:
                value = dict(printed.cells)[(f"{sexes[0]}|{ages[0]}",)]
                x = x[x == value]
            sums = [sum(f[i] for f in four) for i in (0, 2, 3)]
            four_of = Four(x, low, high, *sums)
            hidden = tuple(not printed.cells and n not in zero for n in names)
            yield Question(
                "sex by age", indicator, measure, table, of, printed.known, names, hidden, four_of.can, partial(_first_in, x), years
            )
            if printed.cells and len(parts) > 1:
                yield from _cross_years(address, printed, four, margins, int(x[0]), names)
        else:
            for pair, part in zip(margins, parts, strict=True):
                keys = [partition_of(b.printed, policy.names(indicator, measure, b.address[2])) for b in pair]

                part_of = partial(_part, tuple(keys), pair[0].total, figures)
                hidden = tuple(n not in zero for n in names)
                mine = tuple((y, known) for y, _, known in pair[0].owns)
                named = "sex by age part", indicator, measure, table, f"{of}:{part}", printed.known
                yield Question(*named, names, hidden, part_of, None, mine)


def _zero(pair: tuple[Broken, Broken], name: str) -> bool:
    """Does a margin print "not known: 0" of this count?"""
    return any(c == "unknown" and (("unknown",), 0) in b.printed.cells for c, b in zip(name.split("|"), pair, strict=True))


def _cross_years(
    address: Address, printed: Printed, four: list[tuple[int, int, int, int]], margins: Any, x: int, names: tuple[str, ...]
) -> Iterator[Question]:
    """Sex by age of one year, where the window is printed: no table of the programme, so reported apart."""
    lows, highs = [max(0, s - b) for s, _, _, b in four], [min(s, a) for s, _, a, _ in four]
    for at, (s, _, a, b) in enumerate(four):
        low = max(lows[at], x - (sum(highs) - highs[at]))
        high = min(highs[at], x - (sum(lows) - lows[at]))
        held = np.arange(low, high + 1)
        zeros = np.zeros(1, int)
        year, _, known = margins[at][0].owns[0]
        columns = [np.sort(v) for v in (held, s - held, zeros, a - held, b - s + held, zeros, zeros, zeros, zeros)]
        hidden = tuple("unknown" not in n for n in names)
        yield Question(
            "sex by age of a year (outside the programme)",
            *address[:3],
            year,
            known,
            names,
            hidden,
            partial(_always, columns),
            partial(_first_in, held),
            ((year, known),),
        )


# -- the bridge --------------------------------------------------------------------------------------------------------------------------


@dataclass
class BridgeLine:
    """The bridge of one indicator and year: causes printed by themselves, those in one line, and its sum."""

    indicator: str
    year: str
    known: str
    shown: dict[str, int]
    joined: tuple[str, ...]
    rest: int
    edition: str = ""

    def possible(self, j: int, least: Sequence[int], signs: Sequence[int], figures: Figures) -> set[int]:
        """Values of one joined cause, each cause having at least some records, of one sign (-1, 1) or either (0)."""
        top = figures.floor - 1
        bounds = [_bounds(m, g, top) for m, g in zip(least, signs, strict=True)]
        out = self._fits(j, bounds, self.rest, self.rest)
        if not self.shown:
            near = figures.threshold - 1
            for big, (m, g) in enumerate(zip(least, signs, strict=True)):
                if big == j:
                    continue
                left = [b for i, b in enumerate(bounds) if i != big]
                for e in range(-near, near + 1):
                    value = self.rest - e
                    if abs(value) > top and abs(value) >= m and g * value >= 0:
                        out |= self._fits(j - (big < j), left, e, e)
            left = [b for i, b in enumerate(bounds) if i != j]
            low, high = sum(b[0] for b in left), sum(b[1] for b in left)
            m, g = least[j], signs[j]
            values = [self.rest - e for e in range(max(low, -near), min(high, near) + 1)]
            out |= {v for v in values if abs(v) > top and abs(v) >= m and g * v >= 0}
        return out

    @staticmethod
    def _fits(j: int, bounds: Sequence[tuple[int, int]], low: int, high: int) -> set[int]:
        down = sum(b[0] for i, b in enumerate(bounds) if i != j)
        up = sum(b[1] for i, b in enumerate(bounds) if i != j)
        return {v for v in range(bounds[j][0], bounds[j][1] + 1) if down + v <= high and up + v >= low}


def _bounds(least: int, sign: int, top: int) -> tuple[int, int]:
    if sign == 0:
        return -top, top
    return (least, top) if sign > 0 else (-top, -least)


def bridges(cubes: Sequence[tuple[str, Cube]], rows: Sequence[Row]) -> Iterator[BridgeLine]:
    at = dict(cubes)
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["indicator"], str(row["period"])), []).append(row)
    for (indicator, year), some in found.items():
        cube = at[some[0]["edition"]]
        sums = [cube[indicator, m, TOTAL, year].cells[0][1] for m in (HARMONISED, REPORTED)]
        shown = {r["cause"]: int(r["n"]) for r in some if r["status"] == "shown"}
        joined = next((tuple(r["cause"].split("+")) for r in some if r["status"] != "shown"), ())
        yield BridgeLine(indicator, year, some[0]["known"], shown, joined, sums[0] - sums[1] - sum(shown.values()), some[0]["edition"])


# -- all together ------------------------------------------------------------------------------------------------------------------------


@dataclass
class Learnt:
    """Everything that the intruder made of what was published."""

    questions: list[Question]
    states: list[State]
    bridges: list[BridgeLine]
    broken: list[Broken]
    causes: tuple[str, ...]


def _ask_year(state: State, policy: Policy) -> Question | None:
    if state.counts is None:
        return None
    names = policy.names(state.indicator, state.measure, OFFENCE)
    printed = state.printed
    shown = {names[c[0]] for c, _ in printed.parts if len(c) == 1} if state.outcome == "replaced" else set()
    whole = state.outcome == "replaced" and printed.rest() is not None
    total = state.outcome in ("replaced", "ahead") and printed.value is not None
    hidden = (*(n not in shown for n in names), not whole, not total)
    attacker = {"replaced": "rule", "ahead": "total ahead", "stays": "withheld revision"}[state.outcome]
    if state.measure == REPORTED:
        attacker += ", as reported"
    return Question(
        attacker,
        state.indicator,
        state.measure,
        OFFENCE,
        state.year,
        state.release,
        (*names, "all others", "total"),
        hidden,
        state.counts.can,
        None,
        ((state.year, state.release),),
    )


def learn(cubes: Sequence[tuple[str, Cube]], bridge: Sequence[Row], policy: Policy, causes: tuple[str, ...] = ()) -> Learnt:
    """All attacks, of releases in their order; `causes` as `causes.csv` has them."""
    questions: list[Question] = []
    known = list(states(cubes, policy))
    questions += [q for s in known if (q := _ask_year(s, policy))]
    broken = list(breakdowns(cubes, policy))
    found = {b.address: b for b in broken}
    for b in broken:
        question = _ask_table(b, policy)
        if any(question.hidden):
            questions.append(question)
        if len(b.owns) > 1:
            questions += _ask_pooled(b, policy)
    questions += crosses(cubes, policy, found)
    return Learnt(questions, known, list(bridges(cubes, bridge)), broken, causes)


__all__ = ["Learnt", "Question", "compositions", "knowings", "learn", "read_cube", "read_policy"]
