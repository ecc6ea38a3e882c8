"""The data from which a release is made: the published tables of a home, and information on linkage and on the versions of the program.

Belongs here: the type of these data, and the versions of the program. Does not belong here: reading a home (`harmonia.release_source`),
figures (`exact`), files of a release.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

import pipelines
import schemas
import sources
import warehouse
from schemas import domain_folder
from sources import contract
from warehouse.indicators import indicators

CODE_PARTS = {
    "reading": (sources, ("*.py", "readers/**/*.py")),
    "validation": (pipelines, ("validation/**/*.py", "record_status.py", "crosswalk.py")),
    "harmonisation": (pipelines, ("harmonisation/**/*.py",)),
    "linkage": (pipelines, ("linkage/**/*.py", "linkage/models/*")),
    "counting": (warehouse, ("models/**/*.sql", "count/**/*.py", "count/*.yaml", "star/*.py")),
    "schemas": (schemas, ("canonical.py", "topic.py", "domain/*.py")),
    "disclosure": (warehouse, ("disclosure/*.py",)),
}
"""The files that affect figures: name of the part → package, patterns of its files."""

VICTIM_PATHWAY = ("flow_victims", "flow_victim_durations")
"""The views that follow the same victims from step to step. A release contains them only in its confidential part."""


@dataclass(frozen=True)
class ReleaseSource:
    """The data from which a release is made: the tables of the warehouse by name, deliveries, judgements on pairs, and the manifest entries
    on linkage and versions."""

    tables: dict[str, pd.DataFrame]
    deliveries: pd.DataFrame
    judgements: pd.DataFrame
    linkage: dict[str, Any]
    versions: dict[str, Any]


def collect_versions_of_parts() -> dict[str, Any]:
    """Return the version of the program, a hash of each part of its code and declarations that affects figures, and a hash of the file of
    each indicator."""
    code = {part: _hash_files(Path(str(package.__path__[0])), patterns) for part, (package, patterns) in CODE_PARTS.items()}
    code["codes"] = _hash_files(domain_folder.find_path_in_domain("codes"), ("*.csv",))
    code |= {f"sources/{name}": _hash_files(folder, ("*.py", "contract.yaml")) for name, folder in contract.folder_by_institution().items()}
    folder = domain_folder.find_path_in_domain("indicators")
    return {"harmonia": version("harmonia"), "code": code, "indicators": {i: _hash_files(folder, (f"{i}.yaml",)) for i in indicators()}}


def _hash_files(folder: Path, patterns: tuple[str, ...]) -> str:
    """Return a hash of the names and contents of the files below `folder` that match `patterns`."""
    digest = hashlib.sha256()
    for path in sorted({p for pattern in patterns for p in folder.glob(pattern) if p.is_file() and "__pycache__" not in p.parts}):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
