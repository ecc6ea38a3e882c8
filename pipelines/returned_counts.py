"""Returns of counts: figures that an institution delivers instead of records, or in addition to them (`counts` of a contract).

Belongs here: which of the delivered figures are current. Does not belong here: comparing them with the figures of the warehouse
(`warehouse/yardsticks.py`), faults of single values (`pipelines.validation`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sources.contract import Contract, TableSpec

RETURNED_COUNT_COLUMNS = ("institution", "delivery", "period", "line", "indicator", "offence_group", "value")
TOTAL = "total"
_KEY = ["period", "indicator", "offence_group"]


def list_count_columns(spec: TableSpec) -> set[str]:
    """Return the columns of a validated table that `select_current_counts` needs."""
    if spec.counts is None:
        return set()
    group = {spec.counts.offence_group, f"{spec.counts.offence_group}:given"} if spec.counts.offence_group else set()
    return {spec.counts.indicator, spec.counts.value, *group}


def select_current_counts(contract: Contract, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the current figures (columns: `RETURNED_COUNT_COLUMNS`): those of the newest version that has them, for each period.

    The rows of `tables` are typed. A row whose indicator or offence group is unknown is left out, since validation already has a finding on
    it.
    """
    parts = [pd.DataFrame(columns=[*RETURNED_COUNT_COLUMNS, "version"])]
    for name, spec in contract.tables.items():
        if spec.counts is not None:
            rows = tables[name]
            total = pd.Series(TOTAL, index=rows.index, dtype="str")
            column = spec.counts.offence_group
            figures = {
                **{part: rows[f"_{part}"] for part in ("delivery", "period", "line", "version")},
                "indicator": rows[spec.counts.indicator],
                "offence_group": rows[column].where(rows[f"{column}:given"].astype("bool"), TOTAL) if column else total,
                "value": rows[spec.counts.value],
            }
            parts.append(pd.DataFrame(figures).dropna(subset=["indicator", "offence_group"]))
    out = pd.concat(parts[1:] or parts, ignore_index=True)
    newest = out.groupby(_KEY)["version"].transform("max")
    current = out[out["version"] == newest].assign(institution=contract.institution)[list(RETURNED_COUNT_COLUMNS)].reset_index(drop=True)
    return current.astype({name: "Int64" if name in ("line", "value") else "str" for name in RETURNED_COUNT_COLUMNS})
