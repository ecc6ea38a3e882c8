"""The four stages that every institution's records go through by themselves: read, validate, current, harmonise.

One factory makes them for every institution that has a contract: a new institution needs no edit here.
"""

from dataclasses import dataclass

import dagster as dg
import pandas as pd

from pipelines.assets.describing import careful, say, table
from pipelines.current import ACCOUNTS, Current, resolve
from pipelines.harmonise.stage import harmonise
from pipelines.landing import landed
from pipelines.registry import open_registry
from pipelines.resources.workplace import Workplace
from pipelines.validate import Validated, validate
from sources.readers.result import ReadResult
from sources.reading import read_delivery


@dataclass
class RawDelivery(ReadResult):
    """One delivery as read, with its name. `incomplete`: a file was still being written, so that absence from it says nothing."""

    delivery: str = ""
    incomplete: bool = False


def _raw(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "raw"],
        group_name=institution,
        deps=["landing"],
        kinds={"python", "parquet"},
        description=f"Every row that {institution} delivered, as text, with file and line.",
    )
    def raw(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]) -> list[RawDelivery]:
        with careful(workplace, f"{institution}: reading"):
            registry = open_registry(workplace.registry)
            try:
                ours = [d for d in landed(registry, workplace.home) if d.institution == institution]
            finally:
                registry.close()
            read = [RawDelivery(**vars(read_delivery(institution, d.files)), delivery=str(d.name), incomplete=d.incomplete) for d in ours]
        rows = sum(len(frame) for one in read for frame in one.tables.values())
        say(
            context,
            rows,
            {
                "deliveries": len(read),
                "unreadable rows": sum(len(one.unreadable) for one in read),
                "structural rows": sum(len(one.structure) for one in read),
                "files": table(_files(read)),
            },
        )
        return read

    return raw


def _files(read: list[RawDelivery]) -> pd.DataFrame:
    """Number of files by delivery and state. Names stay out: an undeclared file may be called after a person."""
    rows = [(one.delivery, state) for one in read for state in one.files.values()]
    return pd.DataFrame(rows, columns=["delivery", "state"]).groupby(["delivery", "state"]).size().rename("files").reset_index()


def _validated(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "validated"],
        group_name=institution,
        ins={"raw": dg.AssetIn([institution, "raw"])},
        kinds={"pandera", "parquet"},
        description=f"Rows of {institution}, typed and judged; rows whose key or structure cannot be read are set aside.",
    )
    def validated(context: dg.AssetExecutionContext, raw: list[RawDelivery], workplace: dg.ResourceParam[Workplace]) -> Validated:
        with careful(workplace, f"{institution}: validating"):
            judged = validate(institution, {one.delivery: one for one in raw}, partial={one.delivery for one in raw if one.incomplete})
        found = judged.findings
        say(
            context,
            sum(map(len, judged.tables.values())),
            {
                "quarantined rows": len(judged.quarantined),
                "findings": len(found),
                "findings by rule": table(found.groupby(["severity", "rule"]).size().rename("findings").reset_index()),
            },
        )
        return judged

    return validated


def _current(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "current"],
        group_name=institution,
        ins={"validated": dg.AssetIn([institution, "validated"])},
        kinds={"pandas", "parquet"},
        description=f"What became of every row of {institution}: accepted, superseded, withdrawn, quarantined or structural.",
    )
    def current(context: dg.AssetExecutionContext, validated: Validated, workplace: dg.ResourceParam[Workplace]) -> Current:
        with careful(workplace, f"{institution}: deciding what stands"):
            stands = resolve(validated)
        by_delivery = stands.accounting.groupby("delivery")[["read", *ACCOUNTS]].sum()
        sums = by_delivery.sum()
        say(
            context,
            int(sums["accepted"]),
            {**{f"{name} rows": int(n) for name, n in sums.items()}, "rows by delivery": table(by_delivery.reset_index())},
        )
        return stands

    return current


def _harmonised(institution: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[institution, "harmonised"],
        group_name=institution,
        ins={"current": dg.AssetIn([institution, "current"])},
        kinds={"pandas", "parquet"},
        description=f"Records of {institution} in the one vocabulary, every state with its status.",
    )
    def harmonised(context: dg.AssetExecutionContext, current: Current, workplace: dg.ResourceParam[Workplace]) -> dict[str, pd.DataFrame]:
        with careful(workplace, f"{institution}: harmonising"):
            tables = harmonise(institution, current.tables)
        say(context, sum(map(len, tables.values())), {})
        return tables

    return harmonised


def institution_assets(institution: str) -> list[dg.AssetsDefinition]:
    """`<institution>/raw`, `/validated`, `/current`, `/harmonised`."""
    return [_raw(institution), _validated(institution), _current(institution), _harmonised(institution)]
