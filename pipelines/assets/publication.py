"""Publishing: replace the whole warehouse, then write feedback on every delivery, and scorecards."""

from contextlib import nullcontext

import dagster as dg
import pandas as pd

from harmonia.feedback.deliveries import select_findings_to_report
from harmonia.feedback.finding_states import COLUMNS_WITH_STATE
from harmonia.registry import open_registry
from harmonia.registry.ledger import DeliveryState, end_run, read_deliveries, record_states
from harmonia.registry.published_seal import store_newest_seal
from harmonia.scorecard.page import write_scorecard
from pipelines import delivery_report
from pipelines.asset_helpers import WRITER_POOL, add_counts_to_asset_metadata, make_metadata_table, redact_stage_errors
from pipelines.assets.feedback_batches import write_feedback_reports
from pipelines.assets.versions import hash_values, versioned_asset
from pipelines.checks.delivery_tolerances import report_tolerance_checks_to_dagster
from pipelines.landing import list_landed_deliveries
from pipelines.record_status import ROW_OUTCOMES
from pipelines.resources import encoded_texts
from pipelines.resources.lake import DataVersion, Tables, read_version, write_version
from pipelines.resources.workplace import Workplace
from sources import contract
from warehouse import postgres, tables
from warehouse.count.changed_rules import read_published_rules, require_new_versions
from warehouse.indicators.catalogue import catalogue
from warehouse.publish import publish_stores, remove_previous_publications
from warehouse.reading import find_folder_of_current_publication
from warehouse.releases import folder as releases
from warehouse.stores import arrange_stores, make_persons_table_of_identity_store, read_pseudonym_key

_COUNT_COLUMNS = ["read", *ROW_OUTCOMES]
_DELIVERY_KEY = ["institution", "delivery"]
_PERSON_COLUMNS = ["status", "case_key", *(c.name for c in tables.PERSONS.columns if c.name not in ("case_id", "person_id"))]


def _list_delivery_states(record_status: Tables) -> list[DeliveryState]:
    """Return the state of each delivery and its numbers of rows by record status, which are entered into the ledger."""
    counted = record_status["accounting"].groupby(_DELIVERY_KEY)[_COUNT_COLUMNS].sum().reset_index()
    rows = record_status["deliveries"].merge(counted, on=_DELIVERY_KEY, how="left").fillna(dict.fromkeys(_COUNT_COLUMNS, 0))
    return [
        DeliveryState(str(row["institution"]), str(row["delivery"]), str(row["state"]), {name: int(row[name]) for name in _COUNT_COLUMNS})
        for row in rows.to_dict("records")
    ]


@dg.asset(
    group_name="publish",
    kinds={"duckdb"},
    pool=WRITER_POOL,
    description="The published warehouse: one file, replaced as a whole or not at all.",
)
def warehouse(
    context: dg.AssetExecutionContext,
    landing: Tables,
    canonical: Tables,
    identities: Tables,
    record_status: Tables,
    statistics: Tables,
    workplace: dg.ResourceParam[Workplace],
) -> dict[str, pd.DataFrame]:
    """Publish the warehouse, and record in the registry the state of each delivery, its numbers of rows, and that the run published.

    The output has the tables `published` (name and number of rows of each published table), and `new` and `changed`, which are the report
    of the run (`pipelines.delivery_report`).
    """
    with redact_stage_errors(workplace, "publishing", context):
        home = workplace.home.root
        require_new_versions(read_published_rules(home), catalogue())
        records = {"person_records": canonical.select_columns("person_records", _PERSON_COLUMNS)}
        version, published_version = _compute_publication_version(workplace), read_version(find_folder_of_current_publication(home))
        unchanged = version is not None and published_version is not None and published_version.version == version
        changed = delivery_report.find_changed_totals(delivery_report.EMPTY_TOTALS, delivery_report.EMPTY_TOTALS)
        if unchanged:
            remove_previous_publications(home)  # readers had a whole run to switch; old ones may contain erased data
        else:
            before = delivery_report.read_published_totals(home)
            published = {name: statistics.open_for_duckdb(name) for name in statistics if name in tables.WAREHOUSE.tables}
            stores = arrange_stores(
                published,
                make_persons_table_of_identity_store(records, identities["cases"], identities["persons"]),
                read_pseudonym_key(home),
            )
            server = postgres.prepare_publication(workplace.warehouse_url, stores) if workplace.warehouse_url else nullcontext(lambda: None)
            with server as commit_server:
                publish_stores(stores, home, commit_server)
            if version is not None:
                write_version(find_folder_of_current_publication(home), DataVersion(version, None))
            if before is not None:
                changed = delivery_report.find_changed_totals(before, delivery_report.select_yearly_totals(statistics["statistics"]))
        counts = {name: n for name, n in statistics.count_rows().items() if name in tables.WAREHOUSE.tables}
        releases.remove_unfinished_releases(workplace.home.releases)
        registry = open_registry(workplace.registry)
        try:
            record_states(registry, _list_delivery_states(record_status))
            end_run(registry, int(landing["run"]["run"].iloc[0]), "published")
            store_newest_seal(workplace.home, registry)
        finally:
            registry.close()
        new = delivery_report.list_new_deliveries(landing["deliveries"], record_status["deliveries"], record_status["accounting"])
        context.instance.add_run_tags(context.run.run_id, delivery_report.make_run_tags(new, changed))
    rows = pd.DataFrame(list(counts.items()), columns=["table", "rows"])
    metadata = {
        "new deliveries": make_metadata_table(new),
        "yearly totals changed (harmonised)": make_metadata_table(changed),
        "file": dg.MetadataValue.path(str(workplace.home.warehouse)),
        "rows by table": make_metadata_table(rows),
        "unchanged": unchanged,
    }
    add_counts_to_asset_metadata(context, int(rows["rows"].sum()), metadata)
    return {"published": rows, "new": new, "changed": changed}


def _compute_publication_version(workplace: Workplace) -> str | None:
    """Return a hash of everything on which the published files depend.

    Return None if it is not known. Also return None if the tables are loaded into a server, where somebody may change them.
    """
    versions = [read_version(workplace.home.lake / stage) for stage in ("canonical", "identities", "statistics")]
    if workplace.warehouse_url or not all(versions):
        return None
    return hash_values([version.version for version in versions if version], read_pseudonym_key(workplace.home.root).hex())


@dg.asset(
    group_name="feedback",
    deps=["warehouse"],
    kinds={"json"},
    description="Feedback on every delivery in the language of its institution: findings and what to do.",
)
def feedback(
    context: dg.AssetExecutionContext,
    record_status: Tables,
    findings: Tables,
    canonical: Tables,
    workplace: dg.ResourceParam[Workplace],
) -> dict[str, pd.DataFrame]:
    """Write the feedback on every delivery. The output has the table `reports`, with one row for each delivery."""
    with redact_stage_errors(workplace, "feedback", context):
        registry = open_registry(workplace.registry)
        try:
            landed = list_landed_deliveries(registry, workplace.home)
            with registry.read() as session:
                received = {
                    (delivery.institution, delivery.name): delivery.receipts[-1].first_seen.date() for delivery in read_deliveries(session)
                }
        finally:
            registry.close()
        findings_with_answers = encoded_texts.concatenate_encoded_tables(
            [findings.read_encoded_columns("findings", [*COLUMNS_WITH_STATE, "answer", "answer_id"])]
        )
        reports = write_feedback_reports(workplace, landed, received, record_status, findings_with_answers, canonical)
        report_tolerance_checks_to_dagster(
            context,
            select_findings_to_report(findings_with_answers),
            record_status["deliveries"],
            record_status["accounting"],
            reports.loc[reports["written"], _DELIVERY_KEY],
        )
    add_counts_to_asset_metadata(
        context, None, {"folder": dg.MetadataValue.path(str(workplace.home.feedback)), "reports": make_metadata_table(reports)}
    )
    return {"reports": reports}


@versioned_asset(
    group_name="feedback",
    deps=["warehouse"],
    kinds={"html"},
    description="Scorecard of every institution: quality over twelve quarters against tolerance and its own past.",
)
def scorecard(context: dg.AssetExecutionContext, statistics: Tables, workplace: dg.ResourceParam[Workplace]) -> dict[str, pd.DataFrame]:
    """Write the scorecard of every institution. The output has the table `pages`: institution, and the number of its pages."""
    with redact_stage_errors(workplace, "scorecards", context):
        quality, yardsticks = statistics["quality"], statistics["yardstick"]
        rows = [(name, len(write_scorecard(workplace.home.root, quality, name, yardsticks))) for name in contract.institutions()]
    newest = quality[quality["unit"].isna() & (quality["period"] == quality["period"].max())]
    states = newest.groupby(["dimension", "state"]).size().rename("institutions").reset_index()
    add_counts_to_asset_metadata(
        context,
        len(quality),
        {"folder": dg.MetadataValue.path(str(workplace.home.root / "scorecards")), "newest quarter": make_metadata_table(states)},
    )
    return {"pages": pd.DataFrame(rows, columns=["institution", "pages"])}
