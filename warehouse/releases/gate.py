"""The attackers' test that every release must stand before it is written.

Belongs here: handing the attackers what they have, and what follows from what they learn: the newest table is printed coarser, or the
release is refused. Does not belong here: attacks (`warehouse/attackers`), protection (`warehouse/disclosure`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pipelines.errors import HarmoniaError
from warehouse.attackers import enumeration, integer_programme
from warehouse.attackers.known import Knowledge, Learnt, Table
from warehouse.disclosure.prints import crossed_form, forms_of, year_codes
from warehouse.disclosure.programme import CROSSED, HARMONISED, OFFENCE, REPORTED, TOTAL, TRAFFICKING, Key, years_of
from warehouse.disclosure.protect import Inputs, Prints, apart, counts_behind, protect, refused
from warehouse.releases import cube

ROUNDS = 25
Truth = dict[Table, dict[str, int]]


def guarded(given: Inputs) -> tuple[Prints, list[dict[str, str]]]:
    """What is printed once no attacker learns anything: all tables, and those that are kept back, with the reason.

    Raises `HarmoniaError` where a release cannot be made safe by printing its newest tables coarser.
    """
    withheld: dict[Key, str] = {}
    for _ in range(ROUNDS):
        prints = protect(given)
        withheld |= {key: f"would undo {_name(other)}, printed by an earlier release" for key, other in refused(given, prints).items()}
        learnt = attacked(given, prints)
        if not learnt:
            return prints, [{"indicator": k.indicator, "table": k.table, "of": k.period, "reason": r} for k, r in sorted(withheld.items())]
        culprits = _coarser(given, prints, learnt)
        if not culprits:
            first = learnt[0]
            raise HarmoniaError(
                f"release {given.release} is refused: {_name(Key(*first.table))} would give away a cell under the threshold "
                f"({first.attack}), and no table that is new in it can be printed coarser; "
                "wait for more records, or have the coordinator sign a coarser programme"
            )
        given = replace(given, coarsen={**given.coarsen, **{key: given.coarsen.get(key, 0) + 1 for key in culprits}})
        withheld |= dict.fromkeys(culprits, f"an attack ({learnt[0].attack}) would learn a cell under the threshold")
    raise HarmoniaError(f"release {given.release} is refused: after {ROUNDS} rounds of printing it coarser attackers still learn cells")


def attacked(given: Inputs, prints: Prints) -> list[Learnt]:
    """What enumeration and integer programme learn from the release beside all earlier ones, and not from those alone."""
    new = frozenset(Table(*key) for key, made in prints.items() if made.edition == given.release)
    cubes, truth = [cube.rows(p, {}, set()) for p in [*given.history, prints]], truths(given, prints)
    indicators = sorted({name.indicator for name in new})
    knowledge = known(given, prints, cubes)
    learnt = integer_programme.attack(knowledge, truth, indicators)
    old = frozenset(one.table for one in learnt) - new
    if old:
        before = known(given, given.history[-1], cubes[:-1])
        already = {one[:2] for one in integer_programme.attack(before, truth, indicators, old)}
        learnt = [one for one in learnt if one[:2] not in already]
    return enumeration.attack(knowledge, truth, new) + learnt


def known(given: Inputs, prints: Prints, cubes: Sequence[pd.DataFrame]) -> Knowledge:
    """What an outsider has who read all releases, the policy and the code."""
    programme = given.programme
    groups = {code: programme.groups[said.group] for code, said in programme.indicators.items()}

    def rule(indicator: str, cells: tuple[str, ...], tables: np.ndarray) -> np.ndarray:
        if cells[0] == TRAFFICKING:
            return year_codes(programme.rule(indicator, cells[1:]), tables)
        return programme.rule(indicator, cells).choose(tables)

    def cross(table: Table, cells: tuple[str, ...], tables: np.ndarray) -> np.ndarray:
        key = Key(*table)
        return crossed_form(groups[table.indicator][0], cells, tables, forms_of(*apart(programme, key, prints)), given.coarsen.get(key, 0))

    return Knowledge(
        cubes=cubes,
        categories=lambda name: programme.cells(Key(*name)),
        threshold={code: threshold for code, (threshold, _) in groups.items()},
        persons={code: persons for code, (_, persons) in groups.items()},
        rule=rule,
        crossed=cross,
        already=programme.public_already,
        step=programme.revise_from,
        withheld=frozenset(Table(*key) for key in given.coarsen) | _following(prints),
    )


def _following(prints: Prints) -> frozenset[Table]:
    """Tables as reported that are printed coarser since the harmonised ones are."""
    of = ((k, prints.get(k._replace(measure=HARMONISED, table=TOTAL)), prints.get(k._replace(measure=HARMONISED))) for k in prints)
    coarse = (k for k, total, parts in of if not (total and parts and total.status == parts.status == "printed"))
    return frozenset(Table(*k) for k in coarse if k.measure == REPORTED and k.table == OFFENCE)


def truths(given: Inputs, prints: Prints) -> Truth:
    """The exact counts behind every printed table, by category."""
    out = {}
    for key in prints:
        # A window counts its years as they stood when it was printed.
        then = next((old for old in given.history if "/" in key.period and key in old), prints)
        counts, _ = counts_behind(given, key, then)
        if counts is not None:
            out[Table(*key)] = dict(zip(given.programme.cells(key), counts, strict=True))
    return out


def _coarser(given: Inputs, prints: Prints, learnt: Iterable[Learnt]) -> set[Key]:
    """The tables of this release to print coarser: those that gave something away, or else what is new beside an older one
    that is undone.
    """

    def can(key: Key) -> bool:
        return key.table != TOTAL and prints[key].edition == given.release and prints[key].status == "printed"

    named = {Key(*one.table) for one in learnt}
    own = {key for key in named if can(key)}
    if own:
        return own
    years = {(key.indicator, year) for key in named for year in years_of(key.period)}
    beside = {key for key in prints if can(key) and any((key.indicator, year) in years for year in years_of(key.period))}
    crossing = {key for key in beside if key.table == CROSSED}
    return crossing or beside


def _name(key: Key) -> str:
    return f"{key.indicator} {key.period} by {key.table}" if key.table != TOTAL else f"{key.indicator} {key.period}"
