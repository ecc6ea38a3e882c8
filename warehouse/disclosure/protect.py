"""From exact figures to what a release prints, given what earlier releases printed.

Belongs here: what is due in a release, what is carried over, revised, held. Does not belong here: how a table is joined (`rule`, `prints`),
attacks and their consequences (`warehouse/releases/create`).

Year totals (with their part by offence) are printed from the first release after the year on, and revised when every difference to all
that was printed before is 0 or `revise_from` and more; else the printed figures stand. Breakdowns are printed once, one release
later, of the records that the standing total counts, so that they add up to it; windows once, of the records that the breakdowns
of their years count. So no two figures of one table differ by 1 to 4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from warehouse.disclosure.prints import Print, blocks, crossed, join, may_replace, print_table
from warehouse.disclosure.programme import ACROSS, CROSSED, HARMONISED, OFFENCE, REPORTED, TOTAL, TRAFFICKING, Key, Programme, years_of

Exact = Mapping[Key, tuple[int, ...] | None]
"""Counts of every table of every year, harmonised and as reported, in the order of `Programme.cells`; None: nothing was delivered."""
Prints = dict[Key, Print]


@dataclass(frozen=True)
class Inputs:
    """What a release is made of.

    exact       by release: the figures as known then, that of the new release among them
    history     what each earlier release printed, oldest first
    incomplete  (indicator, year) of which a delivery is missing
    coarsen     tables of this release that attackers undid: how often to print them coarser
    """

    programme: Programme
    release: str
    as_of: date
    exact: Mapping[str, Exact]
    history: Sequence[Prints] = ()
    incomplete: Collection[tuple[str, str]] = ()
    coarsen: Mapping[Key, int] = field(default_factory=dict)

    @property
    def before(self) -> Prints:
        """What the last release printed."""
        return self.history[-1] if self.history else {}

    @property
    def now(self) -> Exact:
        """The figures as known on the day of the release."""
        return self.exact[self.release]


def protect(given: Inputs) -> Prints:
    """All that the release prints: what earlier ones printed and still stands, and what is new."""
    out: Prints = {}
    for code in given.programme.indicators:
        years = sorted({key.period for key in given.now if key.indicator == code and key.table == TOTAL})
        for year in (y for y in years if int(y) < given.as_of.year):
            out |= _totals(given, code, year)
        out |= _breakdowns(given, code, years, out)
        out |= _windows(given, code, years, out)
    standing = {key: old for key, old in given.before.items() if key not in out}  # published once, or of a year that is no longer counted
    return {**standing, **out}


def _totals(given: Inputs, code: str, year: str) -> Prints:
    """The year's total and its part by offence, harmonised; then as reported, never finer than harmonised."""
    harmonised = _standing(given, _fresh(given, code, HARMONISED, year))
    total, offence = (harmonised.get(Key(code, HARMONISED, table, year)) for table in (TOTAL, OFFENCE))
    if total is None or total.status != "printed":
        return harmonised
    reported = _fresh(given, code, REPORTED, year)
    key = Key(code, REPORTED, OFFENCE, year)
    if key in reported and (offence is None or offence.status != "printed"):
        reported[key] = Print("not_broken_down", known=given.release)
    return {**harmonised, **_standing(given, reported)}


def _fresh(given: Inputs, code: str, measure: str, year: str) -> Prints:
    """The two tables of a year as the records stand today."""
    key, parts = (Key(code, measure, table, year) for table in (TOTAL, OFFENCE))
    counted = given.now.get(key)
    if counted is None:
        return {key: Print("no_delivery", known=given.release)}
    cells = given.programme.cells(parts)
    rule = given.programme.rule(code, cells)
    if counted[0] < rule.floor:
        return {key: Print("fewer_than", limit=rule.floor, known=given.release)}
    counts = given.now[parts]
    broken = print_table(rule, cells, counts, given.programme.declared(parts)) if counts else Print("not_broken_down")
    if given.coarsen.get(parts):
        broken = Print("not_broken_down")
    return {key: Print("printed", ((TOTAL, counted[0]),), known=given.release), parts: replace(broken, known=given.release)}


def _standing(given: Inputs, fresh: Prints) -> Prints:
    """`fresh` where it may replace what was printed, else what was printed."""
    earlier = [{key: prints[key] for key in fresh if key in prints} for prints in given.history]
    step = given.programme.revise_from
    if all(may_replace(new, old[key], step) for old in earlier for key, new in fresh.items() if key in old):
        return {key: _edition(given, key, new) for key, new in fresh.items()}
    pair = {Key(k.indicator, k.measure, table, k.period) for k in fresh for table in (TOTAL, OFFENCE)}
    return {key: old for key, old in given.before.items() if key in pair}


def _edition(given: Inputs, key: Key, new: Print) -> Print:
    """`new` with the release that first printed it so."""
    old = given.before.get(key)
    return replace(new, edition=old.edition if old and old.same(new) else given.release)


def _due(given: Inputs, code: str, year: str) -> bool:
    """Whether the year's breakdowns come with this release."""
    total = Key(code, HARMONISED, TOTAL, year)
    months = (given.as_of.year - int(year) - 1) * 12 + given.as_of.month - 1
    after = months >= given.programme.after_months or any(total in prints for prints in given.history)
    complete = (code, year) not in given.incomplete or months >= given.programme.patience_months
    return int(year) < given.as_of.year and after and complete


def _trafficking(out: Prints, code: str, year: str) -> Print | None:
    """The printed part by offence of a year, where trafficking stands in it on its own."""
    offence = out.get(Key(code, HARMONISED, OFFENCE, year))
    return offence if offence and offence.value(TRAFFICKING) is not None else None


def _breakdowns(given: Inputs, code: str, years: list[str], out: Prints) -> Prints:
    made: Prints = {}
    for year in (y for y in years if _due(given, code, y)):
        total = _trafficking(out, code, year)
        for table in given.programme.indicators[code].yearly if total else ():
            key = Key(code, HARMONISED, table, year)
            if key in given.before or total is None:
                continue
            counts = given.exact[total.known].get(key)
            if counts is None:
                continue
            cells = given.programme.cells(key)
            new = print_table(given.programme.rule(code, cells), cells, counts, given.programme.declared(key))
            if given.coarsen.get(key):
                new = Print("not_broken_down")
            made[key] = replace(new, edition=given.release, known=total.known)
    return made


def _windows(given: Inputs, code: str, years: list[str], out: Prints) -> Prints:
    made: Prints = {}
    for window in sorted({given.programme.window(int(year)) for year in years}):
        inside = years_of(window)
        if not set(inside) <= set(years) or not all(_due(given, code, year) for year in inside):
            continue
        for table in given.programme.indicators[code].pooled:
            key = Key(code, HARMONISED, table, window)
            if key in given.before or overlaps(key, given.before):
                continue
            made[key] = replace(_pooled(given, key, inside, {**given.before, **out}), edition=given.release)
    return made


def overlaps(key: Key, before: Prints) -> Key | None:
    """A window of the same table that was printed before and shares a year with `key`: a difference of the two would undo both."""
    own = set(years_of(key.period))
    same = (k for k in before if k[:3] == key[:3] and "/" in k.period and k != key)
    return next((k for k in same if own & set(years_of(k.period))), None)


def _pooled(given: Inputs, key: Key, years: tuple[str, ...], out: Prints) -> Print:
    """A table over a window, of the records that its years' printed figures count."""
    totals = [_trafficking(out, key.indicator, year) for year in years]
    if any(total is None for total in totals) or (given.coarsen.get(key, 0) and key.table != CROSSED):
        return Print("not_broken_down", known=given.release)
    used = [_counted_as(given, key.indicator, year, total.known, out) for year, total in zip(years, totals, strict=True) if total]
    tables = [given.exact[known].get(key._replace(period=year)) for year, known in zip(years, used, strict=True)]
    if any(table is None for table in tables):
        return Print("not_broken_down", known=given.release)
    cells = given.programme.cells(key)
    counts = tuple(sum(table[n] for table in tables if table) for n in range(len(cells)))
    rule = given.programme.rule(key.indicator, cells) if key.table != CROSSED else None
    new = print_table(rule, cells, counts, {}) if rule else _crossed(given, key, years, counts, out)
    return replace(new, known=max(used))


def _counted_as(given: Inputs, code: str, year: str, total: str, out: Prints) -> str:
    """The release whose records the year's breakdowns count; where there are none, its total."""
    yearly = (out.get(Key(code, HARMONISED, table, year)) for table in given.programme.indicators[code].yearly)
    return next((made.known for made in yearly if made), total)


def _crossed(given: Inputs, key: Key, years: tuple[str, ...], counts: tuple[int, ...], out: Prints) -> Print:
    """Sex × age over a window: no finer than the yearly tables of all its years."""
    apart = []
    for table in ("sex", "age_group"):
        yearly = [key._replace(table=table, period=year) for year in years]
        apart.append(join(blocks(out.get(k, Print("not_broken_down")), given.programme.cells(k)) for k in yearly))
    threshold = given.programme.groups[given.programme.indicators[key.indicator].group][0]
    names = (cell.split(ACROSS) for cell in given.programme.cells(key))
    by_cell = {(row, column): n for (row, column), n in zip(names, counts, strict=True)}
    return crossed(threshold, by_cell, apart[0], apart[1], given.coarsen.get(key, 0))
