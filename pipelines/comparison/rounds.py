"""Rounds of comparison: the evidence on an institution is fixed until its next quarter, whatever is corrected in between.

Belongs here: the current quarter of an institution, storing and reading its evidence. Does not belong here: finding it (`evidence`).

A round is made once, when a quarter of the institution is first run, and stored in the registry. Corrections (`_v2`) and deliveries of
others do not change it: trying values until a finding disappears discloses nothing. Agreements are applied on reading: the end of one takes
effect at once.
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

from pipelines.comparison.evidence import EVIDENCE
from pipelines.registry import Registry
from pipelines.registry.ledger import now
from pipelines.registry.tables import Compared
from pipelines.resources import parquet

_PARQUET = b"PAR1"


def current(deliveries: pd.DataFrame, early: pd.DataFrame) -> pd.DataFrame:
    """The current quarter of each institution: institution, period; the newest one that had ended when it was delivered.

    deliveries: institution, delivery, period. early: institution, delivery of those delivered before the end of their quarter.
    """
    place = ["institution", "delivery"]
    in_time = ~pd.MultiIndex.from_frame(deliveries[place]).isin(pd.MultiIndex.from_frame(early[place]))
    return deliveries[in_time].groupby("institution")["period"].max().reset_index()


def stored(registry: Registry, receivers: Collection[str] | None = None, quarters: pd.DataFrame | None = None) -> pd.DataFrame:
    """The stored evidence: `EVIDENCE` and the `period` of its round; all of it, or of all rounds of `receivers` and of the rounds
    `quarters` (institution, period)."""
    asked = select(Compared.period, Compared.evidence).order_by(Compared.period)
    if receivers is not None and quarters is not None:
        newest = [(Compared.institution == one) & (Compared.period == period) for one, period in _pairs(quarters)]
        asked = asked.where(or_(Compared.institution.in_(sorted(receivers)), *newest))
    with registry.read() as session:
        rows = session.execute(asked).all()
    parts = [_typed(_unpacked(text)).assign(period=period) for period, text in rows]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else _typed(pd.DataFrame()).assign(period=pd.Series(dtype="str"))


def store(registry: Registry, quarters: pd.DataFrame, gathered: Callable[[], pd.DataFrame]) -> int:
    """Store a round of the evidence `gathered` for each of `quarters` (institution, period) without one; returns how many."""
    with registry.read() as session:
        known = {(institution, period) for institution, period in session.execute(select(Compared.institution, Compared.period))}
    fresh = [pair for pair in _pairs(quarters) if pair not in known]
    if not fresh:
        return 0
    evidence, moment = gathered(), now()
    with registry.write() as session:
        for institution, period in fresh:
            mine = evidence[evidence["receiver"] == institution].reset_index(drop=True)
            session.add(Compared(institution=institution, period=period, at=moment, evidence=_packed(mine)))
    return len(fresh)


def _pairs(quarters: pd.DataFrame) -> list[tuple[str, str]]:
    return list(quarters[["institution", "period"]].itertuples(index=False, name=None))


def _packed(evidence: pd.DataFrame) -> str:
    """Compressed Parquet as text: a round covers the whole history, and all rounds are stored."""
    table = io.BytesIO()
    pq.write_table(parquet.to_arrow("evidence", evidence), table, compression="zstd")
    return base64.b64encode(table.getvalue()).decode("ascii")


def _unpacked(text: str) -> pd.DataFrame:
    """The frame from `_packed`; earlier rounds are JSON, the first of them not compressed."""
    content = b"" if text.startswith("{") else base64.b64decode(text)
    if content.startswith(_PARQUET):
        return parquet.read_table(content)
    table = json.loads(zlib.decompress(content) if content else text)
    return pd.DataFrame(table["data"], columns=table["columns"])


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    types = {name: "bool" if name == "same" else "Int64" if name == "group" else "str" for name in EVIDENCE}
    return frame.reindex(columns=list(EVIDENCE)).astype(types)
