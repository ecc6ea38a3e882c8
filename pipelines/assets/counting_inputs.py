"""What counting reads of the stages before it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipelines.resources.lake import Tables
from warehouse import tables
from warehouse.count import CountInputs
from warehouse.count.inputs import NAMES

_FOUND = [*(c.name for c in tables.FINDINGS.columns), "detail"]


@dataclass(frozen=True)
class Before:
    """The stages before counting, each read when it is asked for."""

    canonical: Tables
    identities: Tables
    standing: Tables
    findings: Tables

    @property
    def records(self) -> Tables:
        """Canonical tables without names."""
        return self.canonical.without(NAMES)

    def rows(self) -> int:
        """Of all canonical tables."""
        return sum(self.canonical.rows().values())

    def inputs(self) -> CountInputs:
        """All that counting reads."""
        lineage = self.standing["lineage"]
        return CountInputs(
            canonical=self.records,
            cases=self.identities["cases"],
            persons=self.identities["persons"],
            deliveries=self.standing["deliveries"],
            lineage=lineage,
            quarantined=_quarantined(self.standing["quarantined"]),
            findings=self.findings.some("findings", _FOUND),
            units=lineage[["institution", "part", "record_key", "unit"]]
            .dropna(subset=["unit"])
            .drop_duplicates(["institution", "part", "record_key"], keep="last"),
            listed=self.identities["listed"],
        )


def _quarantined(rows: pd.DataFrame) -> pd.DataFrame:
    """Quarantined rows by institution and delivery: institution, delivery, rows."""
    if rows.empty:
        return pd.DataFrame({"institution": pd.Series(dtype="str"), "delivery": pd.Series(dtype="str"), "rows": pd.Series(dtype="int64")})
    return rows.groupby(["institution", "delivery"]).size().rename("rows").reset_index()
