"""The public part of the bridge: why a year's harmonised total differs from the one reported, by cause.

Belongs here: which causes are told, joined with which. Does not belong here: counting causes (`warehouse/count/bridge`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from warehouse.count import causes
from warehouse.disclosure.programme import HARMONISED, JOINED, REPORTED, TOTAL, Key
from warehouse.disclosure.protect import Exact, Prints
from warehouse.releases.cube import BRIDGE, JOINT, SHOWN
from warehouse.releases.exact import BRIDGE as TABLE

LEAST = 5
"""Numbers of records below this are not told."""


def bridge_rows(prints: Prints, exact: Mapping[str, Exact], before: pd.DataFrame, release: str) -> pd.DataFrame:
    """One row per cause told, `cube.BRIDGE`; causes joined with `+` where they are few. Told once, with the year's breakdowns' release.

    before: the rows of the last release, which stand. A year is told where its two totals are printed and count the same records.
    """
    done = set(zip(before["indicator"], before["period"], strict=True))
    rows = []
    for key, total in sorted(prints.items()):
        reported = prints.get(key._replace(measure=REPORTED))
        if key.table != TOTAL or key.measure != HARMONISED or (key.indicator, key.period) in done or not reported:
            continue
        counts = exact.get(total.known, {}).get(Key(key.indicator, TABLE, TABLE, key.period))
        again = total.edition != release or total.known != release  # printed by an earlier release already
        if counts is None or (not again and not _broken(prints, key, release)) or (total.status, reported.status) != ("printed", "printed"):
            continue
        if reported.known == total.known:
            rows += [(key.indicator, key.period, *told, release, total.known) for told in _told(counts)]
    made = pd.DataFrame(rows, columns=BRIDGE.names).astype({"n": "Int64"})
    return pd.concat([before, made], ignore_index=True) if len(before) else made


def _broken(prints: Prints, key: Key, release: str) -> bool:
    """Whether breakdowns of that year came with this release."""
    tables = (k for k, p in prints.items() if k.indicator == key.indicator and k.period == key.period and p.edition == release)
    return any(k.table not in (TOTAL, "offence_group") for k in tables)


def _told(counts: tuple[int, ...]) -> list[tuple[str, int | None, str]]:
    """(causes, records, status): those of `LEAST` and more alone, the others together once they are two and as many."""
    left = sorted(((n, cause) for n, cause in zip(counts, causes(), strict=True) if n), key=lambda pair: (-abs(pair[0]), pair[1]))
    alone = [pair for pair in left if abs(pair[0]) >= LEAST]
    few = left[len(alone) :]
    while few and (len(few) < 2 or abs(sum(n for n, _ in few)) < LEAST):
        if not alone:
            return [(JOINED.join(sorted(cause for _, cause in few)), None, "not_broken_down")]
        few.append(alone.pop())
    together = [(JOINED.join(sorted(cause for _, cause in few)), sum(n for n, _ in few), JOINT)] if few else []
    return [*((cause, n, SHOWN) for n, cause in alone), *together]
