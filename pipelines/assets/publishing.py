"""What leaves the pipeline: the warehouse, swapped in whole, and a report for every delivery."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from pipelines.assets.describing import careful, say, table
from pipelines.current import ACCOUNTS, Current
from pipelines.feedback import write_feedback
from pipelines.landing import LandedDelivery, landed
from pipelines.registry import open_registry
from pipelines.registry.ledger import DeliveryState, deliveries, end_run, record_states
from pipelines.resources.workplace import Workplace
from pipelines.validate import Validated
from sources import contract
from warehouse.publish import people, publish


def _states(current: Current) -> list[DeliveryState]:
    """What the ledger keeps about each delivery: its state, and its rows by what became of them."""
    names = ["read", *ACCOUNTS]
    counted = current.accounting.groupby("delivery")[names].sum().reset_index()
    rows = current.deliveries.merge(counted, on="delivery", how="left").fillna(dict.fromkeys(names, 0))
    return [
        DeliveryState(str(row["institution"]), str(row["delivery"]), str(row["state"]), {name: int(row[name]) for name in names})
        for row in rows.to_dict("records")
    ]


def _warehouse(institutions: Sequence[str]) -> dg.AssetsDefinition:
    @dg.asset(
        group_name="together",
        ins={
            "landing": dg.AssetIn("landing"),
            "statistics": dg.AssetIn("statistics"),
            "canonical": dg.AssetIn("canonical"),
            "identities": dg.AssetIn("identities"),
            **{name: dg.AssetIn([name, "current"]) for name in institutions},
        },
        kinds={"duckdb"},
        description="The published warehouse: one file, swapped in whole, or not at all.",
    )
    def warehouse(
        context: dg.AssetExecutionContext,
        workplace: dg.ResourceParam[Workplace],
        landing: dict[str, pd.DataFrame],
        statistics: dict[str, pd.DataFrame],
        canonical: dict[str, pd.DataFrame],
        identities: dict[str, pd.DataFrame],
        **current: Current,
    ) -> dict[str, pd.DataFrame]:
        with careful(workplace, "publishing"):
            publish(statistics, people(canonical, identities["cases"], identities["persons"]), workplace.home.root)
            registry = open_registry(workplace.registry)
            try:
                record_states(registry, [state for name in institutions for state in _states(current[name])])
                end_run(registry, int(landing["run"]["run"].iloc[0]), "published")
            finally:
                registry.close()
        rows = pd.DataFrame([(name, len(frame)) for name, frame in statistics.items()], columns=["table", "rows"])
        say(context, int(rows["rows"].sum()), {"file": dg.MetadataValue.path(str(workplace.home.warehouse)), "rows by table": table(rows)})
        return {"published": rows}

    return warehouse


def _files(one: LandedDelivery, validated: Validated, accounting: pd.DataFrame) -> pd.DataFrame:
    """The files of a delivery: file, state, physical rows by what became of them, size and hash as landed."""
    states = validated.files.loc[validated.files["delivery"] == str(one.name), ["file", "state"]]
    kept = pd.DataFrame([(f.name, f.path.stat().st_size, f.path.name) for f in one.files], columns=["file", "size", "sha256"])
    ours = accounting.loc[accounting["delivery"] == str(one.name), ["file", "read", *ACCOUNTS]]
    return states.merge(ours, on="file", how="left").merge(kept.astype({"file": "str"}), on="file", how="left")


def _reports(
    home: Path,
    ours: list[LandedDelivery],
    received: dict[tuple[str, str], date],
    validated: Validated,
    current: Current,
    findings: pd.DataFrame,
) -> int:
    """Write the reports of one institution; the number of files."""
    judged = set(validated.deliveries["delivery"])
    written = 0
    for one in ours:
        name = str(one.name)
        if name not in judged:
            continue  # received by another process since this run read: the next one reports on it
        files = _files(one, validated, current.accounting)
        mine = findings[findings["delivery"] == name]
        language = contract.load(one.institution).language
        written += len(write_feedback(home, one.institution, name, files, mine, language, received.get((one.institution, name))))
    return written


def _feedback(institutions: Sequence[str]) -> dg.AssetsDefinition:
    @dg.asset(
        group_name="together",
        deps=["warehouse"],
        ins={
            "findings": dg.AssetIn("findings"),
            **{f"{name}_current": dg.AssetIn([name, "current"]) for name in institutions},
            **{f"{name}_validated": dg.AssetIn([name, "validated"]) for name in institutions},
        },
        kinds={"json"},
        description="For every delivery, what its institution should know and do, in its language.",
    )
    def feedback(
        context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace], findings: dict[str, pd.DataFrame], **stages: Any
    ) -> dict[str, pd.DataFrame]:
        with careful(workplace, "feedback"):
            registry = open_registry(workplace.registry)
            try:
                stand = landed(registry, workplace.home)
                with registry.read() as session:
                    received = {(one.institution, one.name): one.receipts[-1].first_seen.date() for one in deliveries(session)}
            finally:
                registry.close()
            every, rows = findings["findings"], []
            for name in institutions:
                ours = [one for one in stand if one.institution == name]
                of_it = every[every["institution"] == name]
                written = _reports(workplace.home.root, ours, received, stages[f"{name}_validated"], stages[f"{name}_current"], of_it)
                rows.append((name, len(ours), written, int(of_it["state"].eq("new").sum()), int(of_it["state"].eq("fixed").sum())))
        reports = pd.DataFrame(rows, columns=["institution", "deliveries", "files", "new findings", "fixed findings"])
        say(context, None, {"folder": dg.MetadataValue.path(str(workplace.home.feedback)), "reports": table(reports)})
        return {"reports": reports}

    return feedback


def assets(institutions: Sequence[str]) -> list[dg.AssetsDefinition]:
    """`warehouse`, `feedback`."""
    return [_warehouse(institutions), _feedback(institutions)]
