"""The sources from which deliveries are pulled: `pull:` of each contract, which a file of the installation can override.

Belongs here: merging and checking the two. The contract contains what was agreed with the institution (kind of source, layout, tables). The
file of the installation (the file that `HARMONIA_PULL` names, otherwise `HOME/pull.yaml`) contains what belongs to the installation: hosts,
users, and where secrets are. Its keys replace the same keys of the contract.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harmonia.home import Home
from pipelines.pull.database import SERVERS, Database
from pipelines.pull.https import Https
from pipelines.pull.s3 import S3
from pipelines.pull.sftp import Sftp
from pipelines.pull.share import Share
from pipelines.pull.source import Source
from schemas.yaml_declarations import DeclarationError, convert_declaration, display_path, make_value_error, read_yaml
from sources import contract

SETTING = "HARMONIA_PULL"
SOURCE_CLASSES: Mapping[str, type[Source]] = {
    "sftp": Sftp,
    "https": Https,
    "s3": S3,
    "share": Share,
    **dict.fromkeys((*SERVERS, "mariadb"), Database),
}
_LOGIN = re.compile(r"//[^/@]*@")


def get_installation_pull_file(home: Home) -> Path:
    """Return the path of the installation's file of sources. The file need not exist."""
    return Path(os.environ[SETTING]).expanduser() if os.environ.get(SETTING) else home.root / "pull.yaml"


def read_sources(home: Home) -> dict[str, Source | DeclarationError]:
    """Return, for every institution with a source, the source or the error in its declaration. An error stops only this institution's pull.

    Raises `DeclarationError` if the installation's file is not a mapping from institutions to sources.
    """
    path = get_installation_pull_file(home)
    local = (read_yaml(path) or {}) if path.is_file() else {}
    if not isinstance(local, Mapping):
        raise make_value_error(path, "the file", type(local).__name__, "it must be a mapping of institutions to their sources")
    if unknown := sorted(set(map(str, local)) - set(contract.institutions())):
        raise make_value_error(path, unknown[0], "", f"it must be one of {', '.join(contract.institutions())}")
    sources: dict[str, Source | DeclarationError] = {}
    for name in contract.institutions():
        agreed, installed = contract.load(name).pull, local.get(name)
        if agreed is None and installed is None:
            continue
        try:
            sources[name] = _read_source(
                name, agreed, installed, path if installed is not None else contract.folder_by_institution()[name] / "contract.yaml"
            )
        except DeclarationError as error:
            sources[name] = error
    return sources


def _read_source(name: str, contract_declaration: Any, local_declaration: Any, path: Path) -> Source:
    """Return the source that the contract of an institution and the installation's file declare together.

    Raises `DeclarationError`. If a secret is written where its location should be, the error does not show it.
    """
    for part in (contract_declaration, local_declaration):
        if part is not None and not isinstance(part, Mapping):
            raise make_value_error(path, name, type(part).__name__, "it must be a mapping of keys to values")
    raw = {**(contract_declaration or {}), **(local_declaration or {})}
    kind = SOURCE_CLASSES.get(str(raw.get("kind")))
    if kind is None:
        raise make_value_error(path, f"{name}.kind", raw.get("kind"), f"it must be one of {', '.join(SOURCE_CLASSES)}")
    for secret in kind.secret:
        if secret in raw and not isinstance(raw[secret], Mapping):
            raise DeclarationError(
                f"{display_path(path)}: {name}.{secret} must say where the secret is: {{file: PATH}} or {{environment: NAME}}"
            )
    if any(isinstance(value, str) and _LOGIN.search(value) for value in raw.values()):
        raise DeclarationError(f"{display_path(path)}: {name}: an address must not contain a login: use `user` and the keys of secrets")
    source = convert_declaration(kind, raw, path, name)
    if isinstance(source, Database):
        _require_files_that_database_can_fill(name, source, path)
    return source


def _require_files_that_database_can_fill(name: str, source: Database, path: Path) -> None:
    """Raise `DeclarationError` if the contract has a file that cannot be written from the tables of a database."""
    spec = contract.load(name)
    for file in spec.files:
        plain = file.reader == "delimited" and len(file.tables) == 1 and not {"header_row", "total", "earlier"} & set(file.options)
        if file.reader != "database" and not plain:
            raise make_value_error(path, f"{name}.kind", source.kind, f"a database cannot fill {file.name}: pull it as a file")
    if odd := sorted(set(source.tables) - set(spec.tables)):
        raise make_value_error(path, f"{name}.tables", odd[0], f"it must be one of {', '.join(spec.tables)}")
    for table, table_source in source.tables.items():
        if odd := sorted(set(table_source.columns) - {column.name for column in spec.tables[table].columns}):
            raise make_value_error(path, f"{name}.tables.{table}.columns", odd[0], "it must be a column that the contract declares")
