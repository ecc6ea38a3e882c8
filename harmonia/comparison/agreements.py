"""Read what institutions agreed to let one another learn from their records (`sources/<sender>/agreements.yaml`).

What no agreement lists is not allowed.
Belongs here: the matrix of allowed combinations of sender, receiver, role and case status; the exceptions that some combinations need.
Does not belong here: applying the matrix to evidence (`permitted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from schemas.yaml_declarations import DeclarationError, convert_declaration, display_path, read_yaml
from sources import contract
from sources.contract import institutions

ROLES = ("accused", "victim", "witness", "case")
STATUSES = ("investigation", "indicted", "judged", "final")
COLUMNS = ("sender", "receiver", "role", "status")
_REQUIRED = ("receivers", "roles", "statuses", "agreement")


@dataclass(frozen=True)
class _DeclaredAgreement:
    """One entry of a file of agreements: to whom the sender discloses which roles and case statuses, and under which agreement."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    receivers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    agreement: str | None = None
    exception: str | None = None


@dataclass(frozen=True)
class _AgreementsFile:
    """The content of one file of agreements."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    agreements: tuple[_DeclaredAgreement, ...] = ()


@dataclass(frozen=True)
class AgreementMatrix:
    """What the agreements allow institutions to learn from one another.

    cells: a frame with one row per allowed combination, and the columns `COLUMNS` and `agreement` (the name of the agreement that allows
    it).
    """

    cells: pd.DataFrame

    def are_allowed(self, evidence: pd.DataFrame) -> pd.Series:
        """Return for each row of `evidence` whether an agreement allows to report it. evidence: a frame with the columns `COLUMNS`."""
        values = {name: pd.Index(self.cells[name].unique()) for name in COLUMNS}
        allowed = np.zeros([len(index) + 1 for index in values.values()], dtype=bool)  # the last position is for values in no cell
        allowed[tuple(index.get_indexer(pd.Index(self.cells[name])) for name, index in values.items())] = True
        return pd.Series(
            allowed[tuple(_find_positions_of_values(evidence[name], index) for name, index in values.items())], index=evidence.index
        )

    @classmethod
    def from_rows(cls, rows: list[tuple[str, str, str, str, str]]) -> AgreementMatrix:
        """Make a matrix of tuples with sender, receiver, role, status and name of the agreement."""
        return cls(pd.DataFrame(rows, columns=[*COLUMNS, "agreement"], dtype="str").drop_duplicates(list(COLUMNS)))


def _find_positions_of_values(column: pd.Series, values: pd.Index) -> np.ndarray:
    """Return for each row of `column` the position of its value in `values`; -1 if `values` does not contain it."""
    codes, texts = pd.factorize(column)
    return np.append(values.get_indexer(pd.Index(texts)), -1)[codes]


def load_agreements(folder: Path | None = None) -> AgreementMatrix:
    """Read the matrix from the files of agreements.

    folder: the folder that contains the institutions' folders; None for the folders of their contracts. Raises `DeclarationError` if an
    entry is invalid, or needs an exception and has none.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    for sender in institutions():
        path = (folder / sender if folder else contract.folder_by_institution()[sender]) / "agreements.yaml"
        if not path.is_file():
            continue
        file = convert_declaration(_AgreementsFile, read_yaml(path) or {}, path)
        for number, entry in enumerate(file.agreements, 1):
            rows += _list_allowed_combinations(sender, vars(entry), f"{display_path(path)}, entry {number}")
    return AgreementMatrix.from_rows(rows)


def make_matrix_allowing_all() -> AgreementMatrix:
    """Return a matrix in which everything is allowed, as if all institutions agreed. For measuring only."""
    names = institutions()
    return AgreementMatrix.from_rows(
        [
            (sender, receiver, role, status, "everything")
            for sender in names
            for receiver in names
            if receiver != sender
            for role in ROLES
            for status in STATUSES
        ]
    )


def _list_allowed_combinations(sender: str, entry: Mapping[str, Any], location: str) -> list[tuple[str, str, str, str, str]]:
    """Check an entry of a file of agreements, and return the combinations that it allows, each with the name of the agreement."""
    missing = [name for name in _REQUIRED if not entry[name]]
    if missing:
        raise DeclarationError(
            f"{location}: {', '.join(missing)} missing; an entry needs {', '.join(_REQUIRED)} (and `exception` where required)"
        )
    valid = {"receivers": set(institutions()) - {sender}, "roles": set(ROLES), "statuses": set(STATUSES)}
    for name, allowed in valid.items():
        unknown = sorted(set(map(str, entry[name])) - allowed)
        if unknown:
            raise DeclarationError(f"{location}: unknown {name} {', '.join(unknown)}; use {', '.join(sorted(allowed))}")
    cells = [
        (sender, str(receiver), str(role), str(status))
        for receiver in entry["receivers"]
        for role in entry["roles"]
        for status in entry["statuses"]
    ]
    exceptions = sorted({reason for cell in cells if (reason := _find_reason_for_exception(*cell))})
    if exceptions and not entry["exception"]:
        raise DeclarationError(f"{location}: {'; '.join(exceptions)}: remove it, or give the agreement's clause under `exception`")
    return [(*cell, str(entry["agreement"])) for cell in cells]


def _find_reason_for_exception(sender: str, receiver: str, role: str, status: str) -> str | None:
    """Return why this combination must not be allowed without an exception; None if it needs no exception."""
    if receiver in contract.load(sender).tells_nothing_to:
        return f"{sender} discloses nothing to {receiver}"
    if role == "victim" and not all(contract.load(name).deals_with_victims for name in (sender, receiver)):
        return "data on victims is restricted to institutions that deal with them"
    if status == "investigation":
        return "nothing is disclosed before an indictment"
    return None
