"""Seals: a chain of hashes over the registry, which reveals changes that were made without this program.

Every write transaction adds a seal: a hash over its rows and over the seal before it. A row that was changed, removed or inserted later
does not match its seal. A seal that was changed does not match the seal after it.
Every column of every table is covered in one of three ways. Rows that are only added are covered by `SealedAddedRows`. Rows that are also
updated are covered by `SealedUpdatedRows`, as they are after the last transaction. Values that follow from sealed values are compared
with these (`DERIVED`). If somebody recomputes all seals after a change, a comparison with the seals in a backup reveals it (`harmonia
verify BACKUP`).
Belongs here: what is sealed, adding a seal, finding changes. Does not belong here: reporting them (`pipelines.checks.pipeline_wide`,
`harmonia.operations.backup.verify`).
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

from harmonia.registry.bulk import BATCH_ROWS
from harmonia.registry.tables import (
    Answer,
    Audit,
    Base,
    ComparisonSnapshot,
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

SealedPart = tuple[int, int, str]
"""What a seal contains of one group of rows: the position of the newest row (0 for updated rows), the number of rows, and their SHA-256."""
_JSON = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class SealedAddedRows:
    """Rows that are added but never changed. Each seal covers the rows that were added since the seal before it.

    `columns` are the columns that the seal covers. `position` is the column whose value grows with every row. `where` selects the rows.
    `joined` is another table from which some of `columns` are taken.
    """

    name: str
    position: Any
    columns: tuple[Any, ...]
    where: ColumnElement[bool] | None = None
    joined: Any = None

    def select_rows(self, after: int, until: int | None = None) -> Select[Any]:
        """Return the query of the rows with a position greater than `after`, and up to `until` if it is given, sorted by position."""
        query = select(self.position, *self.columns).where(self.position > after).order_by(self.position)
        query = query.join(self.joined) if self.joined is not None else query
        query = query.where(self.where) if self.where is not None else query
        return query if until is None else query.where(self.position <= until)


@dataclass(frozen=True)
class SealedUpdatedRows:
    """Rows that are also updated. Each seal covers all of these rows, as they are at that time.

    `columns` are the columns that the seal covers. `by` are the columns that order the rows.
    """

    name: str
    by: tuple[Any, ...]
    columns: tuple[Any, ...]
    where: ColumnElement[bool] | None = None

    def select_rows(self) -> Select[Any]:
        """Return the query of all rows, in order."""
        query = select(*self.by, *self.columns).order_by(*self.by)
        return query if self.where is None else query.where(self.where)


def _select_columns_except(table: Any, *left_out: str) -> tuple[Any, ...]:
    """Return the columns of a table without those named in `left_out`."""
    names: Table = table.__table__
    return tuple(getattr(table, c.name) for c in names.columns if c.name not in left_out)


STREAMS: tuple[SealedAddedRows, ...] = (
    SealedAddedRows("run", Run.id, (Run.started,)),
    SealedAddedRows(
        "receipt",
        Receipt.id,
        (*_select_columns_except(Receipt, "id", "incomplete"), Delivery.institution, Delivery.name, Delivery.period, Delivery.version),
        joined=Delivery,
    ),
    *(
        SealedAddedRows(f"{kind} ids", Entity.number, _select_columns_except(Entity, "number", "redirect_to"), Entity.kind == kind)
        for kind in ("case", "person")
    ),
    SealedAddedRows("membership", Membership.sequence, _select_columns_except(Membership, "sequence", "until")),
    SealedAddedRows("judgement", Judgement.id, _select_columns_except(Judgement, "id")),
    SealedAddedRows("pull", Pull.id, _select_columns_except(Pull, "id")),
    SealedAddedRows(
        "answer", Answer.id, _select_columns_except(Answer, "id", "decision", "decided_by", "decided_at", "until", "decision_reason")
    ),
    SealedAddedRows("audit", Audit.id, _select_columns_except(Audit, "id", "reason")),
    SealedAddedRows("reasons in the audit", Audit.id, (Audit.reason,), Audit.reason.is_not(None)),
    SealedAddedRows("signature", Signature.id, _select_columns_except(Signature, "id")),
    *(
        SealedAddedRows(str(table.__tablename__).replace("_", " "), table.id, _select_columns_except(table, "id"))
        for table in (ErasureOrder, Erasure, Redaction, RemovedFile)
    ),
)

STATES: tuple[SealedUpdatedRows, ...] = (
    SealedUpdatedRows("runs as closed", (Run.id,), (Run.finished, Run.outcome)),
    SealedUpdatedRows("files", (File.sha256,), _select_columns_except(File, "sha256")),
    SealedUpdatedRows("deliveries as they stand", (Delivery.id,), _select_columns_except(Delivery, "id")),
    SealedUpdatedRows("receipts as they stand", (Receipt.id,), (Receipt.incomplete,)),
    SealedUpdatedRows("problems of the inbox", (Problem.id,), _select_columns_except(Problem, "id")),
    SealedUpdatedRows("decisions on answers", (Answer.id,), (Answer.decision, Answer.decided_by, Answer.decided_at, Answer.until)),
    SealedUpdatedRows("reasons of refusals", (Answer.id,), (Answer.decision_reason,), Answer.decision_reason.is_not(None)),
    SealedUpdatedRows("ids that lead to others", (Entity.kind, Entity.number), (Entity.redirect_to,), Entity.redirect_to.is_not(None)),
    SealedUpdatedRows(
        "rounds of comparison",
        (ComparisonSnapshot.institution, ComparisonSnapshot.period),
        (ComparisonSnapshot.at, ComparisonSnapshot.hash),
    ),
    SealedUpdatedRows("samples", (Sample.id,), _select_columns_except(Sample, "id")),
    SealedUpdatedRows("strata", (SampleStratum.sample_id, SampleStratum.name), _select_columns_except(SampleStratum, "sample_id", "name")),
    SealedUpdatedRows(
        "sampled pairs", (SampledPair.sample_id, SampledPair.position), _select_columns_except(SampledPair, "sample_id", "position")
    ),
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
"""The columns that no seal covers. Each is mapped to the sealed value with which `find_integrity_problems` compares it."""


def lock_registry_for_writing(session: Session) -> None:
    """Lock the registry for one writer at a time, so that the ids of rows follow the order of commits.

    SQLite needs no statement for this.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE seal IN SHARE ROW EXCLUSIVE MODE"))


def add_seal(session: Session) -> None:
    """Add a seal over the rows that were added or updated since the newest seal. If there are no such rows, no seal is added."""
    session.flush()
    last = session.scalars(select(Seal).order_by(Seal.id.desc()).limit(1)).first()
    before = _parse_sealed_parts(last.covers) if last else {}
    covers: dict[str, SealedPart] = {}
    for stream in STREAMS:
        start = before[stream.name][0] if stream.name in before else 0
        highest = session.scalar(select(func.max(stream.position)).where(*([] if stream.where is None else [stream.where])))
        if highest is not None and highest > start:
            count, digest = _digest_rows(session, stream.select_rows(start))
            covers[stream.name] = (highest, count, digest)
        elif stream.name in before:
            covers[stream.name] = (start, 0, "")
    has_new_rows = any(count for _, count, _ in covers.values())
    states = {state.name: (0, *_digest_rows(session, state.select_rows())) for state in STATES}
    if has_new_rows or any(before.get(name, (0, 0, "")) != mark for name, mark in states.items()):
        payload, moment = json.dumps(covers | states, sort_keys=True), datetime.now(UTC)
        chained = _compute_seal_digest(last.digest if last else "", payload, moment)
        session.execute(insert(Seal), [{"at": moment, "covers": payload, "digest": chained}])


def find_integrity_problems(session: Session) -> list[str]:
    """Find everything in the registry that does not match its seals. The result has one text for each problem."""
    if undeclared := _find_undeclared_objects(session):
        return undeclared  # the queries below use columns that may be missing
    try:
        return _find_seal_problems(session)
    except (ValueError, TypeError) as error:  # an unreadable date or number; the message may contain its text
        return [f"a value does not match the type of its column ({type(error).__name__}): restore the registry from a backup"]


def _find_seal_problems(session: Session) -> list[str]:
    wrong: list[str] = []
    before, reached = "", dict.fromkeys((stream.name for stream in STREAMS), 0)
    by_name = {stream.name: stream for stream in STREAMS}
    sealed_states: dict[str, SealedPart] = {}
    for seal in session.scalars(select(Seal).order_by(Seal.id)):
        if _compute_seal_digest(before, seal.covers, seal.at) != seal.digest:
            return [
                *wrong,
                f"seal {seal.id} of {seal.at:%Y-%m-%d %H:%M} does not match the seal before: seals were changed or removed",
            ]
        before = seal.digest
        covers = _parse_sealed_parts(seal.covers)
        sealed_states = {name: part for name, part in covers.items() if name not in by_name}
        for name, (highest, count, digest) in covers.items():
            if name not in by_name:
                continue
            if count and (count, digest) != _digest_rows(session, by_name[name].select_rows(reached[name], highest)):
                wrong.append(f"{name} {reached[name] + 1} to {highest}, entered {seal.at:%Y-%m-%d %H:%M} UTC, were changed since")
            reached[name] = highest
    wrong += [f"{name}: rows after {last} have no seal" for name, last in reached.items() if _has_rows_after(session, by_name[name], last)]
    wrong += [
        f"{state.name}: changed since the last transaction"
        for state in STATES
        if state.name in sealed_states and (0, *_digest_rows(session, state.select_rows())) != sealed_states[state.name]
    ]
    return wrong + _find_receipt_problems(session) + _find_comparison_problems(session) + _find_membership_problems(session)


def read_newest_seal(session: Session) -> tuple[int, str]:
    """Return the number and the digest of the newest seal; 0 and an empty text if there is no seal."""
    last = session.execute(select(Seal.id, Seal.digest).order_by(Seal.id.desc()).limit(1)).first()
    return (last.id, last.digest) if last else (0, "")


def seal_has_digest(session: Session, number: int, digest: str) -> bool:
    """Return whether the seal with this number has this digest, which is known from a backup or publication.

    The result is true for number 0, which means that there was no seal.
    """
    return number == 0 or session.scalar(select(Seal.digest).where(Seal.id == number)) == digest


def _parse_sealed_parts(covers: str) -> dict[str, SealedPart]:
    """Parse the column `covers` of a seal. The result maps the name of each group of rows to what the seal contains of it."""
    return {name: (int(part[0]), int(part[1]), str(part[2])) for name, part in json.loads(covers).items()}


def _compute_seal_digest(digest_of_previous_seal: str, covers: str, at: datetime) -> str:
    """Compute the digest of a seal, which depends on the digest of the seal before it.

    In the first versions of Harmonia, a seal covered neither updated rows nor its own time.
    """
    moment = f"\n{_format_time(at)}" if STATES[0].name in covers else ""
    return hashlib.sha256(f"{digest_of_previous_seal}\n{covers}{moment}".encode()).hexdigest()


def _digest_rows(session: Session, query: Select[Any]) -> tuple[int, str]:
    """Return the number of rows of a query and the SHA-256 over them.

    Each row is written as one line of JSON. The hash is empty if there are no rows.
    """
    digest, count = hashlib.sha256(), 0
    for rows in session.connection().execute(query).partitions(BATCH_ROWS):
        cells = map(_convert_cells_to_json, zip(*rows, strict=True))
        lines = [f"[{', '.join(row)}]\n" for row in zip(*cells, strict=True)]
        digest.update("".join(lines).encode("utf-8", "surrogatepass"))
        count += len(lines)
    return count, digest.hexdigest() if count else ""


def _convert_cells_to_json(column: tuple[Any, ...]) -> list[str]:
    """Convert each value of a column to JSON."""
    kinds = set(map(type, column))
    if kinds == {str}:
        return list(map(encode_basestring, column))
    if kinds == {int}:
        return list(map(str, column))
    plain = [str(value) if type(value) is date else value for value in column] if date in kinds else column
    return [f'"{_format_time(value)}"' if isinstance(value, datetime) else _JSON(value) for value in plain]


@lru_cache(maxsize=1024)  # all rows of a transaction have the same time
def _format_time(moment: datetime) -> str:
    """Format a time in UTC with microseconds, so that it is the same from every database."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _has_rows_after(session: Session, added_rows: SealedAddedRows, position: int) -> bool:
    """Return whether there are rows with a position greater than `position`, which no seal covers."""
    return session.execute(added_rows.select_rows(position).limit(1)).first() is not None


def _find_receipt_problems(session: Session) -> list[str]:
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


def _find_comparison_problems(session: Session) -> list[str]:
    """Find the snapshots of the comparison between institutions whose stored evidence does not match its hash."""
    columns = (ComparisonSnapshot.institution, ComparisonSnapshot.period, ComparisonSnapshot.hash, ComparisonSnapshot.evidence)
    query = select(*columns).order_by(*columns[:2])
    return [
        f"{one.institution} {one.period}: the evidence of its round of comparison was changed"
        for one in session.execute(query.execution_options(yield_per=1))
        if hashlib.sha256(one.evidence.encode()).hexdigest() != one.hash
    ]


_QUERIES_OF_TRIGGERS = {
    "sqlite": "SELECT type, name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (SELECT value FROM json_each(:names))",
    "postgresql": """
SELECT 'trigger', tgname::text FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (SELECT to_regclass(value)
  FROM json_array_elements_text(CAST(:names AS json)))
UNION ALL SELECT 'rule', rulename::text FROM pg_rewrite WHERE ev_class IN (SELECT to_regclass(value)
  FROM json_array_elements_text(CAST(:names AS json)))
UNION ALL SELECT 'policy', polname::text FROM pg_policy WHERE polrelid IN (SELECT to_regclass(value)
  FROM json_array_elements_text(CAST(:names AS json)))""",
}
"""For each kind of database, the query for objects such as triggers, which change or hide rows of tables.

Parameter `names`: the names of the tables, as a JSON array. Columns: kind, name.
"""


def _find_undeclared_objects(session: Session) -> list[str]:
    """Find triggers, rules and policies on the tables of the registry, and columns that are undeclared or missing."""
    names = json.dumps(list(Base.metadata.tables))
    acting = session.execute(text(_QUERIES_OF_TRIGGERS[session.get_bind().dialect.name]), {"names": names}).all()
    looked = inspect(session.connection())
    existing = {name: {column["name"] for column in looked.get_columns(name)} for name in Base.metadata.tables}
    odd = [
        f"{name}.{column}" for name, table in Base.metadata.tables.items() for column in sorted(existing[name] ^ set(table.columns.keys()))
    ]
    return [f"{kind} {name}: not created by any version of Harmonia" for kind, name in acting] + [
        f"{column}: column is undeclared or missing" for column in odd
    ]


def _find_membership_problems(session: Session) -> list[str]:
    """Find memberships that do not end when the next membership of the record begins, and ids that redirect to a newer or missing id."""
    member, target = Membership, aliased(Entity)
    following = func.lead(member.since).over(partition_by=(member.kind, member.institution, member.record_key), order_by=member.sequence)
    pairs = select(member.until.label("closed"), following.label("followed")).subquery()
    odd = session.scalar(select(func.count()).select_from(pairs).where(pairs.c.closed.is_distinct_from(pairs.c.followed)))
    query = select(func.count()).select_from(Entity).outerjoin(target, target.id == Entity.redirect_to)
    invalid = session.scalar(query.where(Entity.redirect_to.is_not(None), target.number.is_(None) | (target.number >= Entity.number)))
    lines = [f"membership: end of {odd} rows differs from the start of the record's next one"] if odd else []
    return lines + ([f"ids: {invalid} redirect to a newer or missing id"] if invalid else [])
