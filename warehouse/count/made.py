"""What is made of every case beside what is published of it: tables that become published ones over all cases.

Belongs here: their names, columns and types. Does not belong here: published tables (`warehouse.tables`), how any is made.
"""

from __future__ import annotations

from sqlalchemy import MetaData, Table

from warehouse.columns import count, day, text
from warehouse.indicators import DIMENSIONS

MADE = MetaData()

SUMS = Table(
    "_sums",
    MADE,
    *(text(name, name) for name in ("case_id", "indicator", "period", *DIMENSIONS)),
    count("as_reported", "rows of the case as reported"),
    count("harmonised", "units of the case that count"),
    comment="What a case adds to the figures of `statistics` (`cube.by_period`)",
)
MOVES = Table(
    "_moves",
    MADE,
    *(text(name, name) for name in ("institution", "record_key", "entity", "case_id")),
    count("figures", "indicators in which the record counts as reported"),
    comment="For the weight of records in `quality` (`rows.moves`)",
)
RECONCILED = Table(
    "_reconciled",
    MADE,
    *(text(name, name) for name in ("step", "case_id", "person_id", "outcome", "differs")),
    day("day", "of the upstream event, else of the downstream one"),
    comment="`reconciliation` without what hangs on the deliveries (`reconcile.reconcile`)",
)
BRIDGED = Table(
    "_bridged",
    MADE,
    *(text(name, name) for name in ("indicator", "period", "institution", "cause", "record_key")),
    count("sign", "+1 added, -1 taken away"),
    text("case_id", "case of the record"),
    comment="`bridge_records` of all periods (`bridge.bridge_records`)",
)
CHARGED = Table(
    "_charged",
    MADE,
    *(text(name, name) for name in ("case_id", "offence", "law", "article")),
    comment="Articles that a case names, for `dim_offence`",
)
