"""Counts events into the rows of `statistics.csv`, for the years, quarters and combinations of dimensions that counting-rules.md asks
for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product

from sources.simulator.codes import AGE_GROUPS, CITIZENSHIP_GROUPS, FORMS, GROUPS, SEXES
from sources.simulator.happened import CASE_INDICATORS, Event, keep_most_serious_offence_per_period
from sources.simulator.periods import find_quarter_of_day

DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")
VALUES: dict[str, tuple[str, ...]] = {
    "offence_group": GROUPS,
    "form": FORMS,
    "sex": SEXES,
    "age_group": AGE_GROUPS,
    "citizenship_group": CITIZENSHIP_GROUPS,
}
ONE_WAY = tuple((name,) for name in DIMENSIONS)
CROSSED = (
    ("form", "sex", "age_group"),
    ("offence_group", "form"),
    ("offence_group", "sex"),
    ("offence_group", "age_group"),
    ("offence_group", "citizenship_group"),
    ("offence_group", "sex", "age_group"),
)
OF_CASES = {"offence_group", "form"}
SOURCES_OF = {
    "cases_registered": ("police", "inspectorate"),
    "cases_referred": ("police", "inspectorate"),
    "suspects_registered": ("police", "inspectorate"),
    "persons_arrested": ("police",),
    "victims_identified": ("police",),
    "cases_received_prosecution": ("prosecution",),
    "persons_reported": ("prosecution",),
    "cases_dismissed": ("prosecution",),
    "persons_indicted": ("prosecution",),
    "cases_received_court": ("courts",),
    "persons_convicted": ("courts",),
    "persons_acquitted": ("courts",),
    "persons_convicted_final": ("courts",),
    "persons_admitted_sentence": ("corrections",),
    "persons_detained": ("corrections",),
}

Cell = tuple[str, ...]  # a value for each of DIMENSIONS; `total` if the row is not broken down by it


def _group_events_by_period(events: Iterable[Event]) -> dict[tuple[str, str], list[Event]]:
    """Return the events by indicator and period. Each event is in its year and in its quarter."""
    periods: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        periods[event.indicator, str(event.day.year)].append(event)
        periods[event.indicator, find_quarter_of_day(event.day)].append(event)
    return periods


def _count_events_by_cell(events: Iterable[Event], combinations: Iterable[tuple[str, ...]]) -> Counter[Cell]:
    """Count the events by cell, for each of the combinations of dimensions. In a cell, a dimension that is not in the combination has the
    value `total`."""
    counts: Counter[Cell] = Counter()
    for event in events:
        values = (event.group, event.form, event.sex or "", event.age_group or "", event.citizenship_group or "")
        for names in combinations:
            counts[tuple(value if name in names else "total" for name, value in zip(DIMENSIONS, values, strict=True))] += 1
    return counts


def build_statistics_rows(
    reported: list[Event],
    harmonised: list[Event],
    periods: list[str],
    missing: set[tuple[str, str]],
    sources: Mapping[str, tuple[str, ...]] = SOURCES_OF,
    repeated: Collection[str] = (),
) -> Iterator[list[str | int]]:
    """Yield the rows of `statistics.csv`. `periods`: the quarters. `missing`: the institutions and quarters for which no delivery came.

    `sources`: the institutions that each indicator counts. `repeated`: indicators for which a record with several events in a period counts
    only once as reported.

    Grand totals, and breakdowns by a single dimension, have a row even if the figure is 0. Combinations of dimensions only have a row if it
    is not 0. If the deliveries of all institutions of an indicator are missing for a period, its figures are empty and not 0.
    """
    years = sorted({period[:4] for period in periods})
    as_reported, true = _group_events_by_period(reported), _group_events_by_period(harmonised)
    for indicator in sources:
        fits = [names for names in ((), *ONE_WAY, *CROSSED) if indicator not in CASE_INDICATORS or set(names) <= OF_CASES]
        for period in [*years, *periods]:
            within = [quarter_ for quarter_ in periods if quarter_.startswith(period)]
            silent = all((institution, each) in missing for institution in sources[indicator] for each in within)
            events = as_reported[indicator, period]
            left = _count_events_by_cell(keep_most_serious_offence_per_period(events) if indicator in repeated else events, fits)
            right = _count_events_by_cell(keep_most_serious_offence_per_period(true[indicator, period]), fits)
            for names in fits:
                for values in product(*(VALUES[name] for name in names)):
                    chosen = dict(zip(names, values, strict=True))
                    cell = tuple(chosen.get(name, "total") for name in DIMENSIONS)
                    if len(names) < 2 or left[cell] or right[cell]:
                        yield [indicator, period, *cell, *(("", "") if silent else (left[cell], right[cell]))]
