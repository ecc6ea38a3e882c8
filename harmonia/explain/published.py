"""Read what a home has published, for explanations.

Belongs here: opening the warehouse, the lake and the registry of a home; errors if one of them is missing. Does not belong here: the
explanations.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import or_, select

from harmonia.errors import HarmoniaError
from harmonia.explain.linkage import LinkageWeights
from harmonia.registry import open_registry
from harmonia.registry.connection import Registry
from harmonia.registry.tables import Entity, Judgement, Membership
from harmonia.review.following import read_current_verdicts
from pipelines.linkage.list_positions import replace_record_keys_by_person_keys
from pipelines.resources.workplace import Workplace
from schemas import canonical

Key = tuple[str, str]


class PublishedHome:
    """A home with a published warehouse. Each of its tables is read when it is first needed, and then kept."""

    def __init__(self, workplace: Workplace, registry: Registry, warehouse: duckdb.DuckDBPyConnection) -> None:
        self._workplace, self.registry, self._warehouse = workplace, registry, warehouse

    @property
    def folder(self) -> Path:
        """The path of the home folder."""
        return self._workplace.home.root

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Run a query on the warehouse and return its rows."""
        return self._warehouse.execute(sql, list(parameters)).df()

    @cached_property
    def canonical(self) -> dict[str, pd.DataFrame]:
        """The canonical tables of the last run, with all states of each record.

        Where the record key of a person is only a list position, it is replaced by a key that stays with the person.
        """
        tables = {name: canonical.conform(name, self._read_lake_table("canonical", name)) for name in canonical.TABLES}
        return replace_record_keys_by_person_keys(tables, self._read_lake_table("identities", "listed"))

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """The linkage decisions of the last run (`pipelines.linkage.decisions`)."""
        return self._read_lake_table("links", "decisions")

    @cached_property
    def linkage_weights(self) -> LinkageWeights:
        """The object that computes match weights of pairs of person records."""
        return LinkageWeights(self.canonical, self._read_lake_table("links", "cases"), self.decisions)

    @cached_property
    def model_of_last_run(self) -> str:
        """The version of the linkage model that the last run used; empty if it is not known."""
        items = self._read_lake_table("links", "_items")
        return str(json.loads(str(items["plain"].iloc[0]))["statistics"].get("model", "")) if len(items) else ""

    @cached_property
    def identities(self) -> dict[str, pd.DataFrame]:
        """The ids of records: `cases` (institution, record_key, case_id) and `persons` (institution, record_key, person_id)."""
        return {name: self._read_lake_table("identities", name) for name in ("cases", "persons")}

    @cached_property
    def deliveries(self) -> pd.DataFrame:
        """The deliveries that were read, with the columns institution, delivery, period, version and state."""
        return self._read_lake_table("record_status", "deliveries")

    def read_indicator_rows(self, indicator: str) -> pd.DataFrame:
        """Read the rows that an indicator counts, from the table model `indicator_row`."""
        rows = self._read_lake_table("statistics", "indicator_row", [("indicator", "=", indicator)])
        return rows.astype(dict.fromkeys(("own_date", "own_day", "day", "order_day"), "datetime64[s]"))

    def read_entity(self, entity_id: str) -> Entity | None:
        """Return the case or person with the id `entity_id`; None if the registry does not have it."""
        with self.registry.read() as session:
            return session.get(Entity, entity_id)

    def find_newest_id(self, kind: str) -> str | None:
        """Return the newest id of a kind (`case`, `person`); None if there is none."""
        with self.registry.read() as session:
            return session.scalar(select(Entity.id).where(Entity.kind == kind).order_by(Entity.number.desc()).limit(1))

    def list_redirected_to(self, entity_id: str) -> list[Entity]:
        """Return all cases or persons that redirect to `entity_id`, also through other ids; the oldest first."""
        redirected: list[Entity] = []
        targets = [entity_id]
        with self.registry.read() as session:
            while targets:
                sources = session.scalars(select(Entity).where(Entity.redirect_to.in_(targets))).all()
                redirected += sources
                targets = [entity.id for entity in sources]
        return sorted(redirected, key=lambda entity: entity.number)

    def list_memberships(self, ids: Sequence[str]) -> list[Membership]:
        """Return which records have or had one of these ids, in the order in which they joined.

        A person whose record key is a list position is named by its permanent key (`first_key`).
        """
        with self.registry.read() as session:
            return list(session.scalars(select(Membership).where(Membership.entity_id.in_(ids)).order_by(Membership.sequence)).all())

    def list_members(self, ids: Sequence[str]) -> list[Key]:
        """Return the records that have one of these ids now, by their current keys."""
        current_keys = {(i, first): key for i, key, first in self._keys_at_list_positions.itertuples(index=False, name=None)}
        current_members = [(m.institution, m.record_key) for m in self.list_memberships(ids) if m.until is None]
        return [(i, current_keys.get((i, key), key)) for i, key in current_members]

    @cached_property
    def _keys_at_list_positions(self) -> pd.DataFrame:
        """The keys of persons in lists whose positions were reassigned, with the columns institution, person_key and first_key.

        They come from `pipelines.linkage.list_positions`.
        """
        return self._read_lake_table("identities", "listed")[["institution", "person_key", "first_key"]].drop_duplicates()

    def restore_delivered_key(self, key: Key) -> Key:
        """Return a record key as it was delivered.

        The key of a person whose list position was reassigned has the name of a delivery appended, which is removed.
        """
        position_key = key[1].partition("@")[0]
        return (
            (key[0], position_key)
            if ((self._keys_at_list_positions["institution"] == key[0]) & (self._keys_at_list_positions["person_key"] == key[1])).any()
            else key
        )

    def find_current_id(self, kind: str, key: Key) -> str | None:
        """Return the current id of a record; None if it has none."""
        permanent_keys = (
            {
                (institution, current): first
                for institution, current, first in self._keys_at_list_positions.itertuples(index=False, name=None)
            }
            if kind == "person"
            else {}
        )
        query = select(Membership.entity_id).where(
            Membership.kind == kind,
            Membership.institution == key[0],
            Membership.record_key == permanent_keys.get(key, key[1]),
            Membership.until.is_(None),
        )
        with self.registry.read() as session:
            entity_id = session.scalar(query)
        while entity_id is not None and (entity := self.read_entity(entity_id)) is not None and entity.redirect_to:
            entity_id = entity.redirect_to
        return entity_id

    def list_judgements_on_records(self, kind: str, keys: Sequence[Key]) -> list[Judgement]:
        """Return the judgements of stewards on pairs that contain one of the records `keys`, in the order of entry."""
        requested = set(keys)
        names = [key for _, key in requested]
        query = select(Judgement).where(Judgement.kind == kind, or_(Judgement.record_key_a.in_(names), Judgement.record_key_b.in_(names)))
        with self.registry.read() as session:
            rows = session.scalars(query.order_by(Judgement.id)).all()
        return [j for j in rows if {(j.institution_a, j.record_key_a), (j.institution_b, j.record_key_b)} & requested]

    @cached_property
    def verdicts_by_pair(self) -> dict[tuple[str, frozenset[Key]], str]:
        """The current verdict of stewards on each pair: same, different, unsure or disputed (`harmonia.review`)."""
        out = {}
        for row in read_current_verdicts(self.registry, self._read_lake_table("identities", "listed")).to_dict("records"):
            sides = frozenset((str(row[f"institution_{side}"]), str(row[f"key_{side}"])) for side in "ab")
            out[str(row["entity"]), sides] = str(row["verdict"])
        return out

    def find_pair_judged_different(self, kind: str, group_a: Sequence[Key], group_b: Sequence[Key]) -> tuple[Key, Key] | None:
        """Return a pair that stewards judged to be different, with one record of each group; None if there is none."""
        return next(((a, b) for a in group_a for b in group_b if self.verdicts_by_pair.get((kind, frozenset([a, b]))) == "different"), None)

    def _read_lake_table(self, stage: str, table: str, filters: list[tuple[str, str, str]] | None = None) -> pd.DataFrame:
        path = self._workplace.home.lake / stage / f"{table}.parquet"
        try:
            return pq.read_table(path, filters=filters).to_pandas()
        except FileNotFoundError:
            raise HarmoniaError(f"{path} is missing: the lake was emptied; `harmonia run --home {self.folder}` rewrites it") from None


@contextlib.contextmanager
def open_home(workplace: Workplace) -> Iterator[PublishedHome]:
    """Open the home of a workplace for reading. Raises `HarmoniaError` if nothing was published in it."""
    home = workplace.home
    if not home.warehouse.is_file():
        kind = "was never published" if home.root.is_dir() else "does not exist"
        raise HarmoniaError(
            f"home {home.root} {kind}: set another with --home (or HARMONIA_HOME), or create it with "
            f"`harmonia run --inbox DIR --home {home.root}`"
        )
    if workplace.registry_url is None and not (home.root / "registry.sqlite").is_file():
        raise HarmoniaError(f"home {home.root} has no registry.sqlite: set the registry in use with --registry-url, or run again")
    registry = open_registry(workplace.registry)
    try:
        with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
            yield PublishedHome(workplace, registry, warehouse)
    except duckdb.IOException as error:
        raise HarmoniaError(f"{home.warehouse}: cannot be read ({type(error).__name__}); close its other users, or run again") from error
    finally:
        registry.close()
