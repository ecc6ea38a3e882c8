"""The identity of findings over an institution's deliveries, and their names.

Belongs here: which findings are the same, the names of findings. Does not belong here: their state over time (`life`).

Findings of two deliveries are the same when institution, record key, field and rule agree, and the table where a part is a table (record
keys may repeat across tables). The line is ignored, since rows move. Without a record key, file and part must agree, and the delivered text
(except for findings on a whole file or delivery, whose text may vary). Several of one identity in one delivery are numbered in order.
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
_NAME_DIGITS = 16  # hex digits of a finding's name
_AT_A_TIME = 250_000  # names


@dataclass(frozen=True)
class FindingIdentities:
    """The identities of findings (which findings are the same), numbered in order of appearance.

    of     per finding, the number of its identity
    first  per identity, its first finding
    whole  per identity, whether it concerns a whole file or delivery
    cells  per identity, the codes of its `IDENTITY` columns, -1 where empty or ignored
    nth    per identity, its number among equal ones of a delivery
    """

    of: np.ndarray
    first: np.ndarray
    whole: np.ndarray
    cells: Mapping[str, np.ndarray]
    nth: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def identify_findings(findings: pd.DataFrame) -> FindingIdentities:
    """The identities of findings. findings: `harmonia.feedback.life.KEYS`, texts coded."""
    cells = {name: coded.text_codes(findings[name]) for name in IDENTITY}
    keyed = cells["record_key"] >= 0
    whole = _cells_equal_to(findings["rule"], [code for code, rule in rules().items() if not rule.whole], unlike=True) & ~keyed
    tables = {table for _, table in record_tables()}
    cells["file"] = np.where(keyed, -1, cells["file"])
    cells["part"] = np.where(keyed & ~_cells_equal_to(findings["part"], tables), -1, cells["part"])
    cells["value"] = np.where(keyed | whole, -1, cells["value"])
    identity = coded.group_numbers(*cells.values())
    nth = _number_within_delivery(findings, coded.group_numbers(identity, coded.text_codes(findings["delivery"])))
    of = coded.group_numbers(identity, nth)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(of), prepend=-1))
    return FindingIdentities(of, first, whole[first], {name: codes[first] for name, codes in cells.items()}, nth[first])


def identity_names(findings: pd.DataFrame, same: FindingIdentities) -> pd.Index:
    """The name of each identity: a hash of its columns. Must never change: stored answers refer to it."""
    texts = {name: np.append(findings[name].cat.categories.to_numpy(dtype=object), "") for name in IDENTITY}
    named = [
        hashlib.sha256("\0".join(row).encode()).hexdigest()[:_NAME_DIGITS]
        for some in _row_chunks(len(same))
        for row in zip(*(texts[name][codes[some]] for name, codes in same.cells.items()), same.nth[some].astype("str"), strict=True)
    ]
    return pd.Index(named, dtype="str")


def _row_chunks(rows: int) -> Iterator[slice]:
    """Divide the rows into chunks, to limit memory."""
    return (slice(first, first + _AT_A_TIME) for first in range(0, rows, _AT_A_TIME))


def _cells_equal_to(column: pd.Series, texts: Collection[str], *, unlike: bool = False) -> np.ndarray:
    """Return which cells equal one of `texts`; with `unlike`, which cells do not."""
    return np.append(column.cat.categories.isin(list(texts)), False)[coded.text_codes(column)] != unlike


def _number_within_delivery(findings: pd.DataFrame, within: np.ndarray) -> np.ndarray:
    """The number of each finding among those of one identity and delivery (`within`), by line and text."""
    several = np.flatnonzero(np.bincount(within)[within] > 1)
    rows = findings[["line", "value"]].iloc[several].astype({"value": "str"}).set_axis(several)
    placed = rows.sort_values(["line", "value"], kind="stable").index.to_numpy()
    nth = np.zeros(len(within), dtype="int32")
    nth[placed] = pd.Series(placed).groupby(within[placed]).cumcount()
    return nth
