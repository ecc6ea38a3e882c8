"""The four stages that run for each institution alone: read, validate, current, harmonise.

One factory makes them for every institution with a contract: a new institution needs no edit here.
"""

import dagster as dg
import pandas as pd

from harmonia.registry import open_registry
from pipelines.assets.by_delivery import ROW, counted, judged, stage_folder
from pipelines.assets.portioning import as_refused, judge_all, read_all
from pipelines.assets.versions import stage
from pipelines.describing import redact_stage_errors, say, table
from pipelines.landing import landed
from pipelines.record_status import ACCOUNTS, resolve
from pipelines.resources.delivery_store import DeliveryStore, stage_key
from pipelines.resources.workplace import Workplace


def _raw(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "raw"],
        group_name="read",
        deps=["landing"],
        kinds={"python", "parquet"},
        description=f"Rows delivered by {institution}, as text, with file and line.",
    )
    def raw(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]) -> DeliveryStore:
        with redact_stage_errors(workplace, f"{institution}: reading", context):
            registry = open_registry(workplace.registry)
            try:
                ours = {str(d.name): d for d in landed(registry, workplace.home) if d.institution == institution}
            finally:
                registry.close()
            portions = DeliveryStore(stage_folder(workplace, institution, "raw"))
            wanted = as_refused({name: stage_key(d.receipt, d.incomplete) for name, d in ours.items()}, [portions])
            new = portions.missing(wanted)
            portions.set_current({**wanted, **read_all(workplace, institution, [ours[name] for name in new], wanted, portions)})
            kept = portions.load({"told"}.__contains__)
        counts = kept.get("told", pd.DataFrame(columns=["rows", "unreadable", "structural"]))[["rows", "unreadable", "structural"]].sum()
        say(
            context,
            int(counts["rows"]),
            {
                "deliveries": len(wanted),
                "read in this run": len(new),
                "unreadable rows": int(counts["unreadable"]),
                "structural rows": int(counts["structural"]),
            },
        )
        return portions

    return raw


def _validated(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "validated"],
        group_name="validate",
        ins={"raw": dg.AssetIn([institution, "raw"])},
        kinds={"pandera", "parquet"},
        description=f"Validated rows of {institution}: typed and checked; rows whose key or structure cannot be read are quarantined.",
    )
    def validated(context: dg.AssetExecutionContext, raw: DeliveryStore, workplace: dg.ResourceParam[Workplace]) -> DeliveryStore:
        with redact_stage_errors(workplace, f"{institution}: validating"):
            portions, harmonised = (DeliveryStore(stage_folder(workplace, institution, stage)) for stage in ("validated", "harmonised"))
            wanted = as_refused(raw.manifest, [portions, harmonised])
            new = [name for name in wanted if name in {*portions.missing(wanted), *harmonised.missing(wanted)}]
            portions.set_current({**wanted, **judge_all(workplace, institution, new, raw)})
            rows, quarantined, findings = counted(portions)
        say(
            context,
            rows,
            {
                "validated in this run": len(new),
                "quarantined rows": quarantined,
                "findings": len(findings),
                "findings by rule": table(findings.groupby(["severity", "rule"]).size().rename("findings").reset_index()),
            },
        )
        return portions

    return validated


def _current(institution: str) -> dg.AssetsDefinition:
    @stage(
        key=[institution, "current"],
        group_name="record_status",
        ins={"validated": dg.AssetIn([institution, "validated"])},
        kinds={"pandas", "parquet"},
        description=f"Record status of every row of {institution}: accepted, superseded, withdrawn, quarantined or structural.",
    )
    def current(
        context: dg.AssetExecutionContext, validated: DeliveryStore, workplace: dg.ResourceParam[Workplace]
    ) -> dict[str, pd.DataFrame]:
        """What `pipelines.record_status.Current` holds, but of the tables only `statuses`: `ROW`, `_status`."""
        with redact_stage_errors(workplace, f"{institution}: deciding the record status"):
            stands = resolve(judged(institution, validated))
            statuses = pd.concat([frame[[ROW, "_status"]] for frame in stands.tables.values()], ignore_index=True).astype({ROW: "int64"})
        by_delivery = stands.accounting.groupby("delivery")[["read", *ACCOUNTS]].sum()
        sums = by_delivery.sum()
        by_delivery = by_delivery.join(stands.deliveries.set_index("delivery")["state"], how="right").reset_index()
        say(
            context,
            int(sums["accepted"]),
            {
                **{f"{name} rows": int(n) for name, n in sums.items()},
                "rows by delivery": table(by_delivery),
            },
        )
        others = {name: getattr(stands, name) for name in ("lineage", "accounting", "quarantined", "findings", "deliveries", "successors")}
        return {"statuses": statuses, **others}

    return current


def _harmonised(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "harmonised"],
        group_name="harmonise",
        ins={"validated": dg.AssetIn([institution, "validated"])},
        kinds={"pandas", "parquet"},
        description=f"Records of {institution} in the canonical schema, with all their versions.",
    )
    def harmonised(context: dg.AssetExecutionContext, validated: DeliveryStore, workplace: dg.ResourceParam[Workplace]) -> DeliveryStore:
        with redact_stage_errors(workplace, f"{institution}: harmonising"):
            portions = DeliveryStore(stage_folder(workplace, institution, "harmonised"))
            portions.set_current(validated.manifest)  # made as it was judged: a delivery that cannot be harmonised is refused as a whole
        say(context, None, {"deliveries": len(validated.manifest)})
        return portions

    return harmonised


def institution_assets(institution: str) -> list[dg.AssetsDefinition]:
    """`<institution>/raw`, `/validated`, `/current`, `/harmonised`."""
    return [_raw(institution), _validated(institution), _current(institution), _harmonised(institution)]
