"""The identity register: the permanent ids of cases and persons.

Record linkage decides in every run which records are one case or person: it divides the records into clusters. The register gives each
cluster the id that its records had before.
Belongs here: assigning ids to clusters, redirects after merges, the history of ids. Does not belong here: record linkage
(`pipelines.linkage`).

An id is a counter (`C0000001`, `P0000001`) and is never derived from data. When clusters merge, the oldest id remains, and the other ids
redirect to it. When a cluster splits, its largest part keeps the id (of equally large parts, the one with the earliest member), and the
other parts get new ids. Source: docs/reference/counting-rules.md, last paragraph.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.orm import aliased

from harmonia.registry.bulk import BATCH_ROWS, insert_rows
from harmonia.registry.connection import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Entity, Membership

EntityKind = Literal["case", "person"]

_PREFIX: dict[EntityKind, str] = {"case": "C", "person": "P"}
_RECORD = ["institution", "record_key"]


@dataclass(frozen=True)
class IdDecision:
    """Which entity (case or person) each record belongs to, and which changes of the register follow from this.

    records     one row per record, in the order of the clusters given. Columns: institution, record_key, entity (the number of its
                entity)
    minted      the numbers of new entities
    redirects   the entities that are merged into an older one. Columns: number, target (the number of the older one)
    membership  for each record, its row number in the frame of current memberships; -1 if the record is new
    """

    records: pd.DataFrame
    minted: range
    redirects: pd.DataFrame
    membership: np.ndarray


def assign_ids(registry: Registry, kind: EntityKind, partition: pd.DataFrame) -> pd.DataFrame:
    """Assign an id to each record and store it in the register, in one transaction.

    `kind` says whether the clusters are cases or persons. `partition` has the columns institution, record_key and cluster. The result has
    the columns institution, record_key and entity_id, in the order of `partition`. New ids are assigned in the order of the clusters.
    Records that are not in `partition` keep their id. If it is called again with the same clusters, it changes nothing. Raises
    `ValueError` if a record has no key or cluster, or occurs twice.
    """
    _check_partition(partition)
    moment = now()
    with registry.write() as session:
        connection = session.connection()
        memberships = _read_current_memberships(connection, kind)
        last = connection.scalar(select(func.max(Entity.number)).where(Entity.kind == kind)) or 0
        decision = decide_ids(partition, memberships, last + 1)
        _store_new_entities(connection, kind, decision.minted, moment)
        _store_redirects(connection, kind, decision.redirects)
        _store_changed_memberships(connection, kind, decision, memberships, moment)
    return _list_ids_of_records(kind, decision)


def preview_ids(registry: Registry, kind: EntityKind, partition: pd.DataFrame) -> pd.DataFrame:
    """Return what `assign_ids` would return now, without changing the register."""
    _check_partition(partition)
    with registry.read() as session:
        connection = session.connection()
        memberships = _read_current_memberships(connection, kind)
        last = connection.scalar(select(func.max(Entity.number)).where(Entity.kind == kind)) or 0
    return _list_ids_of_records(kind, decide_ids(partition, memberships, last + 1))


def resolve_ids(registry: Registry, ids: pd.Series) -> pd.Series:
    """Replace each id by the id to which it redirects, if any; unknown and null ids are unchanged."""
    with registry.read() as session:
        pairs = session.execute(select(Entity.id, Entity.redirect_to).where(Entity.redirect_to.is_not(None))).all()
    return _follow_redirects(ids.astype("str"), pd.DataFrame(pairs, columns=["id", "target"], dtype="str").set_index("id")["target"])


def decide_ids(partition: pd.DataFrame, memberships: pd.DataFrame, first_free_number: int) -> IdDecision:
    """Decide which entity (case or person) each cluster of `partition` is: one to which its records belong now, or a new one.

    `partition` has the columns institution, record_key and cluster. `memberships` has the current memberships, with institution,
    record_key, entity (its number) and sequence (the order in which records joined entities). `first_free_number` is the number of the
    first new entity. Each known entity is matched to the cluster that contains most of its records. If several entities are matched to a
    cluster, it becomes the oldest of them.
    """
    clusters, _ = pd.factorize(partition["cluster"])  # numbered in order of appearance
    records = partition[_RECORD].astype("str").reset_index(drop=True).assign(cluster=clusters)
    membership = _find_row_numbers_in_memberships(records, memberships)
    is_member = membership >= 0
    parts = memberships[["entity", "sequence"]].iloc[membership[is_member]].assign(cluster=clusters[is_member])
    parts = parts.groupby(["entity", "cluster"]).agg(size=("sequence", "size"), earliest=("sequence", "min")).reset_index()
    parts = parts.sort_values(["entity", "size", "earliest"], ascending=[True, False, True])
    owners = parts.drop_duplicates("entity")
    oldest = owners.groupby("cluster")["entity"].min()
    entity = pd.Series(range(int(clusters.max()) + 1 if len(clusters) else 0)).map(oldest).astype("Int64")
    new = entity.isna()
    minted = range(first_free_number, first_free_number + int(new.sum()))
    entity[new] = pd.array(minted, dtype="Int64")
    records["entity"] = records["cluster"].map(entity).astype("int64")
    target = owners["cluster"].map(entity).astype("int64")
    moved = owners["entity"] != target
    redirects = pd.DataFrame({"number": owners.loc[moved, "entity"], "target": target[moved]}).reset_index(drop=True)
    return IdDecision(records[[*_RECORD, "entity"]], minted, redirects, membership)


def _find_row_numbers_in_memberships(records: pd.DataFrame, memberships: pd.DataFrame) -> np.ndarray:
    """Return, for each row of `records`, the row number of the same record in `memberships`, or -1 if it is not there."""
    codes = [pd.factorize(pd.concat([memberships[name], records[name]], ignore_index=True)) for name in _RECORD]
    code = codes[0][0] * len(codes[1][1]) + codes[1][0]
    row = np.full(int(code.max(initial=-1)) + 1, -1)
    row[code[: len(memberships)]] = np.arange(len(memberships))
    return np.asarray(row[code[len(memberships) :]])


def _list_ids_of_records(kind: EntityKind, decision: IdDecision) -> pd.DataFrame:
    """Return institution, record_key and entity_id of each record in `decision`."""
    out = decision.records[_RECORD].copy()
    out["entity_id"] = pd.array(_format_ids(kind, decision.records["entity"].tolist()), dtype="str")
    return out


def _check_partition(partition: pd.DataFrame) -> None:
    """Raise `ValueError` if a record has no institution, key or cluster, or occurs twice."""
    empty = partition[[*_RECORD, "cluster"]].isna().any(axis=1)
    if empty.any():
        raise ValueError(f"partition: {int(empty.sum())} records without institution, key or cluster")
    twice = partition.duplicated(_RECORD)
    if twice.any():
        raise ValueError(f"partition: {int(twice.sum())} records occur more than once; a record belongs to one cluster")


def _format_ids(kind: EntityKind, numbers: Iterable[int]) -> list[str]:
    return [f"{_PREFIX[kind]}{number:07}" for number in numbers]


def _follow_redirects(values: pd.Series, redirects: pd.Series) -> pd.Series:
    """Replace each value by the value to which it redirects, until none redirects any more.

    `redirects` maps a value (its index) to its target. The target is always older, so there are no cycles.
    """
    while (moved := values.isin(redirects.index)).any():
        values = values.mask(moved, values.map(redirects)).astype(values.dtype)
    return values


def _read_current_memberships(connection: Connection, kind: EntityKind) -> pd.DataFrame:
    """Read which entity each record belongs to now, after redirects.

    The columns of the result are institution, record_key, entity (number) and sequence.
    """
    query = select(Membership.institution, Membership.record_key, Membership.entity_id, Membership.sequence)
    query = query.where(Membership.kind == kind, Membership.until.is_(None))
    columns: dict[str, list[Any]] = {"institution": [], "record_key": [], "entity": [], "sequence": []}
    for rows in connection.execute(query).partitions(BATCH_ROWS):
        for column, values in zip(columns.values(), zip(*rows, strict=True), strict=True):
            column.extend(values)
    out = pd.DataFrame(columns).astype({"institution": "str", "record_key": "str", "entity": "str", "sequence": "int64"})
    numbers = out["entity"].str[len(_PREFIX[kind]) :].astype("int64")
    older = aliased(Entity)
    pairs = connection.execute(select(Entity.number, older.number).join(older, older.id == Entity.redirect_to).where(Entity.kind == kind))
    redirects = pd.DataFrame(pairs.all(), columns=["number", "target"], dtype="int64").set_index("number")["target"]
    return out.assign(entity=_follow_redirects(numbers, redirects))


def _store_new_entities(connection: Connection, kind: EntityKind, minted: range, moment: datetime) -> None:
    if minted:
        insert_rows(connection, Entity, {"id": _format_ids(kind, minted), "number": minted}, kind=kind, minted_at=moment)


def _store_redirects(connection: Connection, kind: EntityKind, redirects: pd.DataFrame) -> None:
    if len(redirects):
        pairs = zip(_format_ids(kind, redirects["number"].tolist()), _format_ids(kind, redirects["target"].tolist()), strict=True)
        statement = update(Entity).where(Entity.id == bindparam("old")).values(redirect_to=bindparam("new"))
        connection.execute(statement, [{"old": old, "new": new} for old, new in pairs])


def _store_changed_memberships(
    connection: Connection, kind: EntityKind, decision: IdDecision, memberships: pd.DataFrame, moment: datetime
) -> None:
    """Store `decision`.

    If the entity of a record changes, its current membership is ended. New memberships are inserted in the order of the records.
    `memberships` are the current ones, as `decide_ids` received them.
    """
    membership, entity = decision.membership, decision.records["entity"].to_numpy()
    changed = membership < 0
    changed[~changed] = memberships["entity"].to_numpy()[membership[~changed]] != entity[~changed]
    if not changed.any():
        return
    closed = memberships["sequence"].to_numpy()[membership[changed & (membership >= 0)]].tolist()
    if closed:
        statement = update(Membership).where(Membership.sequence == bindparam("closed")).values(until=moment)
        connection.execute(statement, [{"closed": sequence} for sequence in closed])
    last = connection.scalar(select(func.max(Membership.sequence))) or 0
    new = decision.records[changed]
    columns: dict[str, Iterable[object]] = {name: new[name].tolist() for name in _RECORD}
    columns |= {"entity_id": _format_ids(kind, new["entity"].tolist()), "sequence": range(last + 1, last + 1 + len(new))}
    insert_rows(connection, Membership, columns, kind=kind, since=moment)
