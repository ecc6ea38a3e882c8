"""Where the domain of a warehouse (its country and topic) is declared: in the repository, or in the folder that `HARMONIA_DOMAIN` names.

Belongs here: the parts of a domain, the path of each, whether a folder is complete. Does not belong here: what the parts say (the
modules that read them). Every module that reads a part calls `place`; only this module knows the setting.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from schemas.declared import DeclarationError, shown

SETTING = "HARMONIA_DOMAIN"
"""Environment variable: the folder of a domain in place of the built-in one."""
_ROOT = Path(__file__).resolve().parents[1]
_BUILT_IN: Mapping[str, str] = {
    **{name: f"schemas/domain/{name}" for name in ("country.yaml", "stages.yaml", "topic.yaml", "texts.yaml")},
    "codes": "schemas/codes",
    "indicators": "warehouse/indicators",
    "disclosure_policy.yaml": "warehouse/disclosure/disclosure_policy.yaml",
    "questionnaires": "warehouse/exports/questionnaires",
    "htcds.yaml": "warehouse/exports/htcds.yaml",
    "sources": "sources",
}
OPTIONAL = ("questionnaires", "htcds.yaml")
"""Exports that make sense for one topic only: a domain without them does not have them."""
CODE_LISTS = ("municipalities", "seats", "countries", "forms", "sexes", "person_kinds", "offences", "offence_words", "laws")
SHARED = ("countries", "sexes", "person_kinds")
"""Code lists that say the same in every domain: where the folder has none, the built-in one is used."""
_PLAIN = ("README.md",)


@cache
def folder() -> Path | None:
    """Return the folder of the domain; None for the built-in one. Raises `DeclarationError` if the folder does not exist."""
    named = os.environ.get(SETTING)
    if not named:
        return None
    found = Path(named).resolve()
    if not found.is_dir():
        raise DeclarationError(f"{SETTING} names {named}, which is not a folder: correct it, or unset it for the built-in domain")
    return found


def built_in(part: str) -> Path:
    """Return the path of a part of the built-in domain."""
    first, _, rest = part.partition("/")
    return _ROOT / _BUILT_IN[first] / rest


def place(part: str) -> Path:
    """Return the path of the file or folder of a part of the domain. `part`: a key of the table in docs/how-to/another-country.md, or
    the path of a file below such a part."""
    own = folder()
    if own is None or (part.removeprefix("codes/").removesuffix(".csv") in SHARED and not (own / part).is_file()):
        return built_in(part)
    return own / part


def copy_built_in(folder: Path) -> None:
    """Copy the built-in domain to a folder that holds none of its parts yet, to be changed there."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in _BUILT_IN:
        if built_in(part).is_file():
            shutil.copyfile(built_in(part), folder / part)
        elif part != "sources":
            shutil.copytree(built_in(part), folder / part, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for contract in sorted(built_in("sources").glob("*/contract.yaml")):
        institution = contract.parent.name
        own = folder / "sources" / institution
        shutil.copytree(contract.parent, own, ignore=shutil.ignore_patterns("__init__.py", "__pycache__"))
        if (rules := _ROOT / "schemas" / "exports" / f"{institution}.py").is_file():
            shutil.copyfile(rules, own / "exports.py")


@cache
def check() -> None:
    """Raise `DeclarationError` if the domain's folder has an entry that is no part of a domain, lacks a part or a code list, or has a
    list that lacks a column."""
    own = folder()
    if own is None:
        return
    for entry in sorted(path.name for path in own.iterdir() if not path.name.startswith((".", "__"))):
        if entry not in (*_BUILT_IN, *_PLAIN):
            raise DeclarationError(
                f"{shown(own)}: {entry} is no part of a domain: rename it, or move it away; parts: {', '.join(_BUILT_IN)}"
            )
    for part in _BUILT_IN:
        if part not in OPTIONAL and not (own / part).exists():
            raise DeclarationError(f"{shown(own)}: lacks {part}: add it; docs/how-to/another-country.md says what it holds")
    for path in sorted((own / "codes").iterdir()):
        if (path.suffix != ".csv" and path.name not in _PLAIN) or (path.suffix == ".csv" and path.stem not in CODE_LISTS):
            raise DeclarationError(f"{shown(path)}: is not a code list: rename it to one of {', '.join(f'{n}.csv' for n in CODE_LISTS)}")
    for name in CODE_LISTS:
        path = place(f"codes/{name}.csv")
        if not path.is_file():
            raise DeclarationError(f"{shown(path)}: is missing: add the list, with its header only if it has no codes")
        header = _read_header(built_in(f"codes/{name}.csv"))
        if lacking := [column for column in header if column not in _read_header(path)]:
            raise DeclarationError(f"{shown(path)}: lacks the column {lacking[0]}: add it; the columns are {', '.join(header)}")


def _read_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])
