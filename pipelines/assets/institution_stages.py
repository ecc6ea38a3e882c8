"""The four stages that run for each institution separately: read, validate, determine the record status, harmonise.

The functions of this module build them for every institution that has a contract, so that a new institution needs no change here.
"""

import dagster as dg
import pandas as pd

from harmonia.registry import open_registry
from pipelines.asset_helpers import add_counts_to_asset_metadata, make_metadata_table, redact_stage_errors
from pipelines.assets.delivery_batches import read_deliveries, replace_keys_of_refused_deliveries, validate_deliveries
from pipelines.assets.delivery_frames import ROW_COLUMN, count_validated_rows, get_stage_folder, load_validated_deliveries
from pipelines.assets.versions import versioned_asset
from pipelines.landing import list_landed_deliveries
from pipelines.record_status import ROW_OUTCOMES, resolve_record_statuses
from pipelines.resources.delivery_store import DeliveryStore, make_stage_key
from pipelines.resources.workplace import Workplace


def _build_raw_asset(institution: str) -> dg.AssetsDefinition:
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
                deliveries = {str(d.name): d for d in list_landed_deliveries(registry, workplace.home) if d.institution == institution}
            finally:
                registry.close()
            store = DeliveryStore(get_stage_folder(workplace, institution, "raw"))
            keys = replace_keys_of_refused_deliveries(
                {name: make_stage_key(d.receipt, d.incomplete) for name, d in deliveries.items()}, [store]
            )
            new = store.find_missing_outputs(keys)
            store.set_current_outputs({**keys, **read_deliveries(workplace, institution, [deliveries[name] for name in new], keys, store)})
            frames = store.load_frames({"row_counts"}.__contains__)
        counts = frames.get("row_counts", pd.DataFrame(columns=["rows", "unreadable", "structural"]))[
            ["rows", "unreadable", "structural"]
        ].sum()
        add_counts_to_asset_metadata(
            context,
            int(counts["rows"]),
            {
                "deliveries": len(keys),
                "read in this run": len(new),
                "unreadable rows": int(counts["unreadable"]),
                "structural rows": int(counts["structural"]),
            },
        )
        return store

    return raw


def _build_validated_asset(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "validated"],
        group_name="validate",
        ins={"raw": dg.AssetIn([institution, "raw"])},
        kinds={"pandera", "parquet"},
        description=f"Validated rows of {institution}: typed and checked; rows whose key or structure cannot be read are quarantined.",
    )
    def validated(context: dg.AssetExecutionContext, raw: DeliveryStore, workplace: dg.ResourceParam[Workplace]) -> DeliveryStore:
        with redact_stage_errors(workplace, f"{institution}: validating"):
            store, harmonised = (DeliveryStore(get_stage_folder(workplace, institution, stage)) for stage in ("validated", "harmonised"))
            keys = replace_keys_of_refused_deliveries(raw.manifest, [store, harmonised])
            new = [name for name in keys if name in {*store.find_missing_outputs(keys), *harmonised.find_missing_outputs(keys)}]
            store.set_current_outputs({**keys, **validate_deliveries(workplace, institution, new, raw)})
            rows, quarantined, findings = count_validated_rows(store)
        add_counts_to_asset_metadata(
            context,
            rows,
            {
                "validated in this run": len(new),
                "quarantined rows": quarantined,
                "findings": len(findings),
                "findings by rule": make_metadata_table(findings.groupby(["severity", "rule"]).size().rename("findings").reset_index()),
            },
        )
        return store

    return validated


def _build_current_asset(institution: str) -> dg.AssetsDefinition:
    @versioned_asset(
        key=[institution, "current"],
        group_name="record_status",
        ins={"validated": dg.AssetIn([institution, "validated"])},
        kinds={"pandas", "parquet"},
        description=f"Record status of every row of {institution}: accepted, superseded, withdrawn, quarantined or structural.",
    )
    def current(
        context: dg.AssetExecutionContext, validated: DeliveryStore, workplace: dg.ResourceParam[Workplace]
    ) -> dict[str, pd.DataFrame]:
        """Set the record status of all rows of the institution.

        The output has the tables of `pipelines.record_status.RecordStatuses`, except that its `tables` are replaced by one table `statuses`
        with the row number (`ROW_COLUMN`) and the record status (`_status`) of every row.
        """
        with redact_stage_errors(workplace, f"{institution}: deciding the record status"):
            current_state = resolve_record_statuses(load_validated_deliveries(institution, validated))
            statuses = pd.concat([frame[[ROW_COLUMN, "_status"]] for frame in current_state.tables.values()], ignore_index=True).astype(
                {ROW_COLUMN: "int64"}
            )
        by_delivery = current_state.accounting.groupby("delivery")[["read", *ROW_OUTCOMES]].sum()
        sums = by_delivery.sum()
        by_delivery = by_delivery.join(current_state.deliveries.set_index("delivery")["state"], how="right").reset_index()
        add_counts_to_asset_metadata(
            context,
            int(sums["accepted"]),
            {
                **{f"{name} rows": int(n) for name, n in sums.items()},
                "rows by delivery": make_metadata_table(by_delivery),
            },
        )
        others = {
            name: getattr(current_state, name)
            for name in ("lineage", "accounting", "quarantined", "findings", "deliveries", "successors", "returns")
        }
        return {"statuses": statuses, **others}

    return current


def _build_harmonised_asset(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "harmonised"],
        group_name="harmonise",
        ins={"validated": dg.AssetIn([institution, "validated"])},
        kinds={"pandas", "parquet"},
        description=f"Records of {institution} in the canonical schema, with all their versions.",
    )
    def harmonised(context: dg.AssetExecutionContext, validated: DeliveryStore, workplace: dg.ResourceParam[Workplace]) -> DeliveryStore:
        with redact_stage_errors(workplace, f"{institution}: harmonising"):
            store = DeliveryStore(get_stage_folder(workplace, institution, "harmonised"))
            store.set_current_outputs(validated.manifest)  # the step of validation has already stored the harmonised rows
        add_counts_to_asset_metadata(context, None, {"deliveries": len(validated.manifest)})
        return store

    return harmonised


def build_institution_assets(institution: str) -> list[dg.AssetsDefinition]:
    """Return the four assets of an institution: `<institution>/raw`, `/validated`, `/current` and `/harmonised`."""
    return [
        _build_raw_asset(institution),
        _build_validated_asset(institution),
        _build_current_asset(institution),
        _build_harmonised_asset(institution),
    ]
