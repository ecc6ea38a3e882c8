"""Seals: a hash chain over the registry. Every write transaction adds a seal over its rows, chained to the seal before.

Belongs here: what is sealed, adding a seal, finding changes. Does not belong here: reporting them (`pipelines.checks.pipeline_wide`,
`harmonia.operations.backup.verify`).

A changed, removed or inserted row breaks its seal; a changed seal breaks all later ones. Every column of every table is covered in one of
three ways: by a `SealedStream` of append-only rows; by a `SealedState` of rows that are updated, as of the last transaction; by `DERIVED`,
if the value follows from sealed ones and is compared with them. An attacker who recomputes all seals is detected by comparison with the
seals in a backup (`harmonia verify BACKUP`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, insert, inspect, select, text
from sqlalchemy.orm import Session, aliased

from harmonia.registry.bulk import AT_A_TIME
from harmonia.registry.tables import (
    Answer,
    Audit,
    Base,
    Compared,
    Delivery,
    DeliveryFile,
    Entity,
    Erasure,
    ErasureOrder,
    File,
    Judgement,
    Membership,
    Problem,
    Pull,
    Receipt,
    Redaction,
    RemovedFile,
    Run,
    Sample,
    SampledPair,
    SampleStratum,
    Seal,
    Signature,
)

Mark = tuple[int, int, str]  # highest place, number of rows, SHA-256 of a sealed part
_JSON = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class SealedStream:
    """Append-only rows in the order of `place`, with `columns`."""

    name: str
    place: Any
    columns: tuple[Any, ...]
    where: ColumnElement[bool] | None = None
    joined: Any = None

    def rows(self, after: int, until: int | None = None) -> Select[Any]:
        """The rows after one place up to another, in order."""
        query = select(self.place, *self.columns).where(self.place > after).order_by(self.place)
        query = query.join(self.joined) if self.joined is not None else query
        query = query.where(self.where) if self.where is not None else query
        return query if until is None else query.where(self.place <= until)


@dataclass(frozen=True)
class SealedState:
    """Rows that are updated: current `columns` in the order of `by`."""

    name: str
    by: tuple[Any, ...]
    columns: tuple[Any, ...]
    where: ColumnElement[bool] | None = None

    def rows(self) -> Select[Any]:
        """Select all rows, in order."""
        query = select(*self.by, *self.columns).order_by(*self.by)
        return query if self.where is None else query.where(self.where)


def _sealed_columns(table: Any, *left: str) -> tuple[Any, ...]:
    """The columns of a table except those in `left`."""
    names: Table = table.__table__
    return tuple(getattr(table, c.name) for c in names.columns if c.name not in left)


STREAMS: tuple[SealedStream, ...] = (
    SealedStream("run", Run.id, (Run.started,)),
    SealedStream(
        "receipt",
        Receipt.id,
        (*_sealed_columns(Receipt, "id", "incomplete"), Delivery.institution, Delivery.name, Delivery.period, Delivery.version),
        joined=Delivery,
    ),
    *(
        SealedStream(f"{kind} ids", Entity.number, _sealed_columns(Entity, "number", "redirect_to"), Entity.kind == kind)
        for kind in ("case", "person")
    ),
    SealedStream("membership", Membership.sequence, _sealed_columns(Membership, "sequence", "until")),
    SealedStream("judgement", Judgement.id, _sealed_columns(Judgement, "id")),
    SealedStream("pull", Pull.id, _sealed_columns(Pull, "id")),
    SealedStream("answer", Answer.id, _sealed_columns(Answer, "id", "decision", "decided_by", "decided_at", "until")),
    SealedStream("audit", Audit.id, _sealed_columns(Audit, "id", "reason")),
    SealedStream("reasons in the audit", Audit.id, (Audit.reason,), Audit.reason.is_not(None)),
    SealedStream("signature", Signature.id, _sealed_columns(Signature, "id")),
    *(
        SealedStream(str(table.__tablename__).replace("_", " "), table.id, _sealed_columns(table, "id"))
        for table in (ErasureOrder, Erasure, Redaction, RemovedFile)
    ),
)

STATES: tuple[SealedState, ...] = (
    SealedState("runs as closed", (Run.id,), (Run.finished, Run.outcome)),
    SealedState("files", (File.sha256,), _sealed_columns(File, "sha256")),
    SealedState("deliveries as they stand", (Delivery.id,), _sealed_columns(Delivery, "id")),
    SealedState("receipts as they stand", (Receipt.id,), (Receipt.incomplete,)),
    SealedState("problems of the inbox", (Problem.id,), _sealed_columns(Problem, "id")),
    SealedState("decisions on answers", (Answer.id,), (Answer.decision, Answer.decided_by, Answer.decided_at, Answer.until)),
    SealedState("ids that lead to others", (Entity.kind, Entity.number), (Entity.redirect_to,), Entity.redirect_to.is_not(None)),
    SealedState("rounds of comparison", (Compared.institution, Compared.period), (Compared.at, Compared.hash)),
    SealedState("samples", (Sample.id,), _sealed_columns(Sample, "id")),
    SealedState("strata", (SampleStratum.sample_id, SampleStratum.name), _sealed_columns(SampleStratum, "sample_id", "name")),
    SealedState("sampled pairs", (SampledPair.sample_id, SampledPair.position), _sealed_columns(SampledPair, "sample_id", "position")),
)
DERIVED: dict[str, str] = {
    "delivery_file.receipt_id": "receipt.hash is over the files of a receipt",
    "delivery_file.name": "receipt.hash is over it",
    "delivery_file.sha256": "receipt.hash is over it",
    "delivery_file.kind": "receipt.hash is over it",
    "membership.until": "equals `since` of the next membership of the same record",
    "compared.evidence": "compared.hash is over it",
    "seal.id": "the chain of digests is in its order",
    "seal.at": "seal.digest is over it",
    "seal.covers": "seal.digest is over it",
    "seal.digest": "the next seal's digest is over it; the newest is known to backups",
}
"""Column in no stream or state -> the sealed value with which `broken` compares it."""


def begin_writing(session: Session) -> None:
    """Allow one writer at a time, as in SQLite, so that places follow the order of commits."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE seal IN SHARE ROW EXCLUSIVE MODE"))


def add_seal(session: Session) -> None:
    """Seal rows added or updated since the last seal; no seal if there are none."""
    session.flush()
    last = session.scalars(select(Seal).order_by(Seal.id.desc()).limit(1)).first()
    before = _covered_digests(last.covers) if last else {}
    covers: dict[str, Mark] = {}
    for stream in STREAMS:
        start = before[stream.name][0] if stream.name in before else 0
        highest = session.scalar(select(func.max(stream.place)).where(*([] if stream.where is None else [stream.where])))
        if highest is not None and highest > start:
            count, digest = _digest_rows(session, stream.rows(start))
            covers[stream.name] = (highest, count, digest)
        elif stream.name in before:
            covers[stream.name] = (start, 0, "")
    has_new_rows = any(count for _, count, _ in covers.values())
    states = {state.name: (0, *_digest_rows(session, state.rows())) for state in STATES}
    if has_new_rows or any(before.get(name, (0, 0, "")) != mark for name, mark in states.items()):
        payload, moment = json.dumps(covers | states, sort_keys=True), datetime.now(UTC)
        chained = _chain_digest(last.digest if last else "", payload, moment)
        session.execute(insert(Seal), [{"at": moment, "covers": payload, "digest": chained}])


def broken(session: Session) -> list[str]:
    """Return the integrity problems of the registry, one line each; empty if there are none."""
    if undeclared := _undeclared_objects(session):
        return undeclared  # the queries below use columns that may be missing
    try:
        return _broken_seals(session)
    except (ValueError, TypeError) as error:  # an unreadable date or number; the message may contain its text
        return [f"a value does not match the type of its column ({type(error).__name__}): restore the registry from a backup"]


def _broken_seals(session: Session) -> list[str]:
    wrong: list[str] = []
    before, reached = "", dict.fromkeys((stream.name for stream in STREAMS), 0)
    by_name = {stream.name: stream for stream in STREAMS}
    sealed_states: dict[str, Mark] = {}
    for seal in session.scalars(select(Seal).order_by(Seal.id)):
        if _chain_digest(before, seal.covers, seal.at) != seal.digest:
            return [
                *wrong,
                f"seal {seal.id} of {seal.at:%Y-%m-%d %H:%M} does not match the seal before: seals were changed or removed",
            ]
        before = seal.digest
        covers = _covered_digests(seal.covers)
        sealed_states = {name: mark for name, mark in covers.items() if name not in by_name}
        for name, (highest, count, digest) in covers.items():
            if name not in by_name:
                continue
            if count and (count, digest) != _digest_rows(session, by_name[name].rows(reached[name], highest)):
                wrong.append(f"{name} {reached[name] + 1} to {highest}, entered {seal.at:%Y-%m-%d %H:%M} UTC, were changed since")
            reached[name] = highest
    wrong += [f"{name}: rows after {place} have no seal" for name, place in reached.items() if _has_rows(session, by_name[name], place)]
    wrong += [
        f"{state.name}: changed since the last transaction"
        for state in STATES
        if state.name in sealed_states and (0, *_digest_rows(session, state.rows())) != sealed_states[state.name]
    ]
    return wrong + _broken_receipts(session) + _broken_rounds(session) + _open_memberships(session)


def newest_seal(session: Session) -> tuple[int, str]:
    """Return the number and the digest of the newest seal; 0 and an empty text if there is no seal."""
    last = session.execute(select(Seal.id, Seal.digest).order_by(Seal.id.desc()).limit(1)).first()
    return (last.id, last.digest) if last else (0, "")


def has_digest(session: Session, number: int, digest: str) -> bool:
    """Whether the seal with this number still has this digest (known from a backup)."""
    return number == 0 or session.scalar(select(Seal.digest).where(Seal.id == number)) == digest


def _covered_digests(payload: str) -> dict[str, Mark]:
    return {name: (int(mark[0]), int(mark[1]), str(mark[2])) for name, mark in json.loads(payload).items()}


def _chain_digest(before: str, covers: str, at: datetime) -> str:
    """The digest of a seal. Seals of earlier versions cover no states, and their digest excludes the time."""
    moment = f"\n{_plain_time(at)}" if STATES[0].name in covers else ""
    return hashlib.sha256(f"{before}\n{covers}{moment}".encode()).hexdigest()


def _digest_rows(session: Session, query: Select[Any]) -> tuple[int, str]:
    """Number of rows, and a hash over them, with one line of JSON per row."""
    digest, count = hashlib.sha256(), 0
    for rows in session.connection().execute(query).partitions(AT_A_TIME):
        cells = map(_json_cells, zip(*rows, strict=True))
        lines = [f"[{', '.join(row)}]\n" for row in zip(*cells, strict=True)]
        digest.update("".join(lines).encode("utf-8", "surrogatepass"))
        count += len(lines)
    return count, digest.hexdigest() if count else ""


def _json_cells(column: tuple[Any, ...]) -> list[str]:
    """Write the values of a column as JSON."""
    kinds = set(map(type, column))
    if kinds == {str}:
        return list(map(encode_basestring, column))
    if kinds == {int}:
        return list(map(str, column))
    plain = [str(value) if type(value) is date else value for value in column] if date in kinds else column
    return [f'"{_plain_time(value)}"' if isinstance(value, datetime) else _JSON(value) for value in plain]


@lru_cache(maxsize=1024)  # all rows of a transaction have the same time
def _plain_time(moment: datetime) -> str:
    """Convert a time to the form that every database returns: in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _has_rows(session: Session, stream: SealedStream, place: int) -> bool:
    return session.execute(stream.rows(place).limit(1)).first() is not None


def _broken_receipts(session: Session) -> list[str]:
    """Find the receipts whose files do not match their hash."""
    files: dict[int, list[tuple[str, str, str]]] = {}
    for file in session.execute(select(DeliveryFile.receipt_id, DeliveryFile.name, DeliveryFile.sha256, DeliveryFile.kind)):
        files.setdefault(file.receipt_id, []).append((file.name, file.sha256, file.kind))
    query = select(Receipt.id, Receipt.hash, Delivery.institution, Delivery.name).join(Delivery)
    return [
        f"{one.institution} {one.name}: the files of receipt {one.id} do not match its hash"
        for one in session.execute(query)
        if hashlib.sha256(json.dumps(sorted(files.get(one.id, []))).encode()).hexdigest() != one.hash
    ]


def _broken_rounds(session: Session) -> list[str]:
    """Find the rounds of comparison whose evidence does not match its hash."""
    query = select(Compared.institution, Compared.period, Compared.hash, Compared.evidence).order_by(Compared.institution, Compared.period)
    return [
        f"{one.institution} {one.period}: the evidence of its round of comparison was changed"
        for one in session.execute(query.execution_options(yield_per=1))
        if hashlib.sha256(one.evidence.encode()).hexdigest() != one.hash
    ]


_ACTING = {
    "sqlite": "SELECT type, name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (SELECT value FROM json_each(:names))",
    "postgresql": """
SELECT 'trigger', tgname::text FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (SELECT to_regclass(value)
  FROM json_array_elements_text(CAST(:names AS json)))
UNION ALL SELECT 'rule', rulename::text FROM pg_rewrite WHERE ev_class IN (SELECT to_regclass(value)
  FROM json_array_elements_text(CAST(:names AS json)))
UNION ALL SELECT 'policy', polname::text FROM pg_policy WHERE polrelid IN (SELECT to_regclass(value)
  FROM json_array_elements_text(CAST(:names AS json)))""",
}
"""Objects that change or hide rows: kind and name, for the tables in `names`, a JSON array."""


def _undeclared_objects(session: Session) -> list[str]:
    """Triggers, rules and policies on the registry's tables, undeclared columns, and missing declared ones."""
    names = json.dumps(list(Base.metadata.tables))
    acting = session.execute(text(_ACTING[session.get_bind().dialect.name]), {"names": names}).all()
    looked = inspect(session.connection())
    there = {name: {column["name"] for column in looked.get_columns(name)} for name in Base.metadata.tables}
    odd = [f"{name}.{column}" for name, table in Base.metadata.tables.items() for column in sorted(there[name] ^ set(table.columns.keys()))]
    return [f"{kind} {name}: not created by any version of Harmonia" for kind, name in acting] + [
        f"{column}: column is undeclared or missing" for column in odd
    ]


def _open_memberships(session: Session) -> list[str]:
    """Memberships not closed by the next one of the same record, and ids that redirect to a newer or missing id."""
    own, target = Membership, aliased(Entity)
    following = func.lead(own.since).over(partition_by=(own.kind, own.institution, own.record_key), order_by=own.sequence)
    pairs = select(own.until.label("closed"), following.label("followed")).subquery()
    odd = session.scalar(select(func.count()).select_from(pairs).where(pairs.c.closed.is_distinct_from(pairs.c.followed)))
    query = select(func.count()).select_from(Entity).outerjoin(target, target.id == Entity.redirect_to)
    invalid = session.scalar(query.where(Entity.redirect_to.is_not(None), target.number.is_(None) | (target.number >= Entity.number)))
    lines = [f"membership: end of {odd} rows differs from the start of the record's next one"] if odd else []
    return lines + ([f"ids: {invalid} redirect to a newer or missing id"] if invalid else [])
