"""The evidence on a pair in words, in the reader's language, from linkage's own explanation.

Belongs here: field or kind of evidence, agreement and bits as rows and as a waterfall. Does not belong here: weights
(`harmonia.explain.linkage`), geometry (`charts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harmonia.explain.chart import Drawing
from harmonia.explain.document import Step
from harmonia.explain.labels import format_odds
from harmonia.explain.linkage import PairWeight, pair_decisions
from harmonia.review.desk import Desk
from portal.steward import charts
from portal.steward.desk import weights

_LEAST = 0.05  # bits: smaller ones are not mentioned


@dataclass(frozen=True)
class Evidence:
    """Why a pair weighs what it does: rows (name, meaning, bits), their sum, odds as text, and the picture."""

    rows: tuple[tuple[str, str, float | None], ...]
    total: float
    odds: str
    picture: Drawing


def evidence(desk: Desk, pair: pd.DataFrame, words: Mapping[str, Any]) -> Evidence | None:
    """The evidence on `pair` (one row of `PAIR`); None where linkage knows none. words: the texts of the steward's pages."""
    keys = tuple((str(pair[f"institution_{s}"].iloc[0]), str(pair[f"key_{s}"].iloc[0])) for s in "ab")
    if pair["entity"].iloc[0] == "person":
        weighed = weights(desk).weigh_pairs([(keys[0], keys[1])])
        return _of_persons(weighed[0], words) if weighed else None
    found = pair_decisions(desk.decisions, "case", keys, inside=True)
    if not found:
        return None
    reasons = dict(found[0].reasons)
    prior = reasons.pop("prior", 0.0)
    rows: list[tuple[str, str, float | None]] = [(_kind(name, words), "", bits) for name, bits in reasons.items()]
    rest = found[0].weight - prior - sum(reasons.values())
    if abs(rest) >= _LEAST:
        rows.append((words["rest"], "", rest))
    return _evidence((words["prior"], "", prior), rows, words)


def _of_persons(w: PairWeight, words: Mapping[str, Any]) -> Evidence:
    rows: list[tuple[str, str, float | None]] = []
    for field in w.fields:
        if field.level is None:
            rows.append((words["compared"][field.name], words["missing"], None))
            continue
        parts = [words["levels"][field.level]]
        parts += [words["exchanged"]] * field.exchanged + [words["of_family"]] * field.shared_by_family
        rows.append((words["compared"][field.name], ", ".join(parts), field.bits))
    meaning = words["prior_same_case"] if w.same_case else words["prior_other_case"]
    return _evidence((words["prior"], meaning, w.prior), rows, words)


def _evidence(prior: tuple[str, str, float], rows: list[tuple[str, str, float | None]], words: Mapping[str, Any]) -> Evidence:
    known = [(name, meaning, bits) for name, meaning, bits in rows if bits is not None]
    total = prior[2] + sum(bits for _, _, bits in known)
    steps = [Step(name, bits, meaning) for name, meaning, bits in known if abs(bits) >= _LEAST]
    picture = charts.waterfall(words["weights"], Step(prior[0], prior[2], prior[1]), steps, words["sum"], format_odds(total))
    return Evidence((prior, *rows), total, format_odds(total), picture)


def _kind(name: str, words: Mapping[str, Any]) -> str:
    """The label of a kind of evidence between files; gaps between two events have one."""
    return str(words["evidences"].get(name, words["evidences"]["days"]))
