"""Find the files that declare the domain of a warehouse: what all institutions of a country share, and the topic. They are in the folder
that the environment variable `HARMONIA_DOMAIN` names, or else in the repository (the built-in domain).

Belongs here: the list of the parts of a domain, the path of each part, the check that a folder is complete. Does not belong here: the
content of the parts, which other modules read. They call `find_path_in_domain`, so that only this module reads the environment variable.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from schemas.yaml_declarations import DeclarationError, display_path

SETTING = "HARMONIA_DOMAIN"
"""The environment variable that names the folder of a domain; it is not set if the built-in domain is used."""
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
OPTIONAL_PARTS = ("questionnaires", "htcds.yaml")
"""Parts that a domain may lack. They declare exports that make sense for one topic only; without the part, there is no such export."""
CODE_LISTS = ("municipalities", "seats", "countries", "forms", "sexes", "person_kinds", "offences", "offence_words", "laws")
SHARED_CODE_LISTS = ("countries", "sexes", "person_kinds")
"""Code lists that are the same in every domain. If the folder of a domain lacks one of them, the built-in list is used."""
_DOCUMENTATION = ("README.md",)


@cache
def folder() -> Path | None:
    """Return the folder of the domain; None if the built-in domain is used. Raises `DeclarationError` if the folder does not exist."""
    setting = os.environ.get(SETTING)
    if not setting:
        return None
    path = Path(setting).resolve()
    if not path.is_dir():
        raise DeclarationError(f"{SETTING} names {setting}, which is not a folder: correct it, or unset it for the built-in domain")
    return path


def find_path_in_built_in_domain(part: str) -> Path:
    """Return the path of a part of the built-in domain. `part` has the same meaning as in `find_path_in_domain`."""
    first, _, rest = part.partition("/")
    return _ROOT / _BUILT_IN[first] / rest


def find_path_in_domain(part: str) -> Path:
    """Return the path of a part of the domain.

    `part` is the name of a part, such as `country.yaml` or `codes`, or the path of a file in such a folder, such as `codes/seats.csv`. The
    parts are listed in docs/how-to/another-country.md.
    """
    domain_path = folder()
    if domain_path is None or (
        part.removeprefix("codes/").removesuffix(".csv") in SHARED_CODE_LISTS and not (domain_path / part).is_file()
    ):
        return find_path_in_built_in_domain(part)
    return domain_path / part


def copy_built_in(folder: Path) -> None:
    """Copy the built-in domain to a folder that contains no part of a domain yet, so that it can be changed there."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in _BUILT_IN:
        if find_path_in_built_in_domain(part).is_file():
            shutil.copyfile(find_path_in_built_in_domain(part), folder / part)
        elif part != "sources":
            shutil.copytree(find_path_in_built_in_domain(part), folder / part, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for contract in sorted(find_path_in_built_in_domain("sources").glob("*/contract.yaml")):
        institution = contract.parent.name
        own = folder / "sources" / institution
        shutil.copytree(contract.parent, own, ignore=shutil.ignore_patterns("__init__.py", "__pycache__"))
        if (rules := _ROOT / "schemas" / "exports" / f"{institution}.py").is_file():
            shutil.copyfile(rules, own / "exports.py")


@cache
def check_folder() -> None:
    """Check that the folder of the domain is complete. The built-in domain is not checked.

    Raises `DeclarationError` if the folder contains something that is not a part of a domain, if a part or a code list is missing, or if a
    code list lacks a column.
    """
    domain_path = folder()
    if domain_path is None:
        return
    for entry in sorted(path.name for path in domain_path.iterdir() if not path.name.startswith((".", "__"))):
        if entry not in (*_BUILT_IN, *_DOCUMENTATION):
            raise DeclarationError(
                f"{display_path(domain_path)}: {entry} is no part of a domain: rename it, or move it away; parts: {', '.join(_BUILT_IN)}"
            )
    for part in _BUILT_IN:
        if part not in OPTIONAL_PARTS and not (domain_path / part).exists():
            raise DeclarationError(f"{display_path(domain_path)}: lacks {part}: add it; docs/how-to/another-country.md says what it holds")
    for path in sorted((domain_path / "codes").iterdir()):
        if (path.suffix != ".csv" and path.name not in _DOCUMENTATION) or (path.suffix == ".csv" and path.stem not in CODE_LISTS):
            raise DeclarationError(
                f"{display_path(path)}: is not a code list: rename it to one of {', '.join(f'{n}.csv' for n in CODE_LISTS)}"
            )
    for name in CODE_LISTS:
        path = find_path_in_domain(f"codes/{name}.csv")
        if not path.is_file():
            raise DeclarationError(f"{display_path(path)}: is missing: add the list, with its header only if it has no codes")
        header = _read_csv_header(find_path_in_built_in_domain(f"codes/{name}.csv"))
        if lacking := [column for column in header if column not in _read_csv_header(path)]:
            raise DeclarationError(f"{display_path(path)}: lacks the column {lacking[0]}: add it; the columns are {', '.join(header)}")


def _read_csv_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])
