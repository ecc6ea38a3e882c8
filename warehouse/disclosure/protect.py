"""From exact figures to the tables of a release, given the tables of earlier releases.

Belongs here: what is due in a release, what is carried over, revised, held back. Does not belong here: merging categories (`rule`,
`published_tables`), attacks (`warehouse/releases/gate`).
Year totals (with their part by offence) are published from the first release after the year on, and revised if every difference from all
earlier values is 0 or at least `revise_from`; else the published figures stay, or only the parts stay if the new total reveals too little
about them. Breakdowns are published once, one release later, of the records that published trafficking counts, so that they add up
to it; windows once, of the records that the breakdowns of their years count. So no two figures of one table differ by 1 to 4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from warehouse.disclosure.programme import CROSSED, HARMONISED, OFFENCE, REPORTED, TOTAL, TRAFFICKING, UNKNOWN, Key, Programme, years_of
from warehouse.disclosure.published_tables import (
    Margins,
    PublishedTable,
    crossed,
    crossed_least,
    may_replace,
    print_reported,
    print_table,
    print_year,
    reported_may_stay,
    total_may_go_ahead,
)

Exact = Mapping[Key, tuple[int, ...] | None]
"""Counts of every table of every year, harmonised and as reported, in the order of `Programme.cells`; None: nothing was delivered."""
PublishedTables = dict[Key, PublishedTable]
_SIDES = ("sex", "age_group")


@dataclass(frozen=True)
class Inputs:
    """The inputs of a release.

    exact       by release: the figures as known then, including the new release
    history     the published tables of each earlier release, oldest first
    incomplete  (indicator, year) with a missing delivery
    """

    programme: Programme
    release: str
    as_of: date
    exact: Mapping[str, Exact]
    history: Sequence[PublishedTables] = ()
    incomplete: Collection[tuple[str, str]] = ()

    @property
    def before(self) -> PublishedTables:
        """The tables of the last release."""
        return self.history[-1] if self.history else {}

    @property
    def now(self) -> Exact:
        """The figures as known on the day of the release."""
        return self.exact[self.release]


def protect(given: Inputs) -> PublishedTables:
    """All tables of the release: those of earlier releases that are still valid, and new ones."""
    out: PublishedTables = {}
    for code in given.programme.indicators:
        years = sorted({key.period for key in given.now if key.indicator == code and key.table == TOTAL})
        for year in (y for y in years if int(y) < given.as_of.year):
            out |= _totals(given, code, year)
        out |= _breakdowns(given, code, out)
    return _with_earlier(given, out)


def _with_earlier(given: Inputs, out: PublishedTables) -> PublishedTables:
    """`out` plus tables of earlier releases that this one does not replace: breakdowns, and years that are no longer counted."""
    again = {(key.indicator, key.period) for key in out if key.table == TOTAL}
    standing = {k: old for k, old in given.before.items() if k.table not in (TOTAL, OFFENCE) or (k.indicator, k.period) not in again}
    return {**standing, **out}


def _totals(given: Inputs, code: str, year: str) -> PublishedTables:
    """The year's total and its part by offence, harmonised; then as reported."""
    rules = given.programme
    key, parts = (Key(code, HARMONISED, table, year) for table in (TOTAL, OFFENCE))
    counts = given.now.get(parts)
    if counts is None:
        return _standing(given, {key: PublishedTable("no_delivery", known=given.release)})
    cells = rules.cells(parts)
    total, offence = print_year(rules.rule(code, cells[1:], parts), cells, counts, rules.said(key).get(TOTAL))
    harmonised = _standing(given, _pair(given, key, parts, total, offence))
    if key not in harmonised or (parts not in harmonised and harmonised[key].status != "printed"):
        return harmonised
    ours = harmonised[key], harmonised.get(parts)
    fresh = _standing(given, reported(given, code, year, given.now[parts._replace(measure=REPORTED)] or (), ours))
    return {**harmonised, **_reported_standing(given, key._replace(measure=REPORTED), fresh, ours)}


def _reported_standing(
    given: Inputs, total: Key, made: PublishedTables, ours: tuple[PublishedTable, PublishedTable | None]
) -> PublishedTables:
    """`made` of a year as reported; suppressed if leaving it unchanged would leave too few possible values."""
    if not made or any(one.known == given.release for one in made.values()):
        return made
    whole, offence = ours
    printed, key, cell = (whole, total, TOTAL) if whole.status == "printed" else (offence, total._replace(table=OFFENCE), TRAFFICKING)
    before = {value for prints in given.history if key in prints and (value := prints[key].value(cell)) is not None}
    rules, theirs = given.programme, printed.value(cell) if printed else None
    if theirs is None or reported_may_stay(theirs, before, rules.floor(total.indicator), rules.differ_from, rules.revise_from):
        return made
    return {total: _edition(given, total, PublishedTable("not_shown", known=given.release))}


def reported(
    given: Inputs, code: str, year: str, counts: tuple[int, ...], ours: tuple[PublishedTable, PublishedTable | None]
) -> PublishedTables:
    """The two tables of a year as reported, consistent with the harmonised ones."""
    key, parts = (Key(code, REPORTED, table, year) for table in (TOTAL, OFFENCE))
    cells = given.programme.cells(parts)
    rule, least = given.programme.rule(code, cells[1:]), given.programme.differ_from
    return _pair(given, key, parts, *print_reported(rule, cells, counts, ours, least))


def _pair(given: Inputs, key: Key, parts: Key, total: PublishedTable, offence: PublishedTable | None) -> PublishedTables:
    made = {key: total} | ({parts: offence} if offence else {})
    return {name: replace(one, known=given.release) for name, one in made.items()}


def _standing(given: Inputs, fresh: PublishedTables) -> PublishedTables:
    """`fresh` if it may replace the published tables, else the published tables."""
    earlier = [{key: prints[key] for key in fresh if key in prints} for prints in given.history]
    step = given.programme.revise_from
    may = {key: all(may_replace(new, old[key], step) for old in earlier if key in old) for key, new in fresh.items()}
    if all(may.values()):
        return {key: _edition(given, key, new) for key, new in fresh.items()}
    pair = {Key(k.indicator, k.measure, table, k.period) for k in fresh for table in (TOTAL, OFFENCE)}
    kept = {key: old for key, old in given.before.items() if key in pair}
    total = next(key for key in pair if key.table == TOTAL)
    if may[total] and _goes_ahead(given, total, fresh, kept):
        return {**kept, total: _edition(given, total, fresh[total])}
    return kept


def _goes_ahead(given: Inputs, total: Key, fresh: PublishedTables, kept: PublishedTables) -> bool:
    """Whether the year's new total is published although its parts by offence stay."""
    parts = total._replace(table=OFFENCE)
    if any(one.get(parts) is None or one[parts].status != "printed" for one in (fresh, kept)):
        return False
    floor = given.programme.floor(total.indicator)
    printed = (dict(prints[parts].cells) for prints in given.history if parts in prints)
    pairs = {(cells[TRAFFICKING], sum(cells.values()) - cells[TRAFFICKING]) for cells in printed if len(cells) > 1}
    return total_may_go_ahead(fresh[total], kept[total], sorted(pairs), floor, given.programme.revise_from)


def _edition(given: Inputs, key: Key, new: PublishedTable) -> PublishedTable:
    """`new` with the release that first published it in this form."""
    old = given.before.get(key)
    return replace(new, edition=old.edition if old and old.same(new) else given.release)


def _due(given: Inputs, code: str, year: str) -> bool:
    """Whether the year's breakdowns are due in this release."""
    total = Key(code, HARMONISED, TOTAL, year)
    months = (given.as_of.year - int(year) - 1) * 12 + given.as_of.month - 1
    after = months >= given.programme.after_months or any(total in prints for prints in given.history)
    complete = (code, year) not in given.incomplete or months >= given.programme.patience_months
    return int(year) < given.as_of.year and after and complete


def _trafficking(out: PublishedTables, code: str, year: str) -> PublishedTable | None:
    """The published part by offence of a year, if it shows trafficking separately."""
    offence = out.get(Key(code, HARMONISED, OFFENCE, year))
    return offence if offence and offence.value(TRAFFICKING) is not None else None


def pools(given: Inputs, code: str, window: str, out: PublishedTables) -> bool:
    """Whether a window is pooled: its first year's trafficking is suppressed or small, and no year of it was broken down yet."""
    years = [y for y in years_of(window) if Key(code, HARMONISED, TOTAL, y) in out]
    if any(Key(code, HARMONISED, table, year) in given.before for year in years for table in given.programme.indicators[code].tables):
        return False
    first = _trafficking(out, code, years[0]) if years else None
    return first is None or (first.value(TRAFFICKING) or 0) < given.programme.pool_below


def wanted(given: Inputs, code: str, out: PublishedTables) -> list[Key]:
    """The breakdowns of an indicator in the programme up to the day of the release."""
    years = sorted(key.period for key in given.now if key.indicator == code and key.table == TOTAL)
    due = [year for year in years if _due(given, code, year)]
    keys = []
    for window in sorted({given.programme.window(int(year)) for year in due}):
        by_year, by_window = given.programme.indicators[code].of_period(pooled=pools(given, code, window, out))
        keys += [Key(code, HARMONISED, table, year) for year in years_of(window) if year in due for table in by_year]
        keys += [Key(code, HARMONISED, table, window) for table in by_window if set(years_of(window)) <= set(due)]
    return keys


def _breakdowns(given: Inputs, code: str, out: PublishedTables) -> PublishedTables:
    """The breakdowns due in this release; those of windows last, since sex × age depends on the others."""
    made: PublishedTables = {}
    for key in sorted(wanted(given, code, out), key=lambda k: (k.table == CROSSED, k)):
        if key in given.before or undoes(key, given.before):
            continue
        if not all(_trafficking(out, code, year) for year in years_of(key.period)):
            continue
        if "/" in key.period:
            made[key] = replace(_pooled(given, key, _with_earlier(given, {**out, **made})), edition=given.release)
        elif (total := _trafficking(out, code, key.period)) and (counts := given.exact[total.known].get(key)):
            cells = given.programme.cells(key)
            new = print_table(given.programme.rule(code, cells, key), cells, counts)
            made[key] = replace(new, edition=given.release, known=total.known)
    return made


def undoes(key: Key, before: PublishedTables) -> Key | None:
    """A window, or a year of one, of the same table published before, whose difference from `key` would disclose what neither does."""
    own = set(years_of(key.period))
    same = (k for k in before if k[:3] == key[:3] and k != key and "/" in k.period + key.period)
    return next((k for k in same if own & set(years_of(k.period))), None)


def overlapping(given: Inputs, out: PublishedTables) -> dict[Key, Key]:
    """Tables of the programme that are not published since they would undo an earlier release, each with the table in question."""
    due = [key for code in given.programme.indicators for key in wanted(given, code, out)]
    return {key: other for key in due if key not in given.before and (other := undoes(key, given.before))}


def _pooled(given: Inputs, key: Key, out: PublishedTables) -> PublishedTable:
    """A table over a window, of the records that its years' published figures count."""
    counts, known = counts_behind(given, key, out)
    if counts is None:
        return PublishedTable("not_broken_down", known=given.release)
    if key.table == CROSSED:
        return replace(_crossed(given, key, counts, out), known=known)
    cells = given.programme.cells(key)
    return replace(print_table(given.programme.rule(key.indicator, cells, key), cells, counts), known=known)


def counts_behind(given: Inputs, key: Key, out: PublishedTables) -> tuple[tuple[int, ...] | None, str]:
    """The exact counts of a published table, and the (newest) release whose records they count.

    out: all published tables. A window sums its years, each as counted by its breakdowns or else by its total.
    """
    if "/" not in key.period:
        return given.exact[out[key].known].get(key), out[key].known
    used = {year: counted_as(given, key.indicator, year, out) for year in years_of(key.period)}
    tables = [given.exact[known].get(key._replace(period=year)) for year, known in used.items()]
    if any(table is None for table in tables):
        return None, given.release
    return tuple(sum(values) for values in zip(*(t for t in tables if t), strict=True)), max(used.values())


def when_printed(given: Inputs, key: Key, out: PublishedTables) -> PublishedTables:
    """All tables published together with a table: a window counts its years as known then. out: of the newest release."""
    return next((old for old in given.history if "/" in key.period and key in old), out)


def counted_as(given: Inputs, code: str, year: str, out: PublishedTables) -> str:
    """The release whose records the year's breakdowns count; if there are none, its part by offence, or else its total."""
    yearly = (out.get(Key(code, HARMONISED, table, year)) for table in (*given.programme.indicators[code].tables, OFFENCE, TOTAL))
    return next((made.known for made in yearly if made), given.release)


def _crossed(given: Inputs, key: Key, counts: tuple[int, ...], out: PublishedTables) -> PublishedTable:
    """Sex × age over a window, if the tables by sex and by age of all its years, or its own, publish every category separately."""
    years = crossed_margins(given.programme, key, out)
    threshold, known = given.programme.groups[given.programme.indicators[key.indicator].group]
    return crossed(given.programme.cells(key), counts, crossed_least(threshold, known, years) if years else None)


def crossed_margins(programme: Programme, key: Key, out: PublishedTables) -> list[Margins] | None:
    """The published margins (by sex and by age) of sex × age: one entry if the window has its own tables, else one per year."""
    own = key._replace(table=_SIDES[0]) in out
    years = []
    for period in (key.period,) if own else years_of(key.period):
        sexes, ages = (_everybody(programme, key._replace(table=table, period=period), out) for table in _SIDES)
        if not sexes or not ages:
            return None
        years.append((sexes, ages))
    return years


def _everybody(programme: Programme, key: Key, out: PublishedTables) -> tuple[int, int] | None:
    """The published figures of a table of two categories, if each is published separately and nobody is unknown."""
    printed = dict(out[key].cells) if key in out else {}
    named = [cell for cell in programme.cells(key) if cell != UNKNOWN]
    if len(named) != 2 or printed.keys() != set(programme.cells(key)) or printed.get(UNKNOWN):
        return None
    return printed[named[0]], printed[named[1]]
