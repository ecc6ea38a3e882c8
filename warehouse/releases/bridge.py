"""Make the public part of the bridge. It explains, by cause, why the harmonised total of a year differs from the total as reported.

Belongs here: for which years causes are published, and their rows. Does not belong here: counting causes (`models/figures`), which
causes are merged (`warehouse/disclosure/merging_rule`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from warehouse.count import meanings_of_bridge_causes
from warehouse.disclosure.merging_rule import select_separately_published_causes
from warehouse.disclosure.programme import HARMONISED, MERGE_SEPARATOR, OFFENCE, REPORTED, TOTAL, Programme, TableKey
from warehouse.disclosure.protect import ExactCounts, PublishedTables
from warehouse.releases.cube import BRIDGE_SCHEMA, MERGED, SHOWN
from warehouse.releases.exact import BRIDGE


def make_rows_of_published_bridge(
    programme: Programme, tables: PublishedTables, exact: Mapping[str, ExactCounts], previous: pd.DataFrame, release: str
) -> pd.DataFrame:
    """Return the rows of the published bridge (columns: `cube.BRIDGE_SCHEMA`). Each year has one row for each cause that is published
    separately, and one row for all other causes together. The rows of a year are published once, with the year's breakdowns or, if there
    are none, as soon as a release repeats its total.

    previous: the rows of the last release, which are repeated. A year is included if its harmonised total and its total as reported are
    both published and count the records of the same release.
    """
    published = set(zip(previous["indicator"], previous["period"], strict=True))
    rows = []
    for key, total in sorted(tables.items()):
        reported = tables.get(key._replace(measure=REPORTED))
        if key.table != TOTAL or key.measure != HARMONISED or (key.indicator, key.period) in published or not reported:
            continue
        counts = exact.get(total.source_release, {}).get(TableKey(key.indicator, BRIDGE, BRIDGE, key.period))
        is_repeated_total = total.first_release != release or total.source_release != release
        is_due = is_repeated_total or _has_new_breakdowns(tables, key, release)
        both_published = total.status == reported.status == "published"
        if counts is not None and is_due and both_published and reported.source_release == total.source_release:
            lines = make_lines_of_published_causes(programme, key.indicator, counts)
            rows += [(key.indicator, key.period, *line, release, total.source_release) for line in lines]
    new = pd.DataFrame(rows, columns=BRIDGE_SCHEMA.names).astype({"n": "Int64"})
    return pd.concat([previous.astype({"n": "Int64"}), new], ignore_index=True) if len(previous) else new


def _has_new_breakdowns(tables: PublishedTables, key: TableKey, release: str) -> bool:
    """Return whether breakdowns of that year are new in this release."""
    return any(
        k.indicator == key.indicator and k.period == key.period and table.first_release == release and k.table not in (TOTAL, OFFENCE)
        for k, table in tables.items()
    )


def make_lines_of_published_causes(programme: Programme, indicator: str, counts: tuple[int, ...]) -> list[tuple[str, int | None, str]]:
    """Return the lines of a bridge, each as a tuple (causes, number of records, status). First come the separately published causes,
    largest first, then one line for all other causes together."""
    is_separate = select_separately_published_causes(np.array([counts]), programme.minimum_total(indicator))[0]
    by_cause = list(zip(counts, meanings_of_bridge_causes(), is_separate, strict=True))
    separate = sorted(((n, cause) for n, cause, alone in by_cause if alone), key=lambda line: (-abs(line[0]), line[1]))
    merged = MERGE_SEPARATOR.join(sorted(cause for _, cause, alone in by_cause if not alone))
    if not separate:
        return [(merged, None, "not_broken_down")]
    return [*((cause, n, SHOWN) for n, cause in separate), (merged, sum(n for n, _, alone in by_cause if not alone), MERGED)]
