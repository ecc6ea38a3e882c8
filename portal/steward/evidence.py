"""The evidence on a pair in the reader's language, from linkage's own explanation.

Belongs here: fields and kinds of evidence with agreement and bits, as rows and as a waterfall chart; why a pair is kept apart. Does not
belong here: weights
(`harmonia.explain.linkage`), geometry (`charts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from harmonia.explain.chart import Drawing
from harmonia.explain.document import Step
from harmonia.explain.labels import format_odds
from harmonia.explain.linkage import PairWeight, pair_decisions
from harmonia.review.desk import Desk
from pipelines.linkage import load_model
from portal.steward import charts
from portal.steward.desk import linkage_weights

_MIN_BITS = 0.05  # bits: smaller ones are not mentioned


@dataclass(frozen=True)
class Evidence:
    """Why a pair has its match weight: rows (name, meaning, bits), their sum, the odds as text, and the chart."""

    rows: tuple[tuple[str, str, float | None], ...]
    total: float
    odds: str
    picture: Drawing


def explain_pair(desk: Desk, pair: pd.DataFrame, words: Mapping[str, Any], events: Mapping[str, str]) -> Evidence | None:
    """Return the evidence on `pair` (one row of `PAIR`); None if linkage has none. words: the texts of the steward's pages. events: code of
    an event → its label."""
    keys = _keys_of(pair)
    if pair["entity"].iloc[0] == "person":
        weighed = linkage_weights(desk).weigh_pairs([(keys[0], keys[1])])
        return _explain_persons(weighed[0], words) if weighed else None
    decisions = pair_decisions(desk.decisions, "case", keys, inside=True)
    if not decisions:
        return None
    reasons = dict(decisions[0].reasons)
    prior = reasons.pop("prior", 0.0)
    rows: list[tuple[str, str, float | None]] = []
    for name, bits in reasons.items():
        meaning = words["speaks_for" if bits > 0 else "speaks_against"]
        between = " → ".join(events.get(code, code) for code in _gap_events().get(name, ()))
        rows.append((_evidence_label(name, words), f"{between}: {meaning}" if between else meaning, bits))
    rest = decisions[0].weight - prior - sum(reasons.values())
    if abs(rest) >= _MIN_BITS:
        rows.append((words["rest"], "", rest))
    return _make_evidence((words["prior"], "", prior), rows, words)


def _explain_persons(weight: PairWeight, words: Mapping[str, Any]) -> Evidence:
    rows: list[tuple[str, str, float | None]] = []
    for field in weight.fields:
        if field.level is None:
            rows.append((words["compared"][field.name], words["missing"], None))
            continue
        parts = [words["levels"][field.level]]
        parts += [words["exchanged"]] * field.exchanged + [words["of_family"]] * field.shared_by_family
        rows.append((words["compared"][field.name], ", ".join(parts), field.bits))
    meaning = words["prior_same_case"] if weight.same_case else words["prior_other_case"]
    return _make_evidence((words["prior"], meaning, weight.prior), rows, words)


def _make_evidence(prior: tuple[str, str, float], rows: list[tuple[str, str, float | None]], words: Mapping[str, Any]) -> Evidence:
    known = [(name, meaning, bits) for name, meaning, bits in rows if bits is not None]
    total = prior[2] + sum(bits for _, _, bits in known)
    steps = [Step(name, bits, meaning) for name, meaning, bits in known if abs(bits) >= _MIN_BITS]
    picture = charts.draw_waterfall(words["weights"], Step(prior[0], prior[2], prior[1]), steps, words["sum"], format_odds(total))
    return Evidence((prior, *rows), total, format_odds(total), picture)


def _evidence_label(name: str, words: Mapping[str, Any]) -> str:
    """Return the label of a kind of evidence between case files. All gaps between two events have the same label."""
    return str(words["evidences"].get(name, words["evidences"]["days"]))


@cache
def _gap_events() -> dict[str, tuple[str, str]]:
    """Return evidence of the days between two events → the codes of the events."""
    return {
        evidence.name.split(":")[0]: (_event_code(evidence.first), _event_code(evidence.second))
        for evidence in load_model().evidence
        if evidence.kind == "gap"
    }


def _event_code(place: str) -> str:
    """Return the event of a place in the model: `person.stay_detained` is the event `detained`."""
    return place.partition(".")[2].removeprefix("stay_")


def reason_kept_apart(desk: Desk, pair: pd.DataFrame, members: pd.DataFrame) -> str:
    """Return why a pair above zero was not joined: a key of `words.apart`. members: the records of both clusters, with their ids."""
    if desk.state(pair) == "different":
        return "judged"
    if pair["entity"].iloc[0] == "case":
        return "others"
    weights, (a, b) = linkage_weights(desk), _keys_of(pair)
    weighed = weights.weigh_pairs([(a, b)])
    if weighed and (weighed[0].one_file or weighed[0].unidentifiable):
        return "one_file" if weighed[0].one_file else "unidentified"
    id_by_record = {(str(i), str(key)): str(own) for i, key, own in members[["institution", "record_key", "id"]].itertuples(index=False)}
    groups = [[key for key, own in id_by_record.items() if own == id_by_record.get(side) and key in weights] or [side] for side in (a, b)]
    similarity = weights.group_similarity(*groups)
    if similarity.rule:
        return "one_file_others"
    return "groups" if similarity.combined <= 0 else "others"


def _keys_of(pair: pd.DataFrame) -> tuple[tuple[str, str], tuple[str, str]]:
    a, b = ((str(pair[f"institution_{s}"].iloc[0]), str(pair[f"key_{s}"].iloc[0])) for s in "ab")
    return a, b
