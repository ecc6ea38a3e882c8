"""Make the tables of a release from exact figures and from the tables of earlier releases.

Belongs here: which tables are new in a release, repeated from an earlier one, revised, or withheld. Does not belong here: merging
categories (`merging_rule`, `published_tables`), attacks (`warehouse/releases/risk_check`). The leading group is the offence group that
comes first in the domain; only its figures are broken down. Year totals are published, with the table by offence, from the first release
after the end of the year. They are revised if every difference from all earlier values is 0 or at least `revise_from`. Otherwise the
published figures stay unchanged. Only the total is revised, and the table by offence stays, if the new total reveals little enough about
the parts. Breakdowns are published once, one release later. They count the same records as the published leading group, so that they add up
to it. Windows are also published once. They count the same records as the breakdowns of their years. So no two versions of a figure differ
by 1 to 4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from warehouse.disclosure.programme import (
    HARMONISED,
    LEADING,
    OFFENCE,
    REPORTED,
    SEX_AGE,
    TOTAL,
    UNKNOWN,
    Programme,
    TableKey,
    list_years_of_window,
)
from warehouse.disclosure.published_tables import (
    Margins,
    PublishedTable,
    can_leave_reported_figure_unchanged,
    can_revise_total_without_its_parts,
    find_minimum_count_of_sex_age_table,
    is_safe_revision_of_table,
    publish_breakdown,
    publish_table_by_sex_and_age,
    publish_year_as_reported,
    publish_year_by_offence,
)

ExactCounts = Mapping[TableKey, tuple[int, ...] | None]
"""For every table of every year, harmonised and as reported: its counts in the order of `Programme.cells`, or None if nothing was
delivered."""
PublishedTables = dict[TableKey, PublishedTable]
_MARGIN_TABLES = ("sex", "age_group")


@dataclass(frozen=True)
class ReleaseInputs:
    """The inputs of a release.

    exact       for each release, including the new one: the exact figures as known on the day of the release
    history     the published tables of each earlier release, oldest first
    incomplete  the pairs (indicator, year) for which a delivery is missing
    """

    programme: Programme
    release: str
    as_of: date
    exact: Mapping[str, ExactCounts]
    history: Sequence[PublishedTables] = ()
    incomplete: Collection[tuple[str, str]] = ()

    @property
    def previous_tables(self) -> PublishedTables:
        """The tables of the last release."""
        return self.history[-1] if self.history else {}

    @property
    def current_counts(self) -> ExactCounts:
        """The figures as known on the day of the release."""
        return self.exact[self.release]


def make_tables_of_release(inputs: ReleaseInputs) -> PublishedTables:
    """Return all tables of the release: the tables of earlier releases that are still valid, and the new tables."""
    tables: PublishedTables = {}
    for indicator in inputs.programme.indicators:
        for year in _list_counted_years(inputs, indicator):
            if int(year) < inputs.as_of.year:
                tables |= _publish_year_totals(inputs, indicator, year)
        tables |= _publish_breakdowns(inputs, indicator, tables)
    return _add_previous_tables(inputs, tables)


def _list_counted_years(inputs: ReleaseInputs, indicator: str) -> list[str]:
    return sorted({key.period for key in inputs.current_counts if key.indicator == indicator and key.table == TOTAL})


def _add_previous_tables(inputs: ReleaseInputs, tables: PublishedTables) -> PublishedTables:
    """Add the tables of the last release that `tables` does not replace: breakdowns, and tables of years that are no longer counted."""
    replaced = {(key.indicator, key.period) for key in tables if key.table == TOTAL}
    still_valid = {
        key: old
        for key, old in inputs.previous_tables.items()
        if key.table not in (TOTAL, OFFENCE) or (key.indicator, key.period) not in replaced
    }
    return {**still_valid, **tables}


def _publish_year_totals(inputs: ReleaseInputs, indicator: str, year: str) -> PublishedTables:
    """Return the total and the table by offence of a year: first the harmonised tables, then the tables as reported."""
    programme = inputs.programme
    total_key, offence_key = (TableKey(indicator, HARMONISED, table, year) for table in (TOTAL, OFFENCE))
    counts = inputs.current_counts.get(offence_key)
    if counts is None:
        return _revise_or_keep_year_tables(inputs, {total_key: PublishedTable("no_delivery", source_release=inputs.release)})
    cells = programme.cells(offence_key)
    rule = programme.merging_rule(indicator, cells[1:], offence_key)
    total, offences = publish_year_by_offence(rule, cells, counts, programme.external_bounds(total_key).get(TOTAL))
    harmonised = _revise_or_keep_year_tables(inputs, _publish_year_tables(inputs, total_key, total, offences))
    if total_key not in harmonised or (offence_key not in harmonised and harmonised[total_key].status != "published"):
        return harmonised
    pair = harmonised[total_key], harmonised.get(offence_key)
    reported_counts = inputs.current_counts[offence_key._replace(measure=REPORTED)] or ()
    reported = _revise_or_keep_year_tables(inputs, publish_reported_tables(inputs, indicator, year, reported_counts, pair))
    return {**harmonised, **_keep_reported_tables_if_safe(inputs, total_key._replace(measure=REPORTED), reported, pair)}


def _keep_reported_tables_if_safe(
    inputs: ReleaseInputs, total_key: TableKey, reported: PublishedTables, harmonised: tuple[PublishedTable, PublishedTable | None]
) -> PublishedTables:
    """Return the tables of a year as reported. If they repeat the last release, and this would leave too few possible values for a new
    figure, suppress them."""
    if not reported or any(table.source_release == inputs.release for table in reported.values()):
        return reported
    total, offences = harmonised
    if total.status == "published":
        table, key, cell = total, total_key, TOTAL
    elif offences:
        table, key, cell = offences, total_key._replace(table=OFFENCE), LEADING
    else:
        return reported
    earlier = {value for tables in inputs.history if key in tables and (value := tables[key].value(cell)) is not None}
    programme, harmonised_value = inputs.programme, table.value(cell)
    minimum = programme.minimum_total(total_key.indicator)
    if harmonised_value is None or can_leave_reported_figure_unchanged(
        harmonised_value, earlier, minimum, programme.differ_from, programme.revise_from
    ):
        return reported
    return {total_key: _add_first_release_to_table(inputs, total_key, PublishedTable("not_shown", source_release=inputs.release))}


def publish_reported_tables(
    inputs: ReleaseInputs,
    indicator: str,
    year: str,
    counts: tuple[int, ...],
    harmonised: tuple[PublishedTable, PublishedTable | None],
) -> PublishedTables:
    """Return the total and the table by offence of a year as reported, consistent with the same two harmonised tables `harmonised`."""
    total_key, offence_key = (TableKey(indicator, REPORTED, table, year) for table in (TOTAL, OFFENCE))
    cells = inputs.programme.cells(offence_key)
    rule = inputs.programme.merging_rule(indicator, cells[1:])
    total, offences = publish_year_as_reported(rule, cells, counts, harmonised, inputs.programme.differ_from)
    return _publish_year_tables(inputs, total_key, total, offences)


def _publish_year_tables(
    inputs: ReleaseInputs, total_key: TableKey, total: PublishedTable, offences: PublishedTable | None
) -> PublishedTables:
    tables = {total_key: total} | ({total_key._replace(table=OFFENCE): offences} if offences else {})
    return {key: replace(table, source_release=inputs.release) for key, table in tables.items()}


def _revise_or_keep_year_tables(inputs: ReleaseInputs, new_tables: PublishedTables) -> PublishedTables:
    """Return `new_tables` of a year if they may replace the published tables; otherwise return the published tables, perhaps with the new
    total."""
    earlier = [{key: tables[key] for key in new_tables if key in tables} for tables in inputs.history]
    min_difference = inputs.programme.revise_from
    is_safe = {
        key: all(is_safe_revision_of_table(new, old[key], min_difference) for old in earlier if key in old)
        for key, new in new_tables.items()
    }
    if all(is_safe.values()):
        return {key: _add_first_release_to_table(inputs, key, new) for key, new in new_tables.items()}
    year_keys = {key._replace(table=table) for key in new_tables for table in (TOTAL, OFFENCE)}
    kept = {key: old for key, old in inputs.previous_tables.items() if key in year_keys}
    total_key = next(key for key in year_keys if key.table == TOTAL)
    if is_safe[total_key] and _is_total_revised_without_its_parts(inputs, total_key, new_tables, kept):
        return {**kept, total_key: _add_first_release_to_table(inputs, total_key, new_tables[total_key])}
    return kept


def _is_total_revised_without_its_parts(
    inputs: ReleaseInputs, total_key: TableKey, new_tables: PublishedTables, kept: PublishedTables
) -> bool:
    """Return whether the year's new total is published although its parts by offence stay."""
    offence_key = total_key._replace(table=OFFENCE)
    if any(tables.get(offence_key) is None or tables[offence_key].status != "published" for tables in (new_tables, kept)):
        return False
    published = (dict(tables[offence_key].cells) for tables in inputs.history if offence_key in tables)
    pairs = {(cells[LEADING], sum(cells.values()) - cells[LEADING]) for cells in published if len(cells) > 1}
    minimum, min_difference = inputs.programme.minimum_total(total_key.indicator), inputs.programme.revise_from
    return can_revise_total_without_its_parts(new_tables[total_key], kept[total_key], sorted(pairs), minimum, min_difference)


def _add_first_release_to_table(inputs: ReleaseInputs, key: TableKey, new: PublishedTable) -> PublishedTable:
    """Return the table `new` with the release that first published it in this form."""
    old = inputs.previous_tables.get(key)
    return replace(new, first_release=old.first_release if old and old.has_same_content(new) else inputs.release)


def _are_breakdowns_of_year_due(inputs: ReleaseInputs, indicator: str, year: str) -> bool:
    """Return whether the year's breakdowns are due in this release."""
    total_key = TableKey(indicator, HARMONISED, TOTAL, year)
    months = (inputs.as_of.year - int(year) - 1) * 12 + inputs.as_of.month - 1
    total_is_public = months >= inputs.programme.after_months or any(total_key in tables for tables in inputs.history)
    is_complete = (indicator, year) not in inputs.incomplete or months >= inputs.programme.patience_months
    return int(year) < inputs.as_of.year and total_is_public and is_complete


def _find_offence_table_showing_leading_group(tables: PublishedTables, indicator: str, year: str) -> PublishedTable | None:
    """Return the published table by offence of a year if it shows the leading group separately, otherwise None."""
    offences = tables.get(TableKey(indicator, HARMONISED, OFFENCE, year))
    return offences if offences and offences.value(LEADING) is not None else None


def are_breakdowns_published_for_whole_window(inputs: ReleaseInputs, indicator: str, window: str, tables: PublishedTables) -> bool:
    """Return whether breakdowns are published for the whole window instead of each year. They are if the leading group in the first year of
    the window is suppressed or small, and no year of the window is broken down yet."""
    years = [year for year in list_years_of_window(window) if TableKey(indicator, HARMONISED, TOTAL, year) in tables]
    breakdowns = inputs.programme.indicators[indicator].tables
    if any(TableKey(indicator, HARMONISED, table, year) in inputs.previous_tables for year in years for table in breakdowns):
        return False
    first = _find_offence_table_showing_leading_group(tables, indicator, years[0]) if years else None
    return first is None or (first.value(LEADING) or 0) < inputs.programme.pool_below


def list_breakdowns_due(inputs: ReleaseInputs, indicator: str, tables: PublishedTables) -> list[TableKey]:
    """Return the breakdowns of an indicator that may be published by the day of the release, according to the programme."""
    due = [year for year in _list_counted_years(inputs, indicator) if _are_breakdowns_of_year_due(inputs, indicator, year)]
    keys = []
    for window in sorted({inputs.programme.window_of(int(year)) for year in due}):
        pooled = are_breakdowns_published_for_whole_window(inputs, indicator, window, tables)
        by_year, by_window = inputs.programme.indicators[indicator].tables_by_period(pooled=pooled)
        keys += [TableKey(indicator, HARMONISED, table, year) for year in list_years_of_window(window) if year in due for table in by_year]
        keys += [TableKey(indicator, HARMONISED, table, window) for table in by_window if set(list_years_of_window(window)) <= set(due)]
    return keys


def _publish_breakdowns(inputs: ReleaseInputs, indicator: str, tables: PublishedTables) -> PublishedTables:
    """Return the breakdowns that this release publishes first. Tables of sex × age are made last, since they depend on the tables by sex
    and by age."""
    new: PublishedTables = {}
    for key in sorted(list_breakdowns_due(inputs, indicator, tables), key=lambda k: (k.table == SEX_AGE, k)):
        if key in inputs.previous_tables or find_overlapping_table(key, inputs.previous_tables):
            continue
        if not all(_find_offence_table_showing_leading_group(tables, indicator, year) for year in list_years_of_window(key.period)):
            continue
        if "/" in key.period:
            pooled = _publish_window_table(inputs, key, _add_previous_tables(inputs, {**tables, **new}))
            new[key] = replace(pooled, first_release=inputs.release)
        elif (offences := _find_offence_table_showing_leading_group(tables, indicator, key.period)) and (
            counts := inputs.exact[offences.source_release].get(key)
        ):
            cells = inputs.programme.cells(key)
            table = publish_breakdown(inputs.programme.merging_rule(indicator, cells, key), cells, counts)
            new[key] = replace(table, first_release=inputs.release, source_release=offences.source_release)
    return new


def find_overlapping_table(key: TableKey, published: PublishedTables) -> TableKey | None:
    """Return a published table that overlaps the table `key` (a window overlaps its years), if the difference between the two would
    disclose something that neither discloses alone. Return None if there is no such table."""
    years = set(list_years_of_window(key.period))
    same_table = (k for k in published if k[:3] == key[:3] and k != key and "/" in k.period + key.period)
    return next((k for k in same_table if years & set(list_years_of_window(k.period))), None)


def find_tables_withheld_for_overlap(inputs: ReleaseInputs, tables: PublishedTables) -> dict[TableKey, TableKey]:
    """Return the tables of the programme that are not published because they overlap a table of an earlier release. Each is returned with
    that earlier table."""
    due = [key for indicator in inputs.programme.indicators for key in list_breakdowns_due(inputs, indicator, tables)]
    return {
        key: earlier
        for key in due
        if key not in inputs.previous_tables and (earlier := find_overlapping_table(key, inputs.previous_tables))
    }


def _publish_window_table(inputs: ReleaseInputs, key: TableKey, tables: PublishedTables) -> PublishedTable:
    """Return the table of a window. It counts the same records as the published figures of the years in the window."""
    counts, newest_source = find_exact_counts_of_table(inputs, key, tables)
    if counts is None:
        return PublishedTable("not_broken_down", source_release=inputs.release)
    cells = inputs.programme.cells(key)
    if key.table == SEX_AGE:
        # It is published only if the tables by sex and by age (of the window, or of all its years) publish every category separately.
        margins = find_tables_by_sex_and_by_age(inputs.programme, key, tables)
        minimum_count = find_minimum_count_of_sex_age_table(*inputs.programme.protection(key.indicator), margins) if margins else None
        table = publish_table_by_sex_and_age(cells, counts, minimum_count)
    else:
        table = publish_breakdown(inputs.programme.merging_rule(key.indicator, cells, key), cells, counts)
    return replace(table, source_release=newest_source)


def find_exact_counts_of_table(inputs: ReleaseInputs, key: TableKey, tables: PublishedTables) -> tuple[tuple[int, ...] | None, str]:
    """Return the exact counts of a published table, and the release whose records they count. If these are several releases, return the
    newest of them.

    tables: all published tables. The counts of a window are the sums over its years. The records of a year are those that the breakdowns of
    the year count or, if it has none, those that its table by offence or its total counts.
    """
    if "/" not in key.period:
        return inputs.exact[tables[key].source_release].get(key), tables[key].source_release
    sources = {
        year: find_release_counted_by_breakdowns_of_year(inputs, key.indicator, year, tables) for year in list_years_of_window(key.period)
    }
    yearly = [inputs.exact[release].get(key._replace(period=year)) for year, release in sources.items()]
    if any(counts is None for counts in yearly):
        return None, inputs.release
    return tuple(sum(values) for values in zip(*(counts for counts in yearly if counts), strict=True)), max(sources.values())


def find_tables_first_published_with(inputs: ReleaseInputs, key: TableKey, tables: PublishedTables) -> PublishedTables:
    """Return all tables of the release that first published the table `key`. They are needed because a window counts its years as they were
    known in that release. tables: the tables of the newest release."""
    return next((old for old in inputs.history if "/" in key.period and key in old), tables)


def find_release_counted_by_breakdowns_of_year(inputs: ReleaseInputs, indicator: str, year: str, tables: PublishedTables) -> str:
    """Return the release whose records the breakdowns of a year count. If the year has no breakdowns, return the release whose records its
    table by offence counts, or else its total."""
    names = (*inputs.programme.indicators[indicator].tables, OFFENCE, TOTAL)
    yearly = (tables.get(TableKey(indicator, HARMONISED, table, year)) for table in names)
    return next((table.source_release for table in yearly if table), inputs.release)


def find_tables_by_sex_and_by_age(programme: Programme, key: TableKey, tables: PublishedTables) -> list[Margins] | None:
    """Return the published tables by sex and by age that belong to a table sex × age: one pair if the window has its own tables, otherwise
    one pair for each year."""
    window_has_margins = key._replace(table=_MARGIN_TABLES[0]) in tables
    yearly = []
    for period in (key.period,) if window_has_margins else list_years_of_window(key.period):
        sexes, ages = (_find_both_figures_of_table(programme, key._replace(table=table, period=period), tables) for table in _MARGIN_TABLES)
        if not sexes or not ages:
            return None
        yearly.append((sexes, ages))
    return yearly


def _find_both_figures_of_table(programme: Programme, key: TableKey, tables: PublishedTables) -> tuple[int, int] | None:
    """Return the two published figures of a table of two categories, if both are published separately and no person is in the category "not
    known". Otherwise return None."""
    published = dict(tables[key].cells) if key in tables else {}
    categories = [cell for cell in programme.cells(key) if cell != UNKNOWN]
    if len(categories) != 2 or published.keys() != set(programme.cells(key)) or published.get(UNKNOWN):
        return None
    return published[categories[0]], published[categories[1]]
