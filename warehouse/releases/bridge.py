"""The public part of the bridge: why a year's harmonised total differs from the one reported, by cause.

Belongs here: for which years causes are published, and their rows. Does not belong here: counting causes (`models/figures`), which
causes are merged (`warehouse/disclosure/rule`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from warehouse.count import causes
from warehouse.disclosure.merging_rule import separate_causes
from warehouse.disclosure.programme import HARMONISED, MERGE_SEPARATOR, REPORTED, TOTAL, Programme, TableKey
from warehouse.disclosure.protect import ExactCounts, PublishedTables
from warehouse.releases.cube import BRIDGE, JOINT, SHOWN
from warehouse.releases.exact import BRIDGE as TABLE


def bridge_rows(
    programme: Programme, prints: PublishedTables, exact: Mapping[str, ExactCounts], before: pd.DataFrame, release: str
) -> pd.DataFrame:
    """One row per published cause and one for all others together, `cube.BRIDGE`. Published once, with the year's breakdowns.

    before: the rows of the last release, which are repeated. A year is included if its two totals are published and count the same records.
    """
    done = set(zip(before["indicator"], before["period"], strict=True))
    rows = []
    for key, total in sorted(prints.items()):
        reported = prints.get(key._replace(measure=REPORTED))
        if key.table != TOTAL or key.measure != HARMONISED or (key.indicator, key.period) in done or not reported:
            continue
        counts = exact.get(total.source_release, {}).get(TableKey(key.indicator, TABLE, TABLE, key.period))
        again = total.first_release != release or total.source_release != release  # already published by an earlier release
        if (
            counts is None
            or (not again and not _broken(prints, key, release))
            or (total.status, reported.status) != ("published", "published")
        ):
            continue
        if reported.source_release == total.source_release:
            rows += [(key.indicator, key.period, *line, release, total.source_release) for line in lines(programme, key.indicator, counts)]
    made = pd.DataFrame(rows, columns=BRIDGE.names).astype({"n": "Int64"})
    return pd.concat([before.astype({"n": "Int64"}), made], ignore_index=True) if len(before) else made


def _broken(prints: PublishedTables, key: TableKey, release: str) -> bool:
    """Whether breakdowns of that year are new in this release."""
    tables = (k for k, p in prints.items() if k.indicator == key.indicator and k.period == key.period and p.first_release == release)
    return any(k.table not in (TOTAL, "offence_group") for k in tables)


def lines(programme: Programme, indicator: str, counts: tuple[int, ...]) -> list[tuple[str, int | None, str]]:
    """(causes, records, status): the separate causes, by size, and all others together."""
    apart = separate_causes(np.array([counts]), programme.minimum_total(indicator))[0]
    named = list(zip(counts, causes(), apart, strict=True))
    alone = sorted(((n, cause) for n, cause, own in named if own), key=lambda line: (-abs(line[0]), line[1]))
    others = MERGE_SEPARATOR.join(sorted(cause for _, cause, own in named if not own))
    if not alone:
        return [(others, None, "not_broken_down")]
    return [*((cause, n, SHOWN) for n, cause in alone), (others, sum(n for n, _, own in named if not own), JOINT)]
