"""Signatures of heads of institutions: a quarter is signed as it was delivered, and a later delivery reopens it.

Belongs here: signing, and the state of each quarter. Does not belong here: who may sign (`portal`), the coordinator's signatures
(`warehouse.disclosure.policy`).

A signature covers the receipts that the quarter had. Nothing marks it as reopened: it no longer covers what is there, and `changed`
names the deliveries that it does not cover.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.registry.ledger import deliveries, now
from harmonia.registry.tables import Delivery, Signature
from sources.states import REOPENED, SIGNED, UNSIGNED


@dataclass(frozen=True)
class Signed:
    """The state of a quarter: `UNSIGNED`, `SIGNED` or `REOPENED`; by whom and when it was last signed; deliveries since then.

    there: the hash over what the quarter holds now; whoever signs it says by this hash what was looked at.
    """

    state: str
    by: str | None = None
    at: datetime | None = None
    changed: tuple[str, ...] = ()
    there: str = ""


def content(quarter: Iterable[Delivery]) -> tuple[str, dict[str, str]]:
    """Return a hash over what a quarter holds, and the hash of the content of each of its deliveries."""
    held = {one.name: one.receipts[-1].content for one in quarter}
    return hashlib.sha256(json.dumps(sorted(held.items())).encode()).hexdigest(), held


def sign(registry: Registry, institution: str, period: str, by: str, looked_at: str) -> None:
    """Sign a quarter. looked_at: `Signed.there` when the head looked at it.

    Raises `HarmoniaError` where nothing was delivered, nothing of it was read yet, or it changed since the head saw it.
    """
    with registry.write() as session:
        quarter = _quarters(deliveries(session)).get((institution, period), [])
        if not any(one.state for one in quarter):
            raise HarmoniaError(f"{institution} {period}: no delivery was read yet, so there is nothing to sign: run `harmonia run` first")
        there, held = content(quarter)
        if there != looked_at:
            raise HarmoniaError(f"{institution} {period}: a delivery came since this page was opened: look at it, then sign")
        session.add(Signature(institution=institution, period=period, hash=there, held=json.dumps(held), signed_by=by, signed_at=now()))


def states(registry: Registry, institution: str | None = None) -> dict[tuple[str, str], Signed]:
    """(institution, period) -> its state, every quarter of which a delivery was landed."""
    with registry.read() as session:
        return states_of(session, [one for one in deliveries(session) if institution in (None, one.institution)])


def states_of(session: Session, ledger: Iterable[Delivery]) -> dict[tuple[str, str], Signed]:
    """(institution, period) -> its state, every quarter of the deliveries that were read from the ledger in this session."""
    last = {(one.institution, one.period): one for one in session.scalars(select(Signature).order_by(Signature.id))}
    return {place: _state(last.get(place), quarter) for place, quarter in _quarters(ledger).items()}


def frame(registry: Registry) -> pd.DataFrame:
    """Return the state of every quarter as a frame. Columns out: institution, period, signature (`UNSIGNED`, `SIGNED`, `REOPENED`)."""
    rows = [(institution, period, one.state) for (institution, period), one in sorted(states(registry).items())]
    return pd.DataFrame(rows, columns=["institution", "period", "signature"], dtype="str")


def _state(signature: Signature | None, quarter: Iterable[Delivery]) -> Signed:
    there, held = content(quarter)
    if signature is None:
        return Signed(UNSIGNED, there=there)
    if there == signature.hash:
        return Signed(SIGNED, signature.signed_by, signature.signed_at, there=there)
    before = json.loads(signature.held)
    changed = tuple(sorted(name for name, one in held.items() if before.get(name) != one))
    return Signed(REOPENED, signature.signed_by, signature.signed_at, changed, there)


def _quarters(ledger: Iterable[Delivery]) -> Mapping[tuple[str, str], list[Delivery]]:
    found: dict[tuple[str, str], list[Delivery]] = {}
    for one in ledger:
        found.setdefault((one.institution, one.period), []).append(one)
    return found
