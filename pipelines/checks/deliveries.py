"""Tolerance checks: for each institution one check, partitioned by delivery.

Belongs here: the rules whose findings exceed their tolerance in a delivery, and reporting them to Dagster. Does not belong here: rules,
severity and tolerance (`schemas/rules`), scores over quarters (`quality`).

A delivery is a partition of the asset `<institution>/delivery`. It is materialised on receipt, so that its freshness shows whether the
institution delivers on time. The run reports the check's result for each partition and does not wait for it: one institution's bad
delivery never blocks another's. Why quarters are no partitions of the stages: docs/decisions/0012-operation-in-dagster.md.
"""

import warnings
from datetime import date, timedelta

import dagster as dg
import pandas as pd

from pipelines.describing import redact_stage_errors, table
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from schemas import domain
from schemas.findings import SEVERITIES, number_of_cells, rules
from sources import contract, periods

CHECK = "within_tolerance"
ZONE = domain.country().time_zone
_BY = ["institution", "delivery"]
_ASKED = ["rule", "severity", "origin", "state", "line", "record_key", "detail"]
_A_YEAR = date(2012, 12, 31), date(2013, 12, 31)  # the end of every period of a common year
_EVERY_MONTH_HAS = 28  # days


def partitions(institution: str) -> dg.DynamicPartitionsDefinition:
    """The deliveries of an institution, by their names."""
    return dg.DynamicPartitionsDefinition(name=f"{institution}_deliveries")


def freshness(institution: str) -> dg.FreshnessPolicy:
    """A delivery is due so many days after each period (`due_days` and `cadence` of the contract)."""
    declared = contract.load(institution)
    cron = deadline(declared.due_days, declared.cadence)
    return dg.FreshnessPolicy.cron(deadline_cron=cron, lower_bound_delta=timedelta(days=declared.due_days), timezone=ZONE)


def deadline(due: int, cadence: periods.Cadence = "quarterly") -> str:
    """The moment so many days after each period, as cron says it: one day of every such month, so the latest of the year."""
    months = periods.MONTHS[cadence]
    ends = [periods.last_day(period) for period in periods.between(*_A_YEAR, cadence)]
    month, day = max(((last.month - 1) % months, last.day) for last in (end + timedelta(days=due + 1) for end in ends))
    if day > _EVERY_MONTH_HAS:
        month, day = month + 1, 1
    return f"0 0 {day} {','.join(str((first + month - 1) % 12 + 1) for first in range(1, 13, months))} *"


def arrived(context: dg.AssetExecutionContext, received: pd.DataFrame) -> None:
    """Tell Dagster's pages of deliveries that are new, or hold other bytes: institution, delivery, files."""
    for institution, rows in received.groupby("institution"):
        context.instance.add_dynamic_partitions(str(partitions(str(institution)).name), rows["delivery"].tolist())
    for institution, delivery, files in received[[*_BY, "files"]].itertuples(index=False, name=None):
        context.log_event(dg.AssetMaterialization([institution, "delivery"], partition=delivery, metadata={"files": files}))


def beyond_tolerance(found: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Rules that a delivery breaks: rule, severity, findings, share, tolerance, broken (more than tolerated), the gravest first.

    found: open findings of one delivery that are no information (`harmonia.feedback.life.LIVED`); consequences go with their cause, one on
    many cells counts as many. rows: of data. A rule on a whole file is broken by one finding; a share of no rows is that of one.
    """
    causes = found[(found["origin"] == "cause") & (found["severity"] != "info") & ~found["state"].isin(["fixed", "accepted_as_is"])]
    counted = causes.assign(findings=number_of_cells(causes)).groupby(["rule", "severity"])["findings"].sum().reset_index()
    known = rules()
    share = counted["findings"] / max(rows, 1)
    tolerance = counted["rule"].map({code: rule.tolerance for code, rule in known.items()}).astype("float64")
    rank = counted["severity"].map({severity: n for n, severity in enumerate(SEVERITIES)})
    out = counted.assign(share=share.round(4), tolerance=tolerance, broken=share > tolerance, _rank=rank)
    return out.sort_values(["_rank", "findings"], ascending=[True, False], ignore_index=True).drop(columns="_rank")


def evaluation(institution: str, delivery: str, state: str, found: pd.DataFrame, rows: int) -> dg.AssetCheckEvaluation:
    """The result for one delivery, with its state (`sources.states`); its severity is that of the gravest rule that is broken."""
    told = beyond_tolerance(found, rows)
    broken = told[told["broken"]]
    grave = broken["severity"].isin(["reject", "error"]).any()
    said = f"{len(broken)} of {len(told)} broken rules exceed their tolerance." if rows else "Not applicable: there are no rows."
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey([institution, "delivery"]),
        check_name=CHECK,
        passed=broken.empty,
        severity=dg.AssetCheckSeverity.ERROR if grave else dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={"state": state, "rows": rows, "rules": table(told)},
        partition=delivery,
    )


def report(
    context: dg.AssetExecutionContext, found: pd.DataFrame, deliveries: pd.DataFrame, accounting: pd.DataFrame, changed: pd.DataFrame
) -> None:
    """Tell Dagster's pages what the check says of every delivery of which something else is told than before, or that is new to them.

    deliveries: with their state; accounting: rows by file (`pipelines.record_status`). changed: institution, delivery.
    """
    anew = set(changed[_BY].itertuples(index=False, name=None))
    for institution, own in deliveries.groupby("institution"):
        name = str(partitions(str(institution)).name)
        unknown = set(own["delivery"]).difference(context.instance.get_dynamic_partitions(name))
        context.instance.add_dynamic_partitions(name, sorted(unknown))
        anew |= {(institution, delivery) for delivery in unknown}
    _tell(context, _evaluations(found, deliveries[pd.MultiIndex.from_frame(deliveries[_BY]).isin(anew)], accounting))


def _evaluations(found: pd.DataFrame, deliveries: pd.DataFrame, accounting: pd.DataFrame) -> list[dg.AssetCheckEvaluation]:
    """The result for each of `deliveries`."""
    counts = accounting.assign(rows=accounting["read"] - accounting["structural"]).groupby(_BY)["rows"].sum().reset_index()
    rows = deliveries[[*_BY, "state"]].merge(counts, on=_BY, how="left").fillna({"rows": 0})
    asks = found.loc[found["severity"] != "info", [*_BY, *_ASKED]]  # a tenth of them; no other counts
    by_delivery, nothing = dict(list(asks.groupby(_BY))), asks.iloc[:0]
    return [evaluation(i, d, state, by_delivery.get((i, d), nothing), int(n)) for i, d, state, n in rows.itertuples(index=False, name=None)]


def _tell(context: dg.AssetExecutionContext, told: list[dg.AssetCheckEvaluation]) -> None:
    kind, job, run = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value, context.run.job_name, context.run.run_id
    for one in told:
        event = dg.DagsterEvent(event_type_value=kind, event_specific_data=one, job_name=job)
        context.instance.report_dagster_event(event, run_id=run)


def asset(institution: str) -> dg.AssetsDefinition:
    """The deliveries of an institution as partitions, with the check. A partition can be looked at again by itself, from what the last
    run left in the lake."""
    key = dg.AssetKey([institution, "delivery"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # a check of a partition
        spec = dg.AssetCheckSpec(
            CHECK,
            asset=key,
            partitions_def=partitions(institution),
            description="No rule exceeds its tolerance in the delivery.",
        )

    def delivery(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]):  # type: ignore[no-untyped-def]
        # a return annotation would be taken for the outputs: Dagster counts the check as one
        names = context.partition_keys
        with redact_stage_errors(workplace, f"{institution}: holding {len(names)} deliveries against the rules"):
            wanted = (("findings", "findings"), ("record_status", "deliveries"), ("record_status", "accounting"))
            frames = (lake.read(workplace.home.lake / stage)[table] for stage, table in wanted)
            told = _evaluations(*(f[(f["institution"] == institution) & f["delivery"].isin(names)] for f in frames))
        if len(names) > 1:
            _tell(context, told)
        return dg.MaterializeResult(check_results=[_together(told)])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # a backfill in one run
        return dg.asset(
            key=key,
            deps=[[institution, "current"], "findings"],
            group_name="deliveries",
            partitions_def=partitions(institution),
            backfill_policy=dg.BackfillPolicy.single_run(),
            freshness_policy=freshness(institution),
            check_specs=[spec],
            description=f"Deliveries of {institution}, with the result of their findings.",
        )(delivery)


def _together(told: list[dg.AssetCheckEvaluation]) -> dg.AssetCheckResult:
    """One result for all of them: that of the only one, or the gravest."""
    worst = min(told, key=lambda one: (one.passed, one.severity != dg.AssetCheckSeverity.ERROR))
    beyond = sum(not one.passed for one in told)
    said = worst.description if len(told) == 1 else f"{beyond} of {len(told)} deliveries are beyond a tolerance."
    return dg.AssetCheckResult(
        check_name=CHECK, passed=worst.passed, severity=worst.severity, description=said, metadata=worst.metadata if len(told) == 1 else {}
    )
