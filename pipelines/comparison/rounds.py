"""How long what was compared stands: until the institution's next quarter, whatever is corrected and delivered again meanwhile.

Belongs here: which quarter an institution is in, keeping and reading its evidence. Does not belong here: finding it (`evidence`).

A round is made once, when a quarter of the institution is first run, and kept in the registry. A correction (`_v2`), however often, and the
deliveries of others change nothing in it: whoever tries values until a finding goes learns nothing. Agreements are applied when it is read:
one that ends takes effect at once.
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
    """The quarter that each institution is in: institution, period; its newest one that had ended when it was delivered.

    deliveries: institution, delivery, period. early: institution, delivery of those that came before their quarter's end.
    """
    place = ["institution", "delivery"]
    in_time = ~pd.MultiIndex.from_frame(deliveries[place]).isin(pd.MultiIndex.from_frame(early[place]))
    return deliveries[in_time].groupby("institution")["period"].max().reset_index()


def held(registry: Registry, receivers: Collection[str] | None = None, quarters: pd.DataFrame | None = None) -> pd.DataFrame:
    """The evidence kept: `EVIDENCE` and the `period` of its round; all, or of all rounds of `receivers` and those of `quarters`
    (institution, period)."""
    asked = select(Compared.period, Compared.evidence).order_by(Compared.period)
    if receivers is not None and quarters is not None:
        newest = [(Compared.institution == one) & (Compared.period == period) for one, period in _pairs(quarters)]
        asked = asked.where(or_(Compared.institution.in_(sorted(receivers)), *newest))
    with registry.read() as session:
        rows = session.execute(asked).all()
    parts = [_typed(_unpacked(text)).assign(period=period) for period, text in rows]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else _typed(pd.DataFrame()).assign(period=pd.Series(dtype="str"))


def keep(registry: Registry, quarters: pd.DataFrame, gathered: Callable[[], pd.DataFrame]) -> int:
    """Keep a round for each of `quarters` (institution, period) without one, of the evidence `gathered`; returns how many were made."""
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
    """As Parquet: a round speaks of the whole history, and all of them are kept."""
    table = io.BytesIO()
    pq.write_table(parquet.to_arrow("evidence", evidence), table, compression="zstd")
    return base64.b64encode(table.getvalue()).decode("ascii")


def _unpacked(text: str) -> pd.DataFrame:
    """What `_packed` made; earlier rounds are JSON, the first of them not compressed."""
    kept = b"" if text.startswith("{") else base64.b64decode(text)
    if kept.startswith(_PARQUET):
        return parquet.read_table(kept)
    said = json.loads(zlib.decompress(kept) if kept else text)
    return pd.DataFrame(said["data"], columns=said["columns"])


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    types = {name: "bool" if name == "same" else "Int64" if name == "group" else "str" for name in EVIDENCE}
    return frame.reindex(columns=list(EVIDENCE)).astype(types)
