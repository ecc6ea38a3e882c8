"""Returns of counts: figures that an institution delivers in place of records, or beside them (`counts` of a contract).

Belongs here: the current figures of an institution's deliveries. Does not belong here: their comparison with ours
(`warehouse/yardsticks.py`), what is wrong with a delivered cell (`pipelines.validation`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sources.contract import Contract, TableSpec

RETURNS = ("institution", "delivery", "period", "line", "indicator", "offence_group", "value")
TOTAL = "total"
_KEY = ["period", "indicator", "offence_group"]


def columns_read(spec: TableSpec) -> set[str]:
    """The columns of a validated table that `returns` reads."""
    if spec.counts is None:
        return set()
    group = {spec.counts.offence_group, f"{spec.counts.offence_group}:given"} if spec.counts.offence_group else set()
    return {spec.counts.indicator, spec.counts.value, *group}


def returns(contract: Contract, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The current figures (`RETURNS`), each of the newest version of its period that gives it.

    tables: typed. A row whose indicator or offence group is unknown is left out; validation reports the cell.
    """
    parts = [pd.DataFrame(columns=[*RETURNS, "version"])]
    for name, spec in contract.tables.items():
        if spec.counts is not None:
            rows = tables[name]
            total = pd.Series(TOTAL, index=rows.index, dtype="str")
            column = spec.counts.offence_group
            found = {
                **{part: rows[f"_{part}"] for part in ("delivery", "period", "line", "version")},
                "indicator": rows[spec.counts.indicator],
                "offence_group": rows[column].where(rows[f"{column}:given"].astype("bool"), TOTAL) if column else total,
                "value": rows[spec.counts.value],
            }
            parts.append(pd.DataFrame(found).dropna(subset=["indicator", "offence_group"]))
    out = pd.concat(parts[1:] or parts, ignore_index=True)
    newest = out.groupby(_KEY)["version"].transform("max")
    current = out[out["version"] == newest].assign(institution=contract.institution)[list(RETURNS)].reset_index(drop=True)
    return current.astype({name: "Int64" if name in ("line", "value") else "str" for name in RETURNS})
