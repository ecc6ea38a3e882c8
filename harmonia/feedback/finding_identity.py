"""Which findings of different deliveries are the same finding, and how findings are named across deliveries.

Does not belong here: the state of findings over time (`finding_states`).

Findings of two deliveries are the same if institution, record key, field and rule are equal. If the parts of a file are tables, the table
must also be equal, since two tables may have the same record key. The line number is ignored, since rows move. Findings without a record
key are the same if institution, file, part, field, rule and delivered text are equal; for findings on a whole file or delivery the text
is ignored, since it may vary. If one delivery has several findings that are the same by this rule, they are numbered in their order.
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
    """The identities of findings. Findings that are the same have one identity.

    Identities are numbered in the order in which they appear.
    of     for each finding, the number of its identity
    first  for each identity, the row number of its first finding
    whole  for each identity, whether it concerns a whole file or delivery
    cells  maps each column of `IDENTITY` to the codes of its values, one for each identity; -1 if the value is empty or ignored
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
    """Determine the identities of findings.

    findings: the findings, with the columns `harmonia.feedback.finding_states.KEYS`; texts are encoded
    (`pipelines.resources.encoded_texts`).
    """
    cells = {name: encoded_texts.get_text_codes(findings[name]) for name in IDENTITY}
    keyed = cells["record_key"] >= 0
    about_whole_file = (
        _are_cells_among_texts(findings["rule"], [code for code, rule in rules().items() if not rule.whole], negate=True) & ~keyed
    )
    tables = {table for _, table in record_tables()}
    cells["file"] = np.where(keyed, -1, cells["file"])
    cells["part"] = np.where(keyed & ~_are_cells_among_texts(findings["part"], tables), -1, cells["part"])
    cells["value"] = np.where(keyed | about_whole_file, -1, cells["value"])
    identity = encoded_texts.number_equal_rows(*cells.values())
    nth = _number_findings_within_delivery(
        findings, encoded_texts.number_equal_rows(identity, encoded_texts.get_text_codes(findings["delivery"]))
    )
    of = encoded_texts.number_equal_rows(identity, nth)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(of), prepend=-1))
    return FindingIdentities(of, first, about_whole_file[first], {name: codes[first] for name, codes in cells.items()}, nth[first])


def compute_identity_names(findings: pd.DataFrame, identities: FindingIdentities) -> pd.Index:
    """Compute the name of each identity: a hash of its columns.

    The method must never change, since stored answers refer to findings by these names.
    """
    texts = {name: np.append(findings[name].cat.categories.to_numpy(dtype=object), "") for name in IDENTITY}
    named = [
        hashlib.sha256("\0".join(row).encode()).hexdigest()[:_NAME_DIGITS]
        for some in _split_rows_into_chunks(len(identities))
        for row in zip(
            *(texts[name][codes[some]] for name, codes in identities.cells.items()), identities.nth[some].astype("str"), strict=True
        )
    ]
    return pd.Index(named, dtype="str")


def _split_rows_into_chunks(row_count: int) -> Iterator[slice]:
    """Yield slices that divide `row_count` rows into chunks, to limit memory."""
    return (slice(first, first + _NAMES_PER_CHUNK) for first in range(0, row_count, _NAMES_PER_CHUNK))


def _are_cells_among_texts(column: pd.Series, texts: Collection[str], *, negate: bool = False) -> np.ndarray:
    """Return for each value of `column` whether it is one of `texts`; with `negate`, whether it is none of them."""
    return np.append(column.cat.categories.isin(list(texts)), False)[encoded_texts.get_text_codes(column)] != negate


def _number_findings_within_delivery(findings: pd.DataFrame, finding_groups: np.ndarray) -> np.ndarray:
    """Number the findings of each group in the order of line and value.

    finding_groups: the group of each finding; a group contains the findings with one identity in one delivery.
    """
    several = np.flatnonzero(np.bincount(finding_groups)[finding_groups] > 1)
    rows = findings[["line", "value"]].iloc[several].astype({"value": "str"}).set_axis(several)
    placed = rows.sort_values(["line", "value"], kind="stable").index.to_numpy()
    nth = np.zeros(len(finding_groups), dtype="int32")
    nth[placed] = pd.Series(placed).groupby(finding_groups[placed]).cumcount()
    return nth
