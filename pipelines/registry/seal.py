"""Seals: every writing transaction adds one over the rows that it entered, each built on the one before.

Belongs here: what is sealed, adding a seal, finding what was changed since. Does not belong here: who is told (`pipelines.checks.whole`,
`pipelines.backup.verify`).

A changed, removed or slipped-in row breaks its seal, a changed seal breaks all that follow. Sealed are the columns that are never
written again; what is closed later (`membership.until`) follows from them and is compared. Whoever can write to the registry, knows this
module and seals everything anew is found by comparing with the seals in a backup (`harmonia verify BACKUP`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, insert, select, text
from sqlalchemy.orm import Session, aliased

from pipelines.registry.bulk import AT_A_TIME
from pipelines.registry.tables import (
    Answer,
    Audit,
    Delivery,
    DeliveryFile,
    Entity,
    Erasure,
    ErasureOrder,
    Judgement,
    Membership,
    Receipt,
    Redaction,
    RemovedFile,
    Run,
    Seal,
)

Mark = tuple[int, int, str]  # highest place, rows, SHA-256 of a part that is sealed
_JSON = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Stream:
    """Rows that are entered in the order of `place` and never written again, in `columns`."""

    name: str
    place: Any
    columns: tuple[Any, ...]
    where: ColumnElement[bool] | None = None
    joined: Any = None

    def rows(self, after: int, until: int | None = None) -> Select[Any]:
        """The rows after one place and up to another, in order."""
        query = select(self.place, *self.columns).where(self.place > after).order_by(self.place)
        query = query.join(self.joined) if self.joined is not None else query
        query = query.where(self.where) if self.where is not None else query
        return query if until is None else query.where(self.place <= until)


def _columns(table: Any, *left: str) -> tuple[Any, ...]:
    """The columns of a table but its own place and those that are closed later."""
    names: Table = table.__table__
    return tuple(getattr(table, c.name) for c in names.columns if c.name not in left)


STREAMS: tuple[Stream, ...] = (
    Stream("run", Run.id, (Run.started,)),
    Stream(
        "receipt",
        Receipt.id,
        (*_columns(Receipt, "id", "incomplete"), Delivery.institution, Delivery.name, Delivery.period, Delivery.version),
        joined=Delivery,
    ),
    *(Stream(f"{kind} ids", Entity.number, _columns(Entity, "number", "redirect_to"), Entity.kind == kind) for kind in ("case", "person")),
    Stream("membership", Membership.sequence, _columns(Membership, "sequence", "until")),
    Stream("judgement", Judgement.id, _columns(Judgement, "id")),
    Stream("answer", Answer.id, _columns(Answer, "id", "decision", "decided_by", "decided_at", "until")),
    Stream("audit", Audit.id, _columns(Audit, "id")),
    *(
        Stream(str(table.__tablename__).replace("_", " "), table.id, _columns(table, "id"))
        for table in (ErasureOrder, Erasure, Redaction, RemovedFile)
    ),
)


def begin(session: Session) -> None:
    """One writer at a time, as SQLite has it by itself: places are then given in the order in which transactions end."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE seal IN SHARE ROW EXCLUSIVE MODE"))


def add(session: Session) -> None:
    """Seal the rows that have come since the last seal; none where there are none."""
    last = session.scalars(select(Seal).order_by(Seal.id.desc()).limit(1)).first()
    before = _covers(last.covers) if last else {}
    covers: dict[str, Mark] = {}
    for stream in STREAMS:
        start = before[stream.name][0] if stream.name in before else 0
        highest = session.scalar(select(func.max(stream.place)).where(*([] if stream.where is None else [stream.where])))
        if highest is not None and highest > start:
            count, digest = _digest(session, stream.rows(start))
            covers[stream.name] = (highest, count, digest)
        elif stream.name in before:
            covers[stream.name] = (start, 0, "")
    if any(count for _, count, _ in covers.values()):
        said = json.dumps(covers, sort_keys=True)
        chained = _chained(last.digest if last else "", said)
        session.execute(insert(Seal), [{"at": datetime.now(UTC), "covers": said, "digest": chained}])


def broken(session: Session) -> list[str]:
    """What of the ledger is no longer as it was entered, a line each; empty where all is."""
    wrong: list[str] = []
    before, reached = "", dict.fromkeys((stream.name for stream in STREAMS), 0)
    by_name = {stream.name: stream for stream in STREAMS}
    for seal in session.scalars(select(Seal).order_by(Seal.id)):
        if _chained(before, seal.covers) != seal.digest:
            return [
                *wrong,
                f"seal {seal.id} of {seal.at:%Y-%m-%d %H:%M} does not follow from the one before: seals were changed or removed",
            ]
        before = seal.digest
        for name, (highest, count, digest) in _covers(seal.covers).items():
            if count and (count, digest) != _digest(session, by_name[name].rows(reached[name], highest)):
                wrong.append(f"{name} {reached[name] + 1} to {highest}, entered {seal.at:%Y-%m-%d %H:%M} UTC, are not as they were entered")
            reached[name] = highest
    wrong += [f"{name}: rows after {place} bear no seal" for name, place in reached.items() if _more(session, by_name[name], place)]
    return wrong + _receipts(session) + _closed(session)


def head(session: Session) -> tuple[int, str]:
    """Number and digest of the newest seal; 0 and empty text where there is none."""
    last = session.execute(select(Seal.id, Seal.digest).order_by(Seal.id.desc()).limit(1)).first()
    return (last.id, last.digest) if last else (0, "")


def holds(session: Session, number: int, digest: str) -> bool:
    """Whether the seal of this number is still the one that it was (as a backup knows it)."""
    return number == 0 or session.scalar(select(Seal.digest).where(Seal.id == number)) == digest


def _covers(said: str) -> dict[str, Mark]:
    return {name: (int(mark[0]), int(mark[1]), str(mark[2])) for name, mark in json.loads(said).items()}


def _chained(before: str, covers: str) -> str:
    return hashlib.sha256(f"{before}\n{covers}".encode()).hexdigest()


def _digest(session: Session, asked: Select[Any]) -> tuple[int, str]:
    """How many rows, and one hash over them: a line of JSON a row."""
    digest, count = hashlib.sha256(), 0
    for rows in session.connection().execute(asked).partitions(AT_A_TIME):
        cells = map(_cells, zip(*rows, strict=True))
        lines = [f"[{', '.join(row)}]\n" for row in zip(*cells, strict=True)]
        digest.update("".join(lines).encode("utf-8", "surrogatepass"))
        count += len(lines)
    return count, digest.hexdigest() if count else ""


def _cells(column: tuple[Any, ...]) -> list[str]:
    """The values of a column as JSON; a moment that many rows bear is written once."""
    kinds = set(map(type, column))
    if kinds == {str}:
        return list(map(encode_basestring, column))
    if kinds == {int}:
        return list(map(str, column))
    return [f'"{_plain(value)}"' if isinstance(value, datetime) else _JSON(value) for value in column]


@lru_cache(maxsize=1024)  # what one transaction entered bears one moment
def _plain(moment: datetime) -> str:
    """A moment as it comes back from every database: in UTC to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _more(session: Session, stream: Stream, place: int) -> bool:
    return session.execute(stream.rows(place).limit(1)).first() is not None


def _receipts(session: Session) -> list[str]:
    """Receipts whose files are not those that their hash was made of."""
    files: dict[int, list[tuple[str, str, str]]] = {}
    for file in session.execute(select(DeliveryFile.receipt_id, DeliveryFile.name, DeliveryFile.sha256, DeliveryFile.kind)):
        files.setdefault(file.receipt_id, []).append((file.name, file.sha256, file.kind))
    query = select(Receipt.id, Receipt.hash, Delivery.institution, Delivery.name).join(Delivery)
    return [
        f"{one.institution} {one.name}: the files of its receipt {one.id} are not those that were received"
        for one in session.execute(query)
        if hashlib.sha256(json.dumps(sorted(files.get(one.id, []))).encode()).hexdigest() != one.hash
    ]


def _closed(session: Session) -> list[str]:
    """Memberships that are not closed by the next one of the same record, and ids that lead to a younger or to no id."""
    own, target = Membership, aliased(Entity)
    following = func.lead(own.since).over(partition_by=(own.kind, own.institution, own.record_key), order_by=own.sequence)
    pairs = select(own.until.label("closed"), following.label("followed")).subquery()
    odd = session.scalar(select(func.count()).select_from(pairs).where(pairs.c.closed.is_distinct_from(pairs.c.followed)))
    query = select(func.count()).select_from(Entity).outerjoin(target, target.id == Entity.redirect_to)
    astray = session.scalar(query.where(Entity.redirect_to.is_not(None), target.number.is_(None) | (target.number >= Entity.number)))
    told = [f"membership: {odd} rows are closed at another moment than the next of the same record began"] if odd else []
    return told + ([f"ids: {astray} lead to an id that is younger or none"] if astray else [])
