"""The disclosure-risk test that every release must pass before it is written.

Belongs here: assembling the intruder's knowledge, and refusing a release that discloses something. Does not belong here: attacks
(`warehouse/attackers`), protection (`warehouse/disclosure`), which is safe without this test: no published figure depends on it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.errors import HarmoniaError
from warehouse.attackers import enumeration, integer_programme
from warehouse.attackers.known import Knowledge, Learnt, Table
from warehouse.count import causes
from warehouse.disclosure.merging_rule import separate_causes
from warehouse.disclosure.programme import HARMONISED, OFFENCE, REPORTED, SEX_AGE, TOTAL, TableKey
from warehouse.disclosure.protect import (
    PublishedTables,
    ReleaseInputs,
    as_reported_tables,
    exact_counts,
    sex_age_margins,
    tables_published_with,
)
from warehouse.disclosure.published_tables import publish_sex_age, sex_age_minimum_count, year_form_numbers
from warehouse.releases import cube
from warehouse.releases.exact import BRIDGE

Truth = dict[Table, dict[str, int]]


@dataclass(frozen=True)
class Published:
    """The content of all releases, the new one last: tables, and the rows of its bridge."""

    given: ReleaseInputs
    prints: PublishedTables
    bridge: pd.DataFrame

    @property
    def releases(self) -> list[PublishedTables]:
        """The tables of every release."""
        return [*self.given.history, self.prints]


def check(published: Published) -> None:
    """Raise `HarmoniaError` if the new release discloses something that earlier ones do not."""
    learnt = attacked(published)
    if learnt:
        first = learnt[0]
        raise HarmoniaError(
            f"release {published.given.release} is refused: {name_of(TableKey(*first.table))} would disclose a cell under the threshold "
            f"({first.attack}). Wait for more records; or have the coordinator sign a programme without that table, or without the figures "
            "of others that disclose it (public_already)"
        )


def attacked(published: Published) -> list[Learnt]:
    """What enumeration and integer programme infer from the release and all earlier ones, but not from the earlier ones only."""
    given, prints = published.given, published.prints
    new = frozenset(Table(*key) for key, made in prints.items() if made.first_release == given.release)
    truth, indicators = truths(given, prints), sorted({table.indicator for table in new})
    knowledge = known(published)
    learnt = integer_programme.attack(knowledge, truth, indicators)
    old = frozenset(one.table for one in learnt) - new
    if old:
        before = known(Published(given, given.history[-1], published.bridge), given.history)
        already = {one[:2] for one in integer_programme.attack(before, truth, indicators, old)}
        learnt = [one for one in learnt if one[:2] not in already]
    return enumeration.attack(knowledge, truth, new) + enumeration.attack_bridge(knowledge, truth, given.release) + learnt


def known(published: Published, releases: Sequence[PublishedTables] | None = None) -> Knowledge:
    """The knowledge of an outsider who read all releases, the policy and the code."""
    given, programme = published.given, published.given.programme
    releases = published.releases if releases is None else releases
    groups = {code: programme.groups[said.group] for code, said in programme.indicators.items()}

    def alike(table: Table, cells: tuple[str, ...], tables: np.ndarray) -> np.ndarray:
        key = TableKey(*table)
        if key.table == BRIDGE:
            return np.asarray(separate_causes(tables, programme.minimum_total(key.indicator)) @ (1 << np.arange(len(cells))))
        if key.measure == REPORTED:
            then = next(prints for prints in releases if key in prints and prints[key].source_release == releases[-1][key].source_release)
            total, offence = (then.get(key._replace(measure=HARMONISED, table=t)) for t in (TOTAL, OFFENCE))
            assert total, f"{name_of(key)} as reported needs the harmonised total"
            made = (as_reported_tables(given, key.indicator, key.period, tuple(row), (total, offence)) for row in tables.tolist())
            return _numbered(tuple((k.table, one.status, one.cells) for k, one in both.items()) for both in made)
        if key.table == OFFENCE:
            said = programme.external_bounds(key._replace(table=TOTAL)).get(TOTAL)
            return year_form_numbers(programme.merging_rule(key.indicator, cells[1:], key), tables, said)
        if key.table == SEX_AGE:
            years = sex_age_margins(programme, key, releases[-1])
            least = sex_age_minimum_count(*groups[key.indicator], years) if years else None
            return _numbered(publish_sex_age(cells, tuple(row), least).status for row in tables.tolist())
        return programme.merging_rule(key.indicator, cells, key).partition_numbers(tables)

    return Knowledge(
        cubes=[cube.rows(prints, {}, set()) for prints in releases],
        bridge=published.bridge,
        categories=lambda table: tuple(causes()) if table.table == BRIDGE else programme.cells(TableKey(*table)),
        threshold={code: threshold for code, (threshold, _) in groups.items()},
        persons={code: persons for code, (_, persons) in groups.items()},
        alike=alike,
        already=programme.public_already,
        step=programme.revise_from,
    )


def _numbered(values: Iterable[Hashable]) -> np.ndarray:
    """A number for each value, equal for equal values."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values])


def truths(given: ReleaseInputs, prints: PublishedTables) -> Truth:
    """The exact counts of every published table, by category, and of the bridge to every published harmonised total."""
    out = {}
    for key, made in prints.items():
        counts, _ = exact_counts(given, key, tables_published_with(given, key, prints))
        if counts is not None:
            out[Table(*key)] = dict(zip(given.programme.cells(key), counts, strict=True))
        bridge = TableKey(key.indicator, BRIDGE, BRIDGE, key.period)
        if (key.table, key.measure) == (TOTAL, HARMONISED) and (steps := given.exact.get(made.source_release, {}).get(bridge)):
            out[Table(*bridge)] = dict(zip(causes(), steps, strict=True))
    return out


def name_of(key: TableKey) -> str:
    """A table's name for messages."""
    return f"{key.indicator} {key.period}" + (f" by {key.table}" if key.table != TOTAL else "")
