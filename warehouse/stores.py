"""What is published, by store: the warehouse, the analysts' copy of it, the identity store.

Belongs here: which tables a store holds, keyed pseudonyms, the crosswalk behind them, the key. Does not belong here: how a store is written
(`warehouse/publish` as DuckDB files, `warehouse/postgres` as schemas), who may see it (`warehouse/access`).
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from sqlalchemy import MetaData

from pipelines.errors import HarmoniaError, storage
from warehouse import tables
from warehouse.loading import BATCH, Batched, Rows

WAREHOUSE, ANALYSTS, IDENTITY = "warehouse", "analysts", "identity"
STORES: Mapping[str, MetaData] = {WAREHOUSE: tables.WAREHOUSE, ANALYSTS: tables.WAREHOUSE, IDENTITY: tables.IDENTITY}
"""Name of a store (a DuckDB file, a schema of PostgreSQL) and its tables."""
Stores = Mapping[str, Mapping[str, Rows]]
"""Store -> table -> rows."""

KEY_FILE = "pseudonym.key"
KEY_VARIABLE = "HARMONIA_PSEUDONYM_KEY"
KEY_BYTES = 32
PSEUDONYM_HEX = 32
_PRIVATE = 0o600


def secret(home: Path) -> bytes:
    """The key of the pseudonyms: the same record keeps its pseudonym from run to run.

    It lies in the file that `HARMONIA_PSEUDONYM_KEY` names, else in the home (mode 0600, made on first use); never in a store.
    Raises `HarmoniaError` where the file cannot be read, or is no such key.
    """
    named = os.environ.get(KEY_VARIABLE)
    path = Path(named).expanduser() if named else home / KEY_FILE
    if named and not path.is_file():
        raise HarmoniaError(f"{path}: no key of the pseudonyms is there; {KEY_VARIABLE} names it: put {KEY_BYTES} random bytes there")
    with storage(path):
        with contextlib.suppress(FileExistsError):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
            with os.fdopen(file, "wb") as out:
                out.write(secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
        if not named and path.stat().st_mode & 0o077:
            path.chmod(_PRIVATE)
    if len(key) != KEY_BYTES:
        raise HarmoniaError(
            f"{path}: holds {len(key)} bytes where a key of {KEY_BYTES} should be; restore it from a copy, "
            "or remove it (analysts then see new pseudonyms)"
        )
    return key


def pseudonyms(institutions: pd.Series, keys: pd.Series, key: bytes) -> pd.Series:
    """A keyed pseudonym (HMAC-SHA256, 128 bits, hex) for each record key of an institution; null stays null."""
    which, texts = pd.factorize(institutions.fillna("") + "\0" + keys)
    made = [hmac.digest(key, text.encode("utf-8"), "sha256").hex()[:PSEUDONYM_HEX] for text in texts]
    return pd.Series(pd.array([*made, None], dtype="str").take(which), index=keys.index)  # -1, the code of a null, takes the last


@dataclass(frozen=True)
class Crosswalk:
    """The pseudonym of every record key. known: by institution and record key."""

    known: pd.Series

    def hidden(self, institutions: pd.Series, keys: pd.Series) -> pd.Series:
        """Pseudonyms in place of keys."""
        return pd.Series(self.known.reindex(pd.MultiIndex.from_arrays([institutions, keys])).array, index=keys.index)


@dataclass(frozen=True)
class Hidden:
    """Rows that are not held, with pseudonyms in place of record keys. whose: column -> column that names the institution."""

    rows: Batched
    whose: Mapping[str, str]
    crosswalk: Crosswalk

    def to_batches(self, columns: list[str] | None = None, *, batch_size: int = BATCH) -> Iterator[pa.RecordBatch]:
        """The rows a batch at a time, in their order."""
        for batch in self.rows.to_batches(columns, batch_size=batch_size):
            out = batch
            for column, of in self.whose.items():
                seen = self.crosswalk.hidden(batch[of].to_pandas(), batch[column].to_pandas())
                out = out.set_column(out.schema.get_field_index(column), column, pa.array(seen, type=pa.string()))
            yield out


class ForAnalysts(Mapping[str, Rows]):
    """The published tables with pseudonyms in every column that `tables` marks as record key, each made when it is asked for."""

    def __init__(self, published: Mapping[str, Rows], pairs: pd.DataFrame) -> None:
        """pairs: of `crosswalk`."""
        self._published = published
        self._crosswalk = Crosswalk(pairs.set_index(["institution", "record_key"])["pseudonym"])

    def __getitem__(self, name: str) -> Rows:
        """The table of that name. Raises `KeyError`."""
        rows = self._published[name]
        whose = tables.key_columns(tables.WAREHOUSE.tables[name])
        if not isinstance(rows, pd.DataFrame):
            return Hidden(rows, whose, self._crosswalk)
        return rows.assign(**{column: self._crosswalk.hidden(rows[of], rows[column]) for column, of in whose.items()})

    def __iter__(self) -> Iterator[str]:
        return iter(self._published)

    def __len__(self) -> int:
        return len(self._published)


def _pairs(rows: Rows, institution: str, key: str) -> pd.DataFrame:
    """Every institution and record key in two columns of a table: institution, record_key."""
    columns = [institution, key]
    if isinstance(rows, pd.DataFrame):
        found = rows[columns].dropna().drop_duplicates()
    else:
        held = pa.Table.from_batches(rows.to_batches(columns))
        found = held.group_by(columns).aggregate([]).to_pandas().dropna().astype("str")
    return found.set_axis(["institution", "record_key"], axis=1)


def crosswalk(published: Mapping[str, Rows], key: bytes) -> pd.DataFrame:
    """The rows of `identity.crosswalk`: institution, record_key, pseudonym, one for every pair in any published table."""
    parts = []
    for name, table in tables.WAREHOUSE.tables.items():
        columns = tables.key_columns(table) if name in published else {}
        rows = published[name] if columns else pd.DataFrame()
        parts += [_pairs(rows, of, column) for column, of in columns.items()]
    pairs = pd.concat(parts, ignore_index=True).drop_duplicates().sort_values(["institution", "record_key"], kind="stable")
    return tables.conform(tables.CROSSWALK, pairs.assign(pseudonym=pseudonyms(pairs["institution"], pairs["record_key"], key)))


def people(canonical: Mapping[str, pd.DataFrame], cases: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """The rows of `identity.persons`: every accepted person record with its ids.

    canonical  tables of schemas.canonical; cases: institution, record_key, case_id; persons: institution, record_key, person_id
    """
    records = canonical["person_records"]
    out = records[records["status"] == "accepted"]
    out = out.merge(persons.drop_duplicates(["institution", "record_key"]), on=["institution", "record_key"], how="left")
    files = cases.drop_duplicates(["institution", "record_key"]).rename(columns={"record_key": "case_key"})
    return tables.conform(tables.PERSONS, out.merge(files, on=["institution", "case_key"], how="left"))


def arranged(published: Mapping[str, Rows], named: pd.DataFrame, key: bytes) -> Stores:
    """Every store with its rows: `published` holds every table of `warehouse.count.count`, `named` is of `people`."""
    pairs = crosswalk(published, key)
    return {
        WAREHOUSE: published,
        ANALYSTS: ForAnalysts(published, pairs),
        IDENTITY: {"persons": named, "crosswalk": pairs},
    }
