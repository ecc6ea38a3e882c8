"""From cases and persons to figures: every finding with its life, and the tables that are published."""

from collections.abc import Sequence

import dagster as dg
import pandas as pd

from pipelines.assets.describing import careful, say, table
from pipelines.current import Current
from pipelines.feedback import life
from pipelines.resources.workplace import Workplace
from schemas.findings import COLUMNS
from warehouse.count import CountInputs, count


def _stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _currents(institutions: Sequence[str]) -> dict[str, dg.AssetIn]:
    return {name: dg.AssetIn([name, "current"]) for name in institutions}


def _findings(institutions: Sequence[str]) -> dg.AssetsDefinition:
    @dg.asset(
        group_name="together",
        ins={"landing": dg.AssetIn("landing"), **_currents(institutions)},
        kinds={"pandas", "parquet"},
        description="Everything found wrong, and whether it is new, remains or was fixed.",
    )
    def findings(
        context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace], landing: dict[str, pd.DataFrame], **current: Current
    ) -> dict[str, pd.DataFrame]:
        with careful(workplace, "following the findings"):
            stands = [current[name] for name in institutions]
            every = _stacked([landing["findings"][list(COLUMNS)], *(one.findings for one in stands)])
            lived = life(every, _stacked([one.deliveries for one in stands]), _stacked([one.lineage for one in stands]))
        by = lived.groupby(["institution", "severity", "state"]).size().rename("findings").reset_index()
        say(context, len(lived), {"by institution, severity and state": table(by)})
        return {"findings": lived}

    return findings


def _quarantined(stands: Sequence[Current]) -> pd.DataFrame:
    """Quarantined rows by institution and delivery: institution, delivery, rows."""
    rows = _stacked([one.quarantined for one in stands])
    if rows.empty:
        return pd.DataFrame({"institution": pd.Series(dtype="str"), "delivery": pd.Series(dtype="str"), "rows": pd.Series(dtype="int64")})
    return rows.groupby(["institution", "delivery"]).size().rename("rows").reset_index()


def _statistics(institutions: Sequence[str]) -> dg.AssetsDefinition:
    @dg.asset(
        group_name="together",
        ins={
            "canonical": dg.AssetIn("canonical"),
            "identities": dg.AssetIn("identities"),
            "findings": dg.AssetIn("findings"),
            **_currents(institutions),
        },
        kinds={"pandas", "parquet"},
        description="The published tables: every figure as reported and harmonised, and why the two differ.",
    )
    def statistics(
        context: dg.AssetExecutionContext,
        workplace: dg.ResourceParam[Workplace],
        canonical: dict[str, pd.DataFrame],
        identities: dict[str, pd.DataFrame],
        findings: dict[str, pd.DataFrame],
        **current: Current,
    ) -> dict[str, pd.DataFrame]:
        with careful(workplace, "counting"):
            stands = [current[name] for name in institutions]
            tables = count(
                CountInputs(
                    canonical=canonical,
                    cases=identities["cases"],
                    persons=identities["persons"],
                    deliveries=_stacked([one.deliveries for one in stands]),
                    lineage=_stacked([one.lineage for one in stands]),
                    quarantined=_quarantined(stands),
                    findings=findings["findings"],
                )
            )
        say(context, len(tables["statistics"]), {"yearly totals": table(totals(tables["statistics"]))})
        return tables

    return statistics


def totals(statistics: pd.DataFrame) -> pd.DataFrame:
    """The grand totals by year: indicator, period, as_reported, harmonised. All offence groups: trafficking and related offences."""
    dimensions = ["offence_group", "form", "sex", "age_group", "citizenship_group"]
    grand = (statistics[dimensions] == "total").all(axis=1) & (statistics["period"].str.len() == 4)
    return statistics.loc[grand, ["indicator", "period", "as_reported", "harmonised"]]


def assets(institutions: Sequence[str]) -> list[dg.AssetsDefinition]:
    """`findings`, `statistics`."""
    return [_findings(institutions), _statistics(institutions)]
