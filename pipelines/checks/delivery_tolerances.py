"""Tolerance checks: for each delivery of an institution, whether a rule is broken more often than its tolerance allows.

Belongs here: finding the rules whose findings exceed their tolerance in a delivery, and reporting them to Dagster. Does not belong here:
rules, their severity and tolerance (`schemas/rules`), scores over several quarters (`quality`).

A delivery is a partition of the asset `<institution>/delivery`. The partition is materialised when the delivery is received, so that its
freshness shows whether the institution delivers on time. The run reports the result of the check for each partition and does not wait for
it, so that a bad delivery of one institution never blocks the deliveries of others. The reason why quarters are not partitions of the
stages is in docs/decisions/0012-operation-in-dagster.md.
"""

import warnings
from datetime import date, timedelta

import dagster as dg
import pandas as pd

from pipelines.asset_helpers import make_metadata_table, redact_stage_errors
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from schemas import domain
from schemas.findings import SEVERITIES, count_cells, rules
from sources import contract, periods

CHECK = "within_tolerance"
ZONE = domain.country().time_zone
_DELIVERY_KEY = ["institution", "delivery"]
_FINDING_COLUMNS = ["rule", "severity", "origin", "state", "line", "record_key", "detail"]
_PERIOD_ENDS_OF_YEAR = date(2012, 12, 31), date(2013, 12, 31)  # all periods of a common year end in this time
_SHORTEST_MONTH = 28  # days


def define_delivery_partitions(institution: str) -> dg.DynamicPartitionsDefinition:
    """Return the partitions of an institution, which are its deliveries by name."""
    return dg.DynamicPartitionsDefinition(name=f"{institution}_deliveries")


def make_freshness_policy(institution: str) -> dg.FreshnessPolicy:
    """Return Dagster's freshness policy for an institution: a delivery is due `due_days` after the end of each period.

    `due_days` and the length of the periods (`cadence`) come from the contract.
    """
    spec = contract.load(institution)
    cron = make_deadline_cron(spec.due_days, spec.cadence)
    return dg.FreshnessPolicy.cron(deadline_cron=cron, lower_bound_delta=timedelta(days=spec.due_days), timezone=ZONE)


def make_deadline_cron(due_days: int, cadence: periods.Cadence = "quarterly") -> str:
    """Return the deadline of an institution's deliveries in cron syntax, which can only name the same day of every due month.

    The deadline is the midnight that ends a due day: `due_days` after the end of a period. Since these days differ over the year, the
    latest is used. If it is after the 28th, the deadline is the first day of the next month.
    """
    months = periods.MONTHS[cadence]
    ends = [periods.last_day(period) for period in periods.periods_between(*_PERIOD_ENDS_OF_YEAR, cadence)]
    month, day = max(((last.month - 1) % months, last.day) for last in (end + timedelta(days=due_days + 1) for end in ends))
    if day > _SHORTEST_MONTH:
        month, day = month + 1, 1
    return f"0 0 {day} {','.join(str((first + month - 1) % 12 + 1) for first in range(1, 13, months))} *"


def register_deliveries_as_partitions(context: dg.AssetExecutionContext, received_deliveries: pd.DataFrame) -> None:
    """Register new or changed deliveries as partitions in Dagster.

    `received_deliveries` has the columns institution, delivery and files (their number).
    """
    for institution, rows in received_deliveries.groupby("institution"):
        context.instance.add_dynamic_partitions(str(define_delivery_partitions(str(institution)).name), rows["delivery"].tolist())
    for institution, delivery, files in received_deliveries[[*_DELIVERY_KEY, "files"]].itertuples(index=False, name=None):
        context.log_event(dg.AssetMaterialization([institution, "delivery"], partition=delivery, metadata={"files": files}))


def compare_findings_with_tolerances(findings: pd.DataFrame, row_count: int) -> pd.DataFrame:
    """Return the rules that a delivery breaks, the most severe first.

    Columns: rule, severity, findings (number of cells), share (of the rows), tolerance, broken (whether the share exceeds the tolerance).
    `findings` has the findings on one delivery (columns: `harmonia.feedback.finding_states.COLUMNS_WITH_STATE`). Only findings that are
    open, are causes and are more severe than information count, each once for every affected cell. `row_count` is the number of rows with
    data; 0 counts as 1, so that one finding on an empty file exceeds the tolerance.
    """
    cause_findings = findings[
        (findings["origin"] == "cause") & (findings["severity"] != "info") & ~findings["state"].isin(["fixed", "accepted_as_is"])
    ]
    by_rule = cause_findings.assign(findings=count_cells(cause_findings)).groupby(["rule", "severity"])["findings"].sum().reset_index()
    rules_by_code = rules()
    share = by_rule["findings"] / max(row_count, 1)
    tolerance = by_rule["rule"].map({code: rule.tolerance for code, rule in rules_by_code.items()}).astype("float64")
    rank = by_rule["severity"].map({severity: n for n, severity in enumerate(SEVERITIES)})
    out = by_rule.assign(share=share.round(4), tolerance=tolerance, broken=share > tolerance, _rank=rank)
    return out.sort_values(["_rank", "findings"], ascending=[True, False], ignore_index=True).drop(columns="_rank")


def evaluate_tolerances_of_delivery(
    institution: str, delivery: str, state: str, findings: pd.DataFrame, row_count: int
) -> dg.AssetCheckEvaluation:
    """Return the result of the check for one delivery. `state` is the state of the delivery (`sources.completeness_states`).

    The result is an error if a rule of severity reject or error exceeds its tolerance; it is a warning if only other rules do.
    """
    rules_found = compare_findings_with_tolerances(findings, row_count)
    broken = rules_found[rules_found["broken"]]
    is_error = broken["severity"].isin(["reject", "error"]).any()
    text = (
        f"{len(broken)} of {len(rules_found)} broken rules exceed their tolerance." if row_count else "Not applicable: there are no rows."
    )
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey([institution, "delivery"]),
        check_name=CHECK,
        passed=broken.empty,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description=text,
        metadata={"state": state, "rows": row_count, "rules": make_metadata_table(rules_found)},
        partition=delivery,
    )


def report_tolerance_checks_to_dagster(
    context: dg.AssetExecutionContext,
    findings: pd.DataFrame,
    deliveries: pd.DataFrame,
    accounting: pd.DataFrame,
    changed_reports: pd.DataFrame,
) -> None:
    """Report to Dagster the results of the check for deliveries whose report changed, and for deliveries that Dagster does not know yet.

    `deliveries` has the state of each delivery, and `accounting` the numbers of rows of each file (`pipelines.record_status`).
    `changed_reports` has the institution and name of each delivery whose report changed.
    """
    changed_deliveries = set(changed_reports[_DELIVERY_KEY].itertuples(index=False, name=None))
    for institution, deliveries_of_institution in deliveries.groupby("institution"):
        name = str(define_delivery_partitions(str(institution)).name)
        unknown = set(deliveries_of_institution["delivery"]).difference(context.instance.get_dynamic_partitions(name))
        context.instance.add_dynamic_partitions(name, sorted(unknown))
        changed_deliveries |= {(institution, delivery) for delivery in unknown}
    _report_check_events(
        context,
        _evaluate_tolerances_of_deliveries(
            findings, deliveries[pd.MultiIndex.from_frame(deliveries[_DELIVERY_KEY]).isin(changed_deliveries)], accounting
        ),
    )


def _evaluate_tolerances_of_deliveries(
    findings: pd.DataFrame, deliveries: pd.DataFrame, accounting: pd.DataFrame
) -> list[dg.AssetCheckEvaluation]:
    """Return the result of the check for each of `deliveries`."""
    counts = accounting.assign(rows=accounting["read"] - accounting["structural"]).groupby(_DELIVERY_KEY)["rows"].sum().reset_index()
    rows = deliveries[[*_DELIVERY_KEY, "state"]].merge(counts, on=_DELIVERY_KEY, how="left").fillna({"rows": 0})
    relevant = findings.loc[findings["severity"] != "info", [*_DELIVERY_KEY, *_FINDING_COLUMNS]]  # findings of severity info never count
    by_delivery, nothing = dict(list(relevant.groupby(_DELIVERY_KEY))), relevant.iloc[:0]
    return [
        evaluate_tolerances_of_delivery(i, d, state, by_delivery.get((i, d), nothing), int(n))
        for i, d, state, n in rows.itertuples(index=False, name=None)
    ]


def _report_check_events(context: dg.AssetExecutionContext, evaluations: list[dg.AssetCheckEvaluation]) -> None:
    """Store the results of checks in Dagster's history."""
    kind, job, run = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value, context.run.job_name, context.run.run_id
    for evaluation in evaluations:
        event = dg.DagsterEvent(event_type_value=kind, event_specific_data=evaluation, job_name=job)
        context.instance.report_dagster_event(event, run_id=run)


def build_deliveries_asset(institution: str) -> dg.AssetsDefinition:
    """Return the asset whose partitions are the deliveries of an institution, together with its check.

    In Dagster, a single partition can be checked again; its data are read from the lake of the last run.
    """
    key = dg.AssetKey([institution, "delivery"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # a check of a partition
        spec = dg.AssetCheckSpec(
            CHECK,
            asset=key,
            partitions_def=define_delivery_partitions(institution),
            description="No rule exceeds its tolerance in the delivery.",
        )

    def delivery(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]):  # type: ignore[no-untyped-def]
        # without return annotation: Dagster would read from it how many outputs there are, and counts the check as one
        names = context.partition_keys
        with redact_stage_errors(workplace, f"{institution}: holding {len(names)} deliveries against the rules"):
            tables_read = (("findings", "findings"), ("record_status", "deliveries"), ("record_status", "accounting"))
            frames = (lake.read_tables(workplace.home.lake / stage)[table] for stage, table in tables_read)
            evaluations = _evaluate_tolerances_of_deliveries(
                *(f[(f["institution"] == institution) & f["delivery"].isin(names)] for f in frames)
            )
        if len(names) > 1:
            _report_check_events(context, evaluations)
        return dg.MaterializeResult(check_results=[_combine_check_results(evaluations)])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # a backfill in one run
        return dg.asset(
            key=key,
            deps=[[institution, "current"], "findings"],
            group_name="deliveries",
            partitions_def=define_delivery_partitions(institution),
            backfill_policy=dg.BackfillPolicy.single_run(),
            freshness_policy=make_freshness_policy(institution),
            check_specs=[spec],
            description=f"Deliveries of {institution}, with the result of their findings.",
        )(delivery)


def _combine_check_results(evaluations: list[dg.AssetCheckEvaluation]) -> dg.AssetCheckResult:
    """Combine the results for several deliveries to one: the most severe result. A single result is returned with its details."""
    worst = min(evaluations, key=lambda evaluation: (evaluation.passed, evaluation.severity != dg.AssetCheckSeverity.ERROR))
    exceeding = sum(not evaluation.passed for evaluation in evaluations)
    text = worst.description if len(evaluations) == 1 else f"{exceeding} of {len(evaluations)} deliveries are beyond a tolerance."
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=worst.passed,
        severity=worst.severity,
        description=text,
        metadata=worst.metadata if len(evaluations) == 1 else {},
    )
