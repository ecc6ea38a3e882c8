"""What an institution may learn from another's records: `sources/<sender>/agreements.yaml`; nothing unless listed there.

Belongs here: the matrix sender x receiver x role x case status, exceptions. Does not belong here: applying it (`permitted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from schemas.declared import DeclarationError, checked, declared, shown
from sources import contract
from sources.contract import institutions

ROLES = ("accused", "victim", "witness", "case")
STATUSES = ("investigation", "indicted", "judged", "final")
COLUMNS = ("sender", "receiver", "role", "status")
SOURCES = Path(__file__).resolve().parents[2] / "sources"
_ASKED = ("receivers", "roles", "statuses", "agreement")


@dataclass(frozen=True)
class _Entry:
    """One entry of a file of agreements."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    receivers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    agreement: str | None = None
    exception: str | None = None


@dataclass(frozen=True)
class _File:
    """A file of agreements."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    agreements: tuple[_Entry, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """The allowed cells with their agreements: a frame with `COLUMNS` and `agreement`, one row per cell."""

    cells: pd.DataFrame

    def allows(self, asked: pd.DataFrame) -> pd.Series:
        """Whether an agreement allows each row (`COLUMNS`)."""
        named = {name: pd.Index(self.cells[name].unique()) for name in COLUMNS}
        allowed = np.zeros([len(known) + 1 for known in named.values()], dtype=bool)  # the last position is for unknown names
        allowed[tuple(known.get_indexer(pd.Index(self.cells[name])) for name, known in named.items())] = True
        return pd.Series(allowed[tuple(_places(asked[name], known) for name, known in named.items())], index=asked.index)

    @classmethod
    def of(cls, rows: list[tuple[str, str, str, str, str]]) -> Matrix:
        """From rows of sender, receiver, role, status, agreement."""
        return cls(pd.DataFrame(rows, columns=[*COLUMNS, "agreement"], dtype="str").drop_duplicates(list(COLUMNS)))


def _places(column: pd.Series, known: pd.Index) -> np.ndarray:
    """The index of each cell in `known`; -1 where it is not there."""
    codes, texts = pd.factorize(column)
    return np.append(known.get_indexer(pd.Index(texts)), -1)[codes]


def matrix(folder: Path = SOURCES) -> Matrix:
    """The current matrix. Raises `DeclarationError` where an entry is invalid or lacks a required exception."""
    rows: list[tuple[str, str, str, str, str]] = []
    for sender in institutions():
        path = folder / sender / "agreements.yaml"
        if not path.is_file():
            continue
        written = checked(_File, declared(path) or {}, path)
        for n, entry in enumerate(written.agreements, 1):
            rows += _cells(sender, vars(entry), f"{shown(path)}, entry {n}")
    return Matrix.of(rows)


def everything() -> Matrix:
    """The matrix with every cell allowed, as if all institutions agreed. For measuring only."""
    names = institutions()
    return Matrix.of([(s, r, role, status, "everything") for s in names for r in names if r != s for role in ROLES for status in STATUSES])


def _cells(sender: str, entry: Mapping[str, Any], where: str) -> list[tuple[str, str, str, str, str]]:
    lacking = [name for name in _ASKED if not entry[name]]
    if lacking:
        raise DeclarationError(
            f"{where}: {', '.join(lacking)} missing; an entry needs {', '.join(_ASKED)} (and `exception` where required)"
        )
    known = {"receivers": set(institutions()) - {sender}, "roles": set(ROLES), "statuses": set(STATUSES)}
    for name, allowed in known.items():
        odd = sorted(set(map(str, entry[name])) - allowed)
        if odd:
            raise DeclarationError(f"{where}: unknown {name} {', '.join(odd)}; use {', '.join(sorted(allowed))}")
    cells = [
        (sender, str(r), str(role), str(status)) for r in entry["receivers"] for role in entry["roles"] for status in entry["statuses"]
    ]
    closed = sorted({reason for cell in cells if (reason := _needs_exception(*cell))})
    if closed and not entry["exception"]:
        raise DeclarationError(f"{where}: {'; '.join(closed)}: remove it, or give the agreement's clause under `exception`")
    return [(*cell, str(entry["agreement"])) for cell in cells]


def _needs_exception(sender: str, receiver: str, role: str, status: str) -> str | None:
    """Why a cell needs an exception; None where it does not."""
    if receiver in contract.load(sender).tells_nothing_to:
        return f"{sender} discloses nothing to {receiver}"
    if role == "victim" and not all(contract.load(name).deals_with_victims for name in (sender, receiver)):
        return "data on victims is restricted to institutions that deal with them"
    if status == "investigation":
        return "nothing is disclosed before an indictment"
    return None
