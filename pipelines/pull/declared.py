"""Where each institution's deliveries are: `pull:` of its contract, which the installation's own file can override.

Belongs here: merging and checking the two. The contract has what was agreed (kind, layout, tables). The installation's file
(`HARMONIA_PULL`, else `HOME/pull.yaml`) has what belongs to the installation: hosts, users, where secrets are. Its keys replace those of
the contract.
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
from schemas.declared import DeclarationError, checked, declared, shown, wrong
from sources import contract

SETTING = "HARMONIA_PULL"
KINDS: Mapping[str, type[Source]] = {
    "sftp": Sftp,
    "https": Https,
    "s3": S3,
    "share": Share,
    **dict.fromkeys((*SERVERS, "mariadb"), Database),
}
_LOGIN = re.compile(r"//[^/@]*@")


def installation_file(home: Home) -> Path:
    """Return the path of the installation's own file, which need not exist."""
    return Path(os.environ[SETTING]).expanduser() if os.environ.get(SETTING) else home.root / "pull.yaml"


def configured(home: Home) -> dict[str, Source | DeclarationError]:
    """Return the source of every institution that has one, or the error in its declaration, which stops this institution only.

    Raises `DeclarationError` if the installation's file is no mapping of institutions.
    """
    path = installation_file(home)
    local = (declared(path) or {}) if path.is_file() else {}
    if not isinstance(local, Mapping):
        raise wrong(path, "the file", type(local).__name__, "it must be a mapping of institutions to their sources")
    if unknown := sorted(set(map(str, local)) - set(contract.institutions())):
        raise wrong(path, unknown[0], "", f"it must be one of {', '.join(contract.institutions())}")
    found: dict[str, Source | DeclarationError] = {}
    for name in contract.institutions():
        agreed, own = contract.load(name).pull, local.get(name)
        if agreed is None and own is None:
            continue
        try:
            found[name] = _read_source(name, agreed, own, path if own is not None else contract.folder_of()[name] / "contract.yaml")
        except DeclarationError as error:
            found[name] = error
    return found


def _read_source(name: str, agreed: Any, own: Any, path: Path) -> Source:
    """Return one source. Raises `DeclarationError`, which never shows what is written in place of a secret."""
    for part in (agreed, own):
        if part is not None and not isinstance(part, Mapping):
            raise wrong(path, name, type(part).__name__, "it must be a mapping of keys to values")
    raw = {**(agreed or {}), **(own or {})}
    kind = KINDS.get(str(raw.get("kind")))
    if kind is None:
        raise wrong(path, f"{name}.kind", raw.get("kind"), f"it must be one of {', '.join(KINDS)}")
    for secret in kind.secret:
        if secret in raw and not isinstance(raw[secret], Mapping):
            raise DeclarationError(f"{shown(path)}: {name}.{secret} must say where the secret is: {{file: PATH}} or {{environment: NAME}}")
    if any(isinstance(value, str) and _LOGIN.search(value) for value in raw.values()):
        raise DeclarationError(f"{shown(path)}: {name}: an address must not contain a login: use `user` and the keys of secrets")
    source = checked(kind, raw, path, name)
    if isinstance(source, Database):
        _check_database(name, source, path)
    return source


def _check_database(name: str, source: Database, path: Path) -> None:
    """Check that the files of a database can be written from rows."""
    agreed = contract.load(name)
    for file in agreed.files:
        plain = file.reader == "delimited" and len(file.tables) == 1 and not {"header_row", "total", "earlier"} & set(file.options)
        if file.reader != "database" and not plain:
            raise wrong(path, f"{name}.kind", source.kind, f"a database cannot fill {file.name}: pull it as a file")
    if odd := sorted(set(source.tables) - set(agreed.tables)):
        raise wrong(path, f"{name}.tables", odd[0], f"it must be one of {', '.join(agreed.tables)}")
    for table, at in source.tables.items():
        if odd := sorted(set(at.columns) - {column.name for column in agreed.tables[table].columns}):
            raise wrong(path, f"{name}.tables.{table}.columns", odd[0], "it must be a column that the contract declares")
