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

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import MetaData

from pipelines.errors import HarmoniaError, storage
from warehouse import tables
from warehouse.loading import Batched, Rows, batches, show

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
        raise HarmoniaError(
            f"{path}: no key of the pseudonyms is there; {KEY_VARIABLE} names it: copy {KEY_FILE} of a backup there, or, where nothing was "
            f"published yet, {KEY_BYTES} random bytes"
        )
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
    coded = pa.array(texts, type=pa.string()).cast(pa.binary()).to_pylist()
    made = [hmac.digest(key, text, "sha256").hex()[:PSEUDONYM_HEX] for text in coded]
    return pd.Series(pd.array([*made, None], dtype="str").take(which), index=keys.index)  # -1, the code of a null, takes the last


class Crosswalk:
    """The pseudonym of every record key."""

    def __init__(self, pairs: pd.DataFrame) -> None:
        """pairs: of `crosswalk`."""
        self._keys = _whose(pa.array(pairs["institution"]), pa.array(pairs["record_key"]))
        self._pseudonyms = pa.array(pairs["pseudonym"], type=pa.string())

    def places(self, rows: pa.Table, whose: Mapping[str, str]) -> dict[str, pa.Array]:
        """For each key column (`whose`: with the column that names the institution) the places of its cells; null where no record is named.

        All columns at once: a search looks through all keys that there are before the first cell.
        """
        cells = [chunk for column, of in whose.items() for chunk in _whose(rows[of], rows[column]).chunks]
        found = pc.index_in(pa.chunked_array(cells, pa.string()), value_set=self._keys)
        return {column: found.slice(n * len(rows), len(rows)).combine_chunks() for n, column in enumerate(whose)}

    def hidden(self, places: pa.Array) -> pa.Array:
        """The pseudonyms at `places`."""
        return self._pseudonyms.take(places)


def _whose(institutions: pa.Array | pa.ChunkedArray, keys: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Institution and key as one text, null where either is."""
    return pc.binary_join_element_wise(institutions.cast(pa.string()), keys.cast(pa.string()), "\0")


@dataclass(frozen=True)
class Hidden:
    """Rows that are not held, with pseudonyms in place of record keys. whose: column -> column that names the institution."""

    rows: Batched
    whose: Mapping[str, str]
    crosswalk: Crosswalk

    def to_batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows a batch at a time, in their order."""
        keys = list(batches(self.rows, [*dict.fromkeys(self.whose.values()), *self.whose]))
        places = self.crosswalk.places(pa.Table.from_batches(keys), self.whose) if keys else {}
        del keys
        first = 0
        for batch in batches(self.rows, columns):
            out = batch
            for column, place in places.items():
                hidden = self.crosswalk.hidden(place.slice(first, len(batch)))
                out = out.set_column(out.schema.get_field_index(column), column, hidden)
            first += len(batch)
            yield out


class ForAnalysts(Mapping[str, Rows]):
    """The published tables with pseudonyms in every column that `tables` marks as record key, each made when it is asked for."""

    def __init__(self, published: Mapping[str, Rows], pairs: pd.DataFrame) -> None:
        """pairs: of `crosswalk`."""
        self._published = published
        self._crosswalk = Crosswalk(pairs)

    def __getitem__(self, name: str) -> Rows:
        """The table of that name. Raises `KeyError`."""
        rows = self._published[name]
        whose = tables.key_columns(tables.WAREHOUSE.tables[name])
        if not whose:
            return rows
        if not isinstance(rows, pd.DataFrame):
            return Hidden(rows, whose, self._crosswalk)
        keys = pa.Table.from_pandas(rows[[*dict.fromkeys(whose.values()), *whose]], preserve_index=False)
        seen = {column: self._crosswalk.hidden(places) for column, places in self._crosswalk.places(keys, whose).items()}
        return rows.assign(**{column: pd.Series(hidden, index=rows.index, dtype="str") for column, hidden in seen.items()})

    def __iter__(self) -> Iterator[str]:
        return iter(self._published)

    def __len__(self) -> int:
        return len(self._published)


def crosswalk(published: Mapping[str, Rows], key: bytes) -> pd.DataFrame:
    """The rows of `identity.crosswalk`: institution, record_key, pseudonym, one for every pair in any published table."""
    named = []
    with duckdb.connect() as connection:
        for name, table in tables.WAREHOUSE.tables.items():
            columns = tables.key_columns(table) if name in published else {}
            if columns:
                show(connection, name, published[name])
            for column, of in columns.items():
                named.append(f'SELECT "{of}" AS institution, "{column}" AS record_key FROM "{name}" WHERE "{of}" || "{column}" IS NOT NULL')
        pairs = connection.execute(f"{' UNION '.join(named)} ORDER BY 1, 2").df().astype("str")
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
