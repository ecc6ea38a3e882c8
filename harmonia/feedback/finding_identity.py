"""Which findings of different deliveries are the same finding, and the names of findings over all deliveries.

Does not belong here: the state of findings over time (`finding_states`).

Findings of two deliveries are the same if institution, record key, field and rule are equal. If the parts of a file are tables, the table
must also be equal, since two tables may have the same record key. The line is ignored, since rows move. Findings without a record key are
the same if file, part and delivered text agree; for findings on a whole file or delivery the text is ignored, since it may vary. If a
delivery has several findings that are the same by this rule, they are numbered in their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.resources import encoded_texts
from schemas.findings import rules
from sources.contract import record_tables

IDENTITY = ("institution", "file", "part", "record_key", "value", "field", "rule")
_NAME_DIGITS = 16  # hex digits of a finding's name
_NAMES_PER_CHUNK = 250_000


@dataclass(frozen=True)
class FindingIdentities:
    """The identities of findings. Findings that are the same have one identity; identities are numbered in order of appearance.

    of     for each finding, the number of its identity
    first  for each identity, the row number of its first finding
    whole  for each identity, whether it concerns a whole file or delivery
    cells  column of `IDENTITY` → for each identity, the code of its value; -1 if the value is empty or ignored
    nth    for each identity, its number among the identities with the same cells
    """

    of: np.ndarray
    first: np.ndarray
    whole: np.ndarray
    cells: Mapping[str, np.ndarray]
    nth: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def identify_findings(findings: pd.DataFrame) -> FindingIdentities:
    """Determine the identities of findings. findings: columns `harmonia.feedback.finding_states.KEYS`, with coded texts."""
    cells = {name: encoded_texts.get_text_codes(findings[name]) for name in IDENTITY}
    keyed = cells["record_key"] >= 0
    about_whole_file = (
        _compare_cells_with_texts(findings["rule"], [code for code, rule in rules().items() if not rule.whole], unlike=True) & ~keyed
    )
    tables = {table for _, table in record_tables()}
    cells["file"] = np.where(keyed, -1, cells["file"])
    cells["part"] = np.where(keyed & ~_compare_cells_with_texts(findings["part"], tables), -1, cells["part"])
    cells["value"] = np.where(keyed | about_whole_file, -1, cells["value"])
    identity = encoded_texts.number_equal_rows(*cells.values())
    nth = _number_findings_within_delivery(
        findings, encoded_texts.number_equal_rows(identity, encoded_texts.get_text_codes(findings["delivery"]))
    )
    of = encoded_texts.number_equal_rows(identity, nth)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(of), prepend=-1))
    return FindingIdentities(of, first, about_whole_file[first], {name: codes[first] for name, codes in cells.items()}, nth[first])


def compute_identity_names(findings: pd.DataFrame, same: FindingIdentities) -> pd.Index:
    """Compute the name of each identity, a hash of its columns. The method must never change, since stored answers refer to the names."""
    texts = {name: np.append(findings[name].cat.categories.to_numpy(dtype=object), "") for name in IDENTITY}
    named = [
        hashlib.sha256("\0".join(row).encode()).hexdigest()[:_NAME_DIGITS]
        for some in _split_into_chunks(len(same))
        for row in zip(*(texts[name][codes[some]] for name, codes in same.cells.items()), same.nth[some].astype("str"), strict=True)
    ]
    return pd.Index(named, dtype="str")


def _split_into_chunks(rows: int) -> Iterator[slice]:
    """Yield slices that divide `rows` rows into chunks, to limit memory."""
    return (slice(first, first + _NAMES_PER_CHUNK) for first in range(0, rows, _NAMES_PER_CHUNK))


def _compare_cells_with_texts(column: pd.Series, texts: Collection[str], *, unlike: bool = False) -> np.ndarray:
    """Return which cells equal one of `texts`; with `unlike`, which cells do not."""
    return np.append(column.cat.categories.isin(list(texts)), False)[encoded_texts.get_text_codes(column)] != unlike


def _number_findings_within_delivery(findings: pd.DataFrame, within: np.ndarray) -> np.ndarray:
    """Number the findings of one identity and delivery (`within`), in the order of line and text."""
    several = np.flatnonzero(np.bincount(within)[within] > 1)
    rows = findings[["line", "value"]].iloc[several].astype({"value": "str"}).set_axis(several)
    placed = rows.sort_values(["line", "value"], kind="stable").index.to_numpy()
    nth = np.zeros(len(within), dtype="int32")
    nth[placed] = pd.Series(placed).groupby(within[placed]).cumcount()
    return nth
