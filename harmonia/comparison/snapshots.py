"""Snapshots of the evidence on an institution's records: one for each of its quarters.

Belongs here: deciding which quarter of an institution is the current one; saving and loading snapshots. Does not belong here: collecting
evidence (`collect`).

A snapshot is saved in the registry once, in the first run with a delivery of the institution for that quarter. Later corrections (`_v2`)
and deliveries of other institutions do not change it. So an institution cannot find out the other's value by sending corrections until a
finding disappears. Agreements are applied when snapshots are loaded: if an agreement ends, this takes effect at once.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Callable, Collection

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import or_, select

from harmonia.comparison.evidence import EVIDENCE
from harmonia.registry import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import ComparisonSnapshot
from pipelines.resources import parquet

_PARQUET = b"PAR1"


def find_newest_ended_quarters(deliveries: pd.DataFrame, early_deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return the current quarter of each institution: the newest quarter that had ended when it was delivered.

    Columns out: institution, period. deliveries: all deliveries, with institution, delivery and period. early_deliveries: the deliveries
    that came before the end of their quarter, with institution and delivery.
    """
    key = ["institution", "delivery"]
    in_time = ~pd.MultiIndex.from_frame(deliveries[key]).isin(pd.MultiIndex.from_frame(early_deliveries[key]))
    return deliveries[in_time].groupby("institution")["period"].max().reset_index()


def load_evidence_snapshots(
    registry: Registry, receivers: Collection[str] | None = None, quarters: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Load the saved evidence. Columns out: `EVIDENCE` and `period`, the quarter of the snapshot.

    Loaded are all snapshots of the institutions `receivers`, and the snapshots of `quarters` (institution, period). If either is None,
    all snapshots are loaded.
    """
    query = select(ComparisonSnapshot.period, ComparisonSnapshot.evidence).order_by(ComparisonSnapshot.period)
    if receivers is not None and quarters is not None:
        newest = [
            (ComparisonSnapshot.institution == institution) & (ComparisonSnapshot.period == period)
            for institution, period in _list_institutions_and_quarters(quarters)
        ]
        query = query.where(or_(ComparisonSnapshot.institution.in_(sorted(receivers)), *newest))
    with registry.read() as session:
        rows = session.execute(query).all()
    parts = [_set_evidence_column_types(_unpack_evidence(text)).assign(period=period) for period, text in rows]
    filled = [part for part in parts if len(part)]
    return (
        pd.concat(filled, ignore_index=True) if filled else _set_evidence_column_types(pd.DataFrame()).assign(period=pd.Series(dtype="str"))
    )


def save_missing_evidence_snapshots(registry: Registry, quarters: pd.DataFrame, collect_evidence: Callable[[], pd.DataFrame]) -> int:
    """Save a snapshot for each of `quarters` (institution, period) that has no snapshot yet; return how many were saved.

    collect_evidence: a function that returns the evidence; it is called only if a snapshot must be saved.
    """
    with registry.read() as session:
        existing = {
            (institution, period)
            for institution, period in session.execute(select(ComparisonSnapshot.institution, ComparisonSnapshot.period))
        }
    missing = [pair for pair in _list_institutions_and_quarters(quarters) if pair not in existing]
    if not missing:
        return 0
    evidence, timestamp = collect_evidence(), now()
    with registry.write() as session:
        for institution, period in missing:
            received_evidence = evidence[evidence["receiver"] == institution].reset_index(drop=True)
            session.add(
                ComparisonSnapshot(institution=institution, period=period, at=timestamp, evidence=_pack_evidence(received_evidence))
            )
    return len(missing)


def _list_institutions_and_quarters(quarters: pd.DataFrame) -> list[tuple[str, str]]:
    return list(quarters[["institution", "period"]].itertuples(index=False, name=None))


def _pack_evidence(evidence: pd.DataFrame) -> str:
    """Convert evidence to a text: compressed Parquet in base64.

    It is compressed since all snapshots are kept, and each contains evidence of all years.
    """
    table = io.BytesIO()
    pq.write_table(parquet.convert_frame_to_arrow("evidence", evidence), table, compression="zstd")
    return base64.b64encode(table.getvalue()).decode("ascii")


def _unpack_evidence(text: str) -> pd.DataFrame:
    """Convert a text to evidence. Besides the format of `_pack_evidence`, it reads those of earlier versions: JSON, compressed or not."""
    content = b"" if text.startswith("{") else base64.b64decode(text)
    if content.startswith(_PARQUET):
        return parquet.read_table(content)
    table = json.loads(zlib.decompress(content) if content else text)
    return pd.DataFrame(table["data"], columns=table["columns"])


def _set_evidence_column_types(frame: pd.DataFrame) -> pd.DataFrame:
    types = {name: "bool" if name == "same" else "Int64" if name == "group" else "str" for name in EVIDENCE}
    return frame.reindex(columns=list(EVIDENCE)).astype(types)
