"""Signatures of heads of institutions: a quarter is signed as it was delivered, and a later delivery reopens it.

Belongs here: signing, and the state of each quarter. Does not belong here: who may sign (`portal`), the coordinator's signatures
(`warehouse.disclosure.policy`).

A signature covers the content of the deliveries that the quarter had. Nothing is stored when a quarter is reopened: its content then
differs from the signed content, and `changed` names the deliveries that the signature does not cover.
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
from harmonia.registry.ledger import now, read_deliveries
from harmonia.registry.tables import Delivery, Signature
from sources.completeness_states import REOPENED, SIGNED, UNSIGNED


@dataclass(frozen=True)
class SignatureState:
    """Whether a quarter is signed.

    state: `UNSIGNED`, `SIGNED` or `REOPENED`. by, at: who signed it last, and when. changed: the deliveries that were changed or added
    since then. content_hash: hash of the deliveries of the quarter as they are now. A form to sign contains it, to show what the signer
    saw.
    """

    state: str
    by: str | None = None
    at: datetime | None = None
    changed: tuple[str, ...] = ()
    content_hash: str = ""


def hash_quarter(quarter: Iterable[Delivery]) -> tuple[str, dict[str, str]]:
    """Return a hash over the deliveries of a quarter, and the hash of the content of each delivery."""
    contents = {one.name: one.receipts[-1].content for one in quarter}
    return hashlib.sha256(json.dumps(sorted(contents.items())).encode()).hexdigest(), contents


def sign_quarter(registry: Registry, institution: str, period: str, signer: str, seen_hash: str) -> None:
    """Sign a quarter. seen_hash: the value of `SignatureState.content_hash` when the signer saw the quarter.

    Raises `HarmoniaError` if no delivery for the quarter was read yet, or if the deliveries changed since the signer saw them.
    """
    with registry.write() as session:
        quarter = _group_by_quarter(read_deliveries(session)).get((institution, period), [])
        if not any(one.state for one in quarter):
            raise HarmoniaError(f"{institution} {period}: no delivery was read yet, so there is nothing to sign: run `harmonia run` first")
        content_hash, contents = hash_quarter(quarter)
        if content_hash != seen_hash:
            raise HarmoniaError(f"{institution} {period}: a delivery came since this page was opened: look at it, then sign")
        session.add(
            Signature(
                institution=institution, period=period, hash=content_hash, held=json.dumps(contents), signed_by=signer, signed_at=now()
            )
        )


def read_signature_states(registry: Registry, institution: str | None = None) -> dict[tuple[str, str], SignatureState]:
    """Return the signature state of every quarter for which a delivery was landed. The result maps institution and period to the state.

    institution: the institution whose quarters are returned; None for all.
    """
    with registry.read() as session:
        return determine_signature_states(session, [one for one in read_deliveries(session) if institution in (None, one.institution)])


def determine_signature_states(session: Session, ledger: Iterable[Delivery]) -> dict[tuple[str, str], SignatureState]:
    """Return the signature state of every quarter. The result maps institution and period to the state.

    ledger: deliveries that were read from the ledger in this session.
    """
    last = {(one.institution, one.period): one for one in session.scalars(select(Signature).order_by(Signature.id))}
    return {place: _determine_state_of_quarter(last.get(place), quarter) for place, quarter in _group_by_quarter(ledger).items()}


def list_signature_states(registry: Registry) -> pd.DataFrame:
    """Return the signature state of every quarter as a frame with the columns institution, period and signature.

    The states are `UNSIGNED`, `SIGNED` and `REOPENED`.
    """
    rows = [(institution, period, one.state) for (institution, period), one in sorted(read_signature_states(registry).items())]
    return pd.DataFrame(rows, columns=["institution", "period", "signature"], dtype="str")


def _determine_state_of_quarter(signature: Signature | None, quarter: Iterable[Delivery]) -> SignatureState:
    """Compare the deliveries of a quarter with its latest signature, and return the state of the quarter."""
    content_hash, contents = hash_quarter(quarter)
    if signature is None:
        return SignatureState(UNSIGNED, content_hash=content_hash)
    if content_hash == signature.hash:
        return SignatureState(SIGNED, signature.signed_by, signature.signed_at, content_hash=content_hash)
    before = json.loads(signature.held)
    changed = tuple(sorted(name for name, one in contents.items() if before.get(name) != one))
    return SignatureState(REOPENED, signature.signed_by, signature.signed_at, changed, content_hash)


def _group_by_quarter(ledger: Iterable[Delivery]) -> Mapping[tuple[str, str], list[Delivery]]:
    by_quarter: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in ledger:
        by_quarter.setdefault((delivery.institution, delivery.period), []).append(delivery)
    return by_quarter
