"""The disclosure-risk test that every release must pass before it is written.

Belongs here: assembling the intruder's knowledge, and refusing a release that discloses something. Does not belong here: attacks
(`warehouse/disclosure_risk`), protection (`warehouse/disclosure`). The protection is safe without this test, and no published figure
depends on the test.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harmonia.errors import HarmoniaError
from warehouse.count import meanings_of_bridge_causes
from warehouse.disclosure.merging_rule import select_separately_published_causes
from warehouse.disclosure.programme import HARMONISED, LEADING, OFFENCE, REPORTED, SEX_AGE, TOTAL, TableKey
from warehouse.disclosure.protect import (
    PublishedTables,
    ReleaseInputs,
    find_exact_counts_of_table,
    find_tables_by_sex_and_by_age,
    find_tables_first_published_with,
    publish_reported_tables,
)
from warehouse.disclosure.published_tables import (
    find_minimum_count_of_sex_age_table,
    number_tables_by_published_form,
    publish_table_by_sex_and_age,
)
from warehouse.disclosure_risk import enumeration, integer_programme
from warehouse.disclosure_risk.intruder import Disclosure, IntruderKnowledge, ObservedTableName
from warehouse.releases import cube
from warehouse.releases.exact import BRIDGE


@dataclass(frozen=True)
class ReleasesToCheck:
    """The content of all releases: the inputs of the new release (which contain the tables of all earlier releases), its tables, and the
    rows of its bridge."""

    inputs: ReleaseInputs
    tables: PublishedTables
    bridge: pd.DataFrame

    @property
    def tables_by_release(self) -> list[PublishedTables]:
        """Return the published tables of every release."""
        return [*self.inputs.history, self.tables]


def refuse_new_disclosures(published: ReleasesToCheck) -> None:
    """Raise `HarmoniaError` if the new release discloses something that earlier ones do not."""
    disclosures = find_new_disclosures(published)
    if disclosures:
        first = disclosures[0]
        table = table_title(TableKey(*first.table))
        raise HarmoniaError(
            f"release {published.inputs.release} is refused: {table} would disclose a cell under the threshold "
            f"({first.method}). Wait for more records; or have the coordinator sign a programme without that table, or without the figures "
            "of others that disclose it (public_already)"
        )


def find_new_disclosures(published: ReleasesToCheck) -> list[Disclosure]:
    """Return what the two attacks (enumeration, integer programme) infer from the new release together with all earlier releases, but not
    from the earlier releases alone."""
    inputs, tables = published.inputs, published.tables
    new_tables = frozenset(ObservedTableName(*key) for key, table in tables.items() if table.first_release == inputs.release)
    truth, indicators = collect_true_counts_of_tables(inputs, tables), sorted({name.indicator for name in new_tables})
    knowledge = collect_public_knowledge(published)
    disclosures = integer_programme.find_disclosures_by_integer_programme(knowledge, truth, indicators)
    old_tables = frozenset(d.table for d in disclosures) - new_tables
    if old_tables:
        before = collect_public_knowledge(ReleasesToCheck(inputs, inputs.history[-1], published.bridge), inputs.history)
        known_before = {
            (d.table, d.cell) for d in integer_programme.find_disclosures_by_integer_programme(before, truth, indicators, old_tables)
        }
        disclosures = [d for d in disclosures if (d.table, d.cell) not in known_before]
    return [
        *enumeration.find_disclosures_by_enumeration(knowledge, truth, new_tables),
        *enumeration.find_bridge_disclosures(knowledge, truth, inputs.release),
        *disclosures,
    ]


def collect_public_knowledge(published: ReleasesToCheck, releases: Sequence[PublishedTables] | None = None) -> IntruderKnowledge:
    """Return the knowledge of an outsider who has read all releases, the policy and the code."""
    inputs, programme = published.inputs, published.inputs.programme
    releases = published.tables_by_release if releases is None else releases
    protections = {code: programme.protection(code) for code in programme.indicators}

    def publication_numbers(name: ObservedTableName, cells: tuple[str, ...], counts: np.ndarray) -> np.ndarray:
        key = TableKey(*name)
        if key.table == BRIDGE:
            return np.asarray(
                select_separately_published_causes(counts, programme.minimum_total(key.indicator)) @ (1 << np.arange(len(cells)))
            )
        if key.measure == REPORTED:
            first = next(t for t in releases if key in t and t[key].source_release == releases[-1][key].source_release)
            total, offences = (first.get(key._replace(measure=HARMONISED, table=table)) for table in (TOTAL, OFFENCE))
            assert total, f"{table_title(key)} as reported needs the harmonised total"
            yearly = (publish_reported_tables(inputs, key.indicator, key.period, tuple(row), (total, offences)) for row in counts.tolist())
            return _number_distinct_values(tuple((k.table, table.status, table.cells) for k, table in tables.items()) for tables in yearly)
        if key.table == OFFENCE:
            total_bounds = programme.external_bounds(key._replace(table=TOTAL)).get(TOTAL)
            return number_tables_by_published_form(programme.merging_rule(key.indicator, cells[1:], key), counts, total_bounds)
        if key.table == SEX_AGE:
            margins = find_tables_by_sex_and_by_age(programme, key, releases[-1])
            minimum_count = find_minimum_count_of_sex_age_table(*protections[key.indicator], margins) if margins else None
            return _number_distinct_values(publish_table_by_sex_and_age(cells, tuple(row), minimum_count).status for row in counts.tolist())
        return programme.merging_rule(key.indicator, cells, key).grouping_numbers(counts)

    return IntruderKnowledge(
        cubes=[cube.convert_tables_to_cube(tables, {}, set()) for tables in releases],
        bridge=published.bridge,
        categories=lambda name: tuple(meanings_of_bridge_causes()) if name.table == BRIDGE else programme.cells(TableKey(*name)),
        leading=LEADING,
        threshold={code: protection.threshold for code, protection in protections.items()},
        known_persons={code: protection.known_persons for code, protection in protections.items()},
        publication_numbers=publication_numbers,
        external_statements=programme.public_already,
        min_difference=programme.revise_from,
    )


def _number_distinct_values(values: Iterable[Hashable]) -> np.ndarray:
    """Give each value a number; equal values get the same number."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values])


def collect_true_counts_of_tables(inputs: ReleaseInputs, tables: PublishedTables) -> dict[ObservedTableName, dict[str, int]]:
    """Return the exact counts of every published table by category, and for every published harmonised total the exact counts of its bridge
    by cause."""
    truth = {}
    for key, table in tables.items():
        counts, _ = find_exact_counts_of_table(inputs, key, find_tables_first_published_with(inputs, key, tables))
        if counts is not None:
            truth[ObservedTableName(*key)] = dict(zip(inputs.programme.cells(key), counts, strict=True))
        bridge = TableKey(key.indicator, BRIDGE, BRIDGE, key.period)
        is_harmonised_total = (key.table, key.measure) == (TOTAL, HARMONISED)
        if is_harmonised_total and (by_cause := inputs.exact.get(table.source_release, {}).get(bridge)):
            truth[ObservedTableName(*bridge)] = dict(zip(meanings_of_bridge_causes(), by_cause, strict=True))
    return truth


def table_title(key: TableKey) -> str:
    """Return the name of a table as it is written in messages."""
    return f"{key.indicator} {key.period}" + (f" by {key.table}" if key.table != TOTAL else "")
