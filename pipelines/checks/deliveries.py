"""Every delivery against the tolerance of every rule: a check for each institution, partitioned by delivery.

Belongs here: which rules a delivery breaks more than they tolerate, and telling Dagster so. Does not belong here: rules, their severity
and tolerance (`schemas/rules`), scores over quarters (`quality`).

A delivery is a partition of the asset `<institution>/delivery`. The run that takes all deliveries through reports the check's result for
each partition; nothing waits for it, so that one institution's bad delivery never holds up another's.
"""

import dagster as dg
import pandas as pd

from pipelines.assets.describing import careful, table
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from schemas.findings import SEVERITIES, rules

CHECK = "within_tolerance"
_BY = ["institution", "delivery"]


def partitions(institution: str) -> dg.DynamicPartitionsDefinition:
    """The deliveries of an institution, by their names."""
    return dg.DynamicPartitionsDefinition(name=f"{institution}_deliveries")


def beyond_tolerance(found: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Rules that a delivery breaks: rule, severity, findings, share, tolerance, broken (more than tolerated), the gravest first.

    found: open findings of one delivery that are no information (`pipelines.feedback.life.LIVED`); consequences go with their cause.
    rows: of data. A rule on a whole file is broken by one finding; a share of no rows is that of one.
    """
    causes = found[(found["origin"] == "cause") & (found["severity"] != "info") & ~found["state"].isin(["fixed", "accepted_as_is"])]
    counted = causes.groupby(["rule", "severity"]).size().rename("findings").reset_index()
    known = rules()
    share = counted["findings"] / max(rows, 1)
    tolerance = counted["rule"].map({code: rule.tolerance for code, rule in known.items()}).astype("float64")
    rank = counted["severity"].map({severity: n for n, severity in enumerate(SEVERITIES)})
    out = counted.assign(share=share.round(4), tolerance=tolerance, broken=share > tolerance, _rank=rank)
    return out.sort_values(["_rank", "findings"], ascending=[True, False], ignore_index=True).drop(columns="_rank")


def evaluation(institution: str, delivery: str, found: pd.DataFrame, rows: int) -> dg.AssetCheckEvaluation:
    """The result for one delivery; its severity is that of the gravest rule that is broken."""
    told = beyond_tolerance(found, rows)
    broken = told[told["broken"]]
    grave = broken["severity"].isin(["reject", "error"]).any()
    said = (
        f"{len(broken)} of {len(told)} rules that were broken are beyond their tolerance." if rows else "Not applicable: there are no rows."
    )
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey([institution, "delivery"]),
        check_name=CHECK,
        passed=broken.empty,
        severity=dg.AssetCheckSeverity.ERROR if grave else dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={"rows": rows, "rules": table(told)},
        partition=delivery,
    )


def report(context: dg.AssetExecutionContext, found: pd.DataFrame, accounting: pd.DataFrame, changed: pd.DataFrame) -> None:
    """Tell Dagster's pages what the check says of every delivery of which something else is told than before, or that is new to them.

    accounting: rows by file (`pipelines.current`). changed: institution, delivery.
    """
    rows = accounting.assign(rows=accounting["read"] - accounting["structural"]).groupby(_BY)["rows"].sum().reset_index()
    anew = set(changed[_BY].itertuples(index=False, name=None))
    for institution, own in rows.groupby("institution"):
        name = str(partitions(str(institution)).name)
        unknown = set(own["delivery"]).difference(context.instance.get_dynamic_partitions(name))
        context.instance.add_dynamic_partitions(name, sorted(unknown))
        anew |= {(institution, delivery) for delivery in unknown}
    by_delivery = dict(list(found.groupby(_BY)))
    for institution, delivery, count in rows.itertuples(index=False, name=None):
        if (institution, delivery) not in anew:
            continue
        told = evaluation(institution, delivery, by_delivery.get((institution, delivery), found.iloc[:0]), int(count))
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value
        context.instance.report_dagster_event(
            dg.DagsterEvent(event_type_value=kind, event_specific_data=told, job_name=context.run.job_name), run_id=context.run.run_id
        )


def asset(institution: str) -> dg.AssetsDefinition:
    """The deliveries of an institution as partitions, with the check. A partition can be looked at again by itself, from what the last
    run left in the lake."""
    key = dg.AssetKey([institution, "delivery"])
    spec = dg.AssetCheckSpec(
        CHECK,
        asset=key,
        partitions_def=partitions(institution),
        description="No rule is broken by more of the delivery's records than it tolerates.",
    )

    @dg.asset(
        key=key,
        deps=[[institution, "current"], "findings"],
        group_name=institution,
        partitions_def=partitions(institution),
        check_specs=[spec],
        description=f"Each delivery of {institution}, with what its findings say of it.",
    )
    def delivery(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]):  # type: ignore[no-untyped-def]
        # a return annotation would be taken for the outputs: Dagster counts the check as one
        name = context.partition_key
        with careful(workplace, f"{institution} {name}: holding it against the rules"):
            frames = (
                lake.read(workplace.home.lake / stage)[table] for stage, table in (("findings", "findings"), ("standing", "accounting"))
            )
            found, files = (f[(f["institution"] == institution) & (f["delivery"] == name)] for f in frames)
            told = evaluation(institution, name, found, int((files["read"] - files["structural"]).sum()))
        result = dg.AssetCheckResult(
            check_name=CHECK, passed=told.passed, severity=told.severity, description=told.description, metadata=told.metadata
        )
        return dg.MaterializeResult(check_results=[result])

    return delivery
