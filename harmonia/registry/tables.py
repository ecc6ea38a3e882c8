"""The tables of the registry, as SQLAlchemy classes. A change of a table needs a migration in `migrations/versions/`.

Belongs here: what must be kept for ever about deliveries, answers to findings, ids and judgements. Rows are added, and some are later
marked as ended or resolved. No row is deleted. Does not belong here: personal data (record keys are not personal data), anything that can
be rebuilt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Instant(TypeDecorator[datetime]):
    """Column type for a time in UTC. In Python it always has a time zone, even if the database cannot store one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a time with a time zone to UTC."""
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Convert a value of the database to a time in UTC with a time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Return the function that converts values of the database. It has a cache, since many rows have the same time."""
        processor = super().result_processor(dialect, coltype)
        return None if processor is None else lru_cache(maxsize=1024)(processor)


class Base(DeclarativeBase):
    """Base of all registry tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Instant()}
    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s",
            "uq": "%(table_name)s_%(column_0_N_name)s_unique",
            "fk": "%(table_name)s_%(column_0_N_name)s_of_%(referred_table_name)s",
            "pk": "%(table_name)s_key",
        }
    )


class Run(Base):
    """One run of the pipeline. `finished` is null while it runs."""

    __tablename__ = "run"

    id: Mapped[int] = mapped_column(primary_key=True)
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
    outcome: Mapped[str | None]  # published, failed, killed


class File(Base):
    """A file in the landing store, where it is named by its hash. Files with equal content are stored once."""

    __tablename__ = "file"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    first_seen: Mapped[datetime]


class Delivery(Base):
    """A delivery, identified by institution and name. Its files are listed in its receipts; the newest receipt is current."""

    __tablename__ = "delivery"
    __table_args__ = (UniqueConstraint("institution", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    institution: Mapped[str]
    name: Mapped[str]
    period: Mapped[str]
    version: Mapped[int]
    first_seen: Mapped[datetime]
    gone_since: Mapped[datetime | None]  # null while it is in the inbox
    state: Mapped[str | None]  # after reading: complete, partial, unreadable
    read: Mapped[int | None] = mapped_column(BigInteger)  # physical rows, as accounted for by the pipeline
    accepted: Mapped[int | None] = mapped_column(BigInteger)
    superseded: Mapped[int | None] = mapped_column(BigInteger)
    withdrawn: Mapped[int | None] = mapped_column(BigInteger)
    quarantined: Mapped[int | None] = mapped_column(BigInteger)
    structural: Mapped[int | None] = mapped_column(BigInteger)
    receipts: Mapped[list[Receipt]] = relationship(order_by="Receipt.sequence", back_populates="delivery")


class Receipt(Base):
    """What was received as a delivery at one time. If the files of the delivery in the inbox change, another receipt is added."""

    __tablename__ = "receipt"
    __table_args__ = (UniqueConstraint("delivery_id", "sequence"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id"))
    sequence: Mapped[int]  # 1, 2, … within the delivery; the highest is current
    hash: Mapped[str]  # over names, hashes and kinds of all its files
    content: Mapped[str]  # over names and hashes of the files passed to readers
    first_seen: Mapped[datetime]
    incomplete: Mapped[bool]  # a file was skipped: it changed while being read, or could not be opened
    delivery: Mapped[Delivery] = relationship(back_populates="receipts")
    files: Mapped[list[DeliveryFile]] = relationship()


class DeliveryFile(Base):
    """A file that a receipt lists, under its delivered name (unprintable characters are escaped)."""

    __tablename__ = "delivery_file"

    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("file.sha256"), index=True)
    kind: Mapped[str]  # file, leftover, dump, nested, system


class Problem(Base):
    """A finding about the inbox, not about the content of a delivery; `resolved` is null while it is open."""

    __tablename__ = "problem"

    id: Mapped[int] = mapped_column(primary_key=True)
    institution: Mapped[str | None]
    delivery: Mapped[str | None]
    file: Mapped[str | None]
    rule: Mapped[str]
    detail: Mapped[str | None]
    first_seen: Mapped[datetime]
    resolved: Mapped[datetime | None]


class Pull(Base):
    """What a pull saw on the server of an institution. For each institution and delivery, the newest row is current.

    A row without `delivery` is about the server as a whole. A row with `rule` is about a problem that stopped the pull.
    """

    __tablename__ = "pull"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    institution: Mapped[str]
    delivery: Mapped[str | None]  # its name on the server
    state: Mapped[str | None]  # the watermark: hash of names, sizes and times of files, or of row counts and latest changes of a database
    content: Mapped[str | None]  # over names and hashes of its files; null if nothing was fetched
    inbox_name: Mapped[str | None]  # the delivery in the inbox that has this content
    rule: Mapped[str | None]
    detail: Mapped[str | None]


class Answer(Base):
    """An institution's answer to a finding. Of several answers to a finding the latest counts; none is deleted.

    Some answers need a decision by the owner of the system (column `decision`). Every run determines the states of all findings again, from
    all deliveries and answers (`harmonia.feedback`).
    """

    __tablename__ = "answer"

    id: Mapped[int] = mapped_column(primary_key=True)  # also the order of entry
    institution: Mapped[str]
    finding: Mapped[str] = mapped_column(index=True)  # identifier of the finding over all deliveries
    delivery: Mapped[str]  # the delivery whose feedback was answered
    rule: Mapped[str]
    record_key: Mapped[str | None]
    field: Mapped[str | None]
    verdict: Mapped[str]  # announced, accepted, no_error
    reason: Mapped[str]
    person: Mapped[str]  # who answered for the institution
    answered_at: Mapped[datetime]
    value_mark: Mapped[str]  # keyed hash of the value; the answer applies to this value only
    origin: Mapped[str | None]  # SHA-256 of the imported workbook; null if entered by command
    decision: Mapped[str | None]  # countersigned, refused; null while it is open
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    until: Mapped[date | None]  # last day of a countersigned acceptance
    decision_reason: Mapped[str | None]  # why the owner refused the answer


class Signature(Base):
    """The signature of a head of institution under what the institution delivered for a period (`harmonia.signing`).

    Rows are never changed or removed.
    """

    __tablename__ = "signature"

    id: Mapped[int] = mapped_column(primary_key=True)
    institution: Mapped[str]
    period: Mapped[str]
    hash: Mapped[str]  # over the signed deliveries
    held: Mapped[str]  # JSON: delivery -> hash of its content
    signed_by: Mapped[str]
    signed_at: Mapped[datetime]


class Entity(Base):
    """A case or person with its permanent id. If it was merged into an older one, `redirect_to` is the id of the older one."""

    __tablename__ = "entity_id"
    __table_args__ = (UniqueConstraint("kind", "number"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # C0000001, P0000001
    kind: Mapped[str]  # case, person
    number: Mapped[int] = mapped_column(BigInteger)  # the counter: a lower number is older
    minted_at: Mapped[datetime]
    redirect_to: Mapped[str | None] = mapped_column(ForeignKey("entity_id.id"))


class Membership(Base):
    """The entity (case or person) to which a record belongs, and since when. Each record has one current row, whose `until` is null."""

    __tablename__ = "membership"
    __table_args__ = (
        Index(
            "membership_current",
            "kind",
            "institution",
            "record_key",
            unique=True,
            sqlite_where=text("until IS NULL"),
            postgresql_where=text("until IS NULL"),
        ),
    )

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # order of joining
    kind: Mapped[str]
    institution: Mapped[str]
    record_key: Mapped[str]
    entity_id: Mapped[str] = mapped_column(ForeignKey("entity_id.id"), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class Judgement(Base):
    """A steward's judgement on whether two records are one case or person. A later judgement may revise it; none is deleted."""

    __tablename__ = "judgement"
    __table_args__ = (Index("judgement_pair", "kind", "institution_a", "record_key_a", "institution_b", "record_key_b"),)

    id: Mapped[int] = mapped_column(primary_key=True)  # also the order of entry
    kind: Mapped[str]  # case, person
    institution_a: Mapped[str]
    record_key_a: Mapped[str]
    institution_b: Mapped[str]
    record_key_b: Mapped[str]
    verdict: Mapped[str]  # same, different, unsure, withdrawn, proposed (harmonia.review.judgements)
    steward: Mapped[str]
    decided_at: Mapped[datetime]
    why: Mapped[str]
    model: Mapped[str | None]  # version of the linkage model that computed the weight
    weight: Mapped[float | None]  # match weight in bits, shown or not
    blind: Mapped[bool] = mapped_column(server_default=false())  # weight and decision were not shown
    origin: Mapped[str | None]  # SHA-256 of the imported workbook; null if entered by command


def _hash_evidence(context: Any) -> str:
    return hashlib.sha256(context.get_current_parameters()["evidence"].encode()).hexdigest()


class ComparisonSnapshot(Base):
    """What the comparison between institutions showed to one of them when its delivery for a quarter was first processed.

    The institution sees this result until its delivery for the next quarter, so that a corrected delivery does not reveal whether the
    correction was right (`harmonia.comparison.snapshots`). It contains record keys only, no names or other values.
    """

    __tablename__ = "compared"

    institution: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    evidence: Mapped[str]  # rows of harmonia.comparison.EVIDENCE as harmonia.comparison.snapshots packs them
    hash: Mapped[str] = mapped_column(default=_hash_evidence, server_default="")  # SHA-256 of `evidence`


class Sample(Base):
    """A blind sample of candidate pairs of one published run, for stewards to judge."""

    __tablename__ = "review_sample"

    id: Mapped[int] = mapped_column(primary_key=True)
    drawn_at: Mapped[datetime]
    seed: Mapped[int] = mapped_column(BigInteger)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    model: Mapped[str]


class SampleStratum(Base):
    """A stratum of a blind sample: how many candidate pairs it has (`pairs`), and how many of them were drawn (`drawn`)."""

    __tablename__ = "review_stratum"

    sample_id: Mapped[int] = mapped_column(ForeignKey("review_sample.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  # case, person
    joined: Mapped[bool]  # whether the published clusters link the pairs
    pairs: Mapped[int] = mapped_column(BigInteger)
    drawn: Mapped[int] = mapped_column(BigInteger)


class SampledPair(Base):
    """A pair in a blind sample.

    `position` is its number in the random order in which stewards see the pairs. `probability` is the probability with which it was drawn.
    """

    __tablename__ = "review_sampled_pair"
    __table_args__ = (ForeignKeyConstraint(["sample_id", "stratum"], ["review_stratum.sample_id", "review_stratum.name"]),)

    sample_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stratum: Mapped[str]
    kind: Mapped[str]
    institution_a: Mapped[str]
    record_key_a: Mapped[str]
    institution_b: Mapped[str]
    record_key_b: Mapped[str]
    weight: Mapped[float | None]
    probability: Mapped[float]


class Audit(Base):
    """A line of the audit log: an access to personal data."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]  # a pair, a file, a number of pairs: never a name
    reason: Mapped[str | None]  # why, as the user gave it: never a name


class ErasureOrder(Base):
    """An order to erase a person's data, with its author and legal basis. A different user executes it (`Erasure`)."""

    __tablename__ = "erasure_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[str] = mapped_column(ForeignKey("entity_id.id"))
    ordered_by: Mapped[str]
    ground: Mapped[str]  # legal basis, without names


class Erasure(Base):
    """An execution of an erasure order. The order is executed again if the person is delivered again."""

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    order_id: Mapped[int] = mapped_column(ForeignKey("erasure_order.id"))
    carried_out_by: Mapped[str]


class Redaction(Base):
    """The redacted content that is read instead of the files of a receipt after an erasure. The newest one counts."""

    __tablename__ = "redaction"

    id: Mapped[int] = mapped_column(primary_key=True)
    erasure_id: Mapped[int] = mapped_column(ForeignKey("erasure.id"))
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"), index=True)
    reading: Mapped[str] = mapped_column(ForeignKey("file.sha256"))  # also in the landing store


class RemovedFile(Base):
    """A file that an erasure removed from the landing store; its hash is kept here."""

    __tablename__ = "removed_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    erasure_id: Mapped[int] = mapped_column(ForeignKey("erasure.id"))
    sha256: Mapped[str] = mapped_column(ForeignKey("file.sha256"), index=True)


class Seal(Base):
    """A seal over the rows of a transaction (`harmonia.registry.seal`). Rows are never changed or removed."""

    __tablename__ = "seal"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    covers: Mapped[str]  # JSON: name of a stream or state → position of its newest row, number of rows, SHA-256 over them
    digest: Mapped[str]  # SHA-256 over the digest of the seal before, `covers` and `at`
