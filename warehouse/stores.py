"""The published stores: the warehouse, the copy of it for analysts, the identity store with names for stewards.

Belongs here: which tables each store has, the pseudonyms of record keys, their crosswalk and secret key. Does not belong here: what
analysts see of a table (`warehouse/analysts`), how a store is written (`warehouse/publish` as DuckDB files, `warehouse/postgres` as
schemas), who may see it (`warehouse/access`).
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from sqlalchemy import MetaData

from harmonia.errors import HarmoniaError, convert_storage_errors
from warehouse import analysts, tables
from warehouse.loading import Rows, register_table

WAREHOUSE, ANALYSTS, IDENTITY = "warehouse", "analysts", "identity"
STORES: Mapping[str, MetaData] = {WAREHOUSE: tables.WAREHOUSE, ANALYSTS: analysts.ANALYSTS, IDENTITY: tables.IDENTITY}
"""The tables of each store, by its name, which is also the name of its DuckDB file and of its PostgreSQL schema."""
Stores = Mapping[str, Mapping[str, Rows]]
"""The rows of each table, by the name of the store and the name of the table."""

KEY_FILE = "pseudonym.key"
KEY_VARIABLE = "HARMONIA_PSEUDONYM_KEY"
KEY_BYTES = 32
_PRIVATE = 0o600


def read_pseudonym_key(home: Path) -> bytes:
    """Return the secret key of the pseudonyms. As it stays the same, a record keeps its pseudonym from run to run.

    The key is read from the file that `HARMONIA_PSEUDONYM_KEY` names, or else from the home (mode 0600). If it is missing there, it is
    created. No store contains the key. Raises `HarmoniaError` if the file cannot be read or does not contain a key.
    """
    key_path = os.environ.get(KEY_VARIABLE)
    path = Path(key_path).expanduser() if key_path else home / KEY_FILE
    if key_path and not path.is_file():
        raise HarmoniaError(
            f"{path}: the pseudonym key named by {KEY_VARIABLE} is missing: restore {KEY_FILE} from a backup, or, if nothing was "
            f"published yet, create it with {KEY_BYTES} random bytes"
        )
    with convert_storage_errors(path):
        with contextlib.suppress(FileExistsError):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
            with os.fdopen(file, "wb") as out:
                out.write(secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
        if not key_path and path.stat().st_mode & 0o077:
            path.chmod(_PRIVATE)
    if len(key) != KEY_BYTES:
        raise HarmoniaError(
            f"{path}: has {len(key)} bytes, but a key has {KEY_BYTES}: restore it from a backup, "
            "or remove it (analysts then see new pseudonyms)"
        )
    return key


def compute_pseudonyms_of_record_keys(institutions: pd.Series, keys: pd.Series, key: bytes) -> pd.Series:
    """Compute the pseudonym of each record key: the first 128 bits of the HMAC-SHA256 of institution and record key, in hexadecimal digits.
    Null stays null."""
    which, texts = pd.factorize(institutions.fillna("") + "\0" + keys)
    coded = pa.array(texts, type=pa.string()).cast(pa.binary()).to_pylist()
    pseudonyms = [hmac.digest(key, text, "sha256").hex()[: analysts.PSEUDONYM_HEX] for text in coded]
    return pd.Series(pd.array([*pseudonyms, None], dtype="str").take(which), index=keys.index)  # -1, the code of a null, selects the last


def compute_pseudonym_crosswalk(published: Mapping[str, Rows], key: bytes) -> pd.DataFrame:
    """Compute the table `crosswalk` of the identity store, which contains the pseudonym of every record key in a published table.

    Columns out: institution, record_key, pseudonym.
    """
    names = []
    with duckdb.connect() as connection:
        for name, table in tables.WAREHOUSE.tables.items():
            columns = tables.key_columns(table) if name in published else {}
            if columns:
                register_table(connection, name, published[name])
            for column, of in columns.items():
                names.append(f'SELECT "{of}" AS institution, "{column}" AS record_key FROM "{name}" WHERE "{of}" || "{column}" IS NOT NULL')
        pairs = connection.execute(f"{' UNION '.join(names)} ORDER BY 1, 2").df().astype("str")
    return tables.conform_frame(
        tables.CROSSWALK, pairs.assign(pseudonym=compute_pseudonyms_of_record_keys(pairs["institution"], pairs["record_key"], key))
    )


def make_persons_table_of_identity_store(canonical: Mapping[str, pd.DataFrame], cases: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """Compute the table `persons` of the identity store: every accepted person record with its ids.

    canonical: the canonical tables by name (schemas.canonical). cases: the case of each case record, with the columns institution,
    record_key, case_id. persons: the person of each person record, with the columns institution, record_key, person_id.
    """
    records = canonical["person_records"]
    out = records[records["status"] == "accepted"]
    out = out.merge(persons.drop_duplicates(["institution", "record_key"]), on=["institution", "record_key"], how="left")
    files = cases.drop_duplicates(["institution", "record_key"]).rename(columns={"record_key": "case_key"})
    return tables.conform_frame(tables.PERSONS, out.merge(files, on=["institution", "case_key"], how="left"))


def arrange_stores(published: Mapping[str, Rows], delivered_names: pd.DataFrame, key: bytes) -> Stores:
    """Return the tables of all stores. published: the tables of the warehouse. delivered_names: the result of
    `make_persons_table_of_identity_store`. key: the secret key of the pseudonyms."""
    pairs = compute_pseudonym_crosswalk(published, key)
    return {
        WAREHOUSE: published,
        ANALYSTS: analysts.AnalystTables(published, key),
        IDENTITY: {"persons": delivered_names, "crosswalk": pairs},
    }
