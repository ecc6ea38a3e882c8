"""Which findings of an institution's deliveries are the same, and what they are called over all of them.

Belongs here: what makes two findings one, the names of findings. Does not belong here: what became of each (`life`).

A finding is the same in two deliveries when institution, record key, field and rule agree, and the table where a part is one (tables may
number their rows alike). The line never counts: rows move. Where there is no record key, file and part count, and the delivered text
(not for findings on a whole file or delivery, whose text may vary). Several of one identity in one delivery are told apart by their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.resources import coded
from schemas.findings import rules
from sources.contract import record_tables

IDENTITY = ("institution", "file", "part", "record_key", "value", "field", "rule")
_KEPT = 16  # hex digits of a finding's name
_AT_A_TIME = 250_000  # names


@dataclass(frozen=True)
class Same:
    """Identities of findings, numbered in the order in which they appear.

    of     of each finding the number of its identity
    first  of each identity its first finding
    whole  of each identity, whether it speaks of a whole file or delivery
    cells  of each identity the numbers of what makes it (`IDENTITY`), -1 where that is empty or does not count
    nth    of each identity, the how manieth of its like it is in a delivery
    """

    of: np.ndarray
    first: np.ndarray
    whole: np.ndarray
    cells: Mapping[str, np.ndarray]
    nth: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def alike(findings: pd.DataFrame) -> Same:
    """findings: `pipelines.feedback.life.KEYS`, texts coded."""
    cells = {name: coded.codes(findings[name]) for name in IDENTITY}
    keyed = cells["record_key"] >= 0
    whole = _those(findings["rule"], [code for code, rule in rules().items() if not rule.whole], unlike=True) & ~keyed
    tables = {table for _, table in record_tables()}
    cells["file"] = np.where(keyed, -1, cells["file"])
    cells["part"] = np.where(keyed & ~_those(findings["part"], tables), -1, cells["part"])
    cells["value"] = np.where(keyed | whole, -1, cells["value"])
    identity = coded.numbered(*cells.values())
    nth = _order(findings, coded.numbered(identity, coded.codes(findings["delivery"])))
    of = coded.numbered(identity, nth)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(of), prepend=-1))
    return Same(of, first, whole[first], {name: codes[first] for name, codes in cells.items()}, nth[first])


def names(findings: pd.DataFrame, same: Same) -> pd.Index:
    """The name of each identity: what it is made of, hashed. Names stand in what institutions answered: they never change."""
    texts = {name: np.append(findings[name].cat.categories.to_numpy(dtype=object), "") for name in IDENTITY}
    named = [
        hashlib.sha256("\0".join(row).encode()).hexdigest()[:_KEPT]
        for some in _portions(len(same))
        for row in zip(*(texts[name][codes[some]] for name, codes in same.cells.items()), same.nth[some].astype("str"), strict=True)
    ]
    return pd.Index(named, dtype="str")


def _portions(rows: int) -> Iterator[slice]:
    """Some at a time, so that not all texts are held."""
    return (slice(first, first + _AT_A_TIME) for first in range(0, rows, _AT_A_TIME))


def _those(column: pd.Series, texts: Collection[str], *, unlike: bool = False) -> np.ndarray:
    """Which cells hold one of `texts`; with `unlike`, which do not."""
    return np.append(column.cat.categories.isin(list(texts)), False)[coded.codes(column)] != unlike


def _order(findings: pd.DataFrame, within: np.ndarray) -> np.ndarray:
    """The place of each finding among those `within` one identity and delivery, by line and text."""
    several = np.flatnonzero(np.bincount(within)[within] > 1)
    rows = findings[["line", "value"]].iloc[several].astype({"value": "str"}).set_axis(several)
    placed = rows.sort_values(["line", "value"], kind="stable").index.to_numpy()
    nth = np.zeros(len(within), dtype="int32")
    nth[placed] = pd.Series(placed).groupby(within[placed]).cumcount()
    return nth
