"""The evidence on a pair in the language of the reader. It is taken from the explanation that linkage gives of the match weight.

Belongs here: the fields and kinds of evidence with their agreement and bits, as rows and as a waterfall chart; why a pair is kept apart.
Does not belong here: computing weights (`harmonia.explain.linkage`), drawing (`charts`).
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
from harmonia.explain.linkage import PairWeight, select_pair_decisions
from harmonia.review.desk import ReviewDesk
from pipelines.linkage import load_linkage_model
from portal.steward import charts
from portal.steward.desk import load_linkage_weights

_MIN_BITS = 0.05  # bits: evidence with a smaller weight is not mentioned


@dataclass(frozen=True)
class Evidence:
    """The evidence for the match weight of a pair. `rows` has the name, meaning and bits of each piece of evidence; `total` is the sum of
    the bits, `odds` the same as a text, and `picture` the chart."""

    rows: tuple[tuple[str, str, float | None], ...]
    total: float
    odds: str
    picture: Drawing


def explain_pair(desk: ReviewDesk, pair: pd.DataFrame, words: Mapping[str, Any], events: Mapping[str, str]) -> Evidence | None:
    """Return the evidence on `pair`, or None if linkage has none. `pair` is a frame of one row with the columns `PAIR`. `words` has the
    texts of the steward's pages. `events` maps the code of an event to its label."""
    keys = _list_keys_of_pair(pair)
    if pair["entity"].iloc[0] == "person":
        weighed = load_linkage_weights(desk).weigh_pairs([(keys[0], keys[1])])
        return _explain_persons(weighed[0], words) if weighed else None
    decisions = select_pair_decisions(desk.decisions, "case", keys, inside=True)
    if not decisions:
        return None
    reasons = dict(decisions[0].reasons)
    prior = reasons.pop("prior", 0.0)
    rows: list[tuple[str, str, float | None]] = []
    for name, bits in reasons.items():
        meaning = words["speaks_for" if bits > 0 else "speaks_against"]
        between = " → ".join(events.get(code, code) for code in _map_gaps_to_events().get(name, ()))
        rows.append((_label_evidence(name, words), f"{between}: {meaning}" if between else meaning, bits))
    rest = decisions[0].weight - prior - sum(reasons.values())
    if abs(rest) >= _MIN_BITS:
        rows.append((words["rest"], "", rest))
    return _make_evidence((words["prior"], "", prior), rows, words)


def _explain_persons(weight: PairWeight, words: Mapping[str, Any]) -> Evidence:
    """Return the evidence on a pair of persons, with a row for each compared field."""
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


def _label_evidence(name: str, words: Mapping[str, Any]) -> str:
    """Return the label of a kind of evidence between case files. All kinds that measure the days between two events have the same label."""
    return str(words["evidences"].get(name, words["evidences"]["days"]))


@cache
def _map_gaps_to_events() -> dict[str, tuple[str, str]]:
    """Return the kinds of evidence that measure the days between two events. Each is mapped to the codes of its events."""
    return {
        evidence.name.split(":")[0]: (_find_event_code(evidence.first), _find_event_code(evidence.second))
        for evidence in load_linkage_model().evidence
        if evidence.kind == "gap"
    }


def _find_event_code(place: str) -> str:
    """Return the event that a place in the linkage model means: `person.stay_detained` means the event `detained`."""
    return place.partition(".")[2].removeprefix("stay_")


def find_reason_against_joining(desk: ReviewDesk, pair: pd.DataFrame, members: pd.DataFrame) -> str:
    """Return why linkage did not join a pair although its weight is above zero. The result is a key of `words.apart`. `members` has the
    records of both clusters, with their ids."""
    if desk.find_state_of_pair(pair) == "different":
        return "judged"
    if pair["entity"].iloc[0] == "case":
        return "others"
    weights, (a, b) = load_linkage_weights(desk), _list_keys_of_pair(pair)
    weighed = weights.weigh_pairs([(a, b)])
    if weighed and (weighed[0].one_file or weighed[0].unidentifiable):
        return "one_file" if weighed[0].one_file else "unidentified"
    id_by_record = {(str(i), str(key)): str(own) for i, key, own in members[["institution", "record_key", "id"]].itertuples(index=False)}
    groups = [[key for key, own in id_by_record.items() if own == id_by_record.get(side) and key in weights] or [side] for side in (a, b)]
    similarity = weights.compute_group_similarity(*groups)
    if similarity.rule:
        return "one_file_others"
    return "groups" if similarity.combined <= 0 else "others"


def _list_keys_of_pair(pair: pd.DataFrame) -> tuple[tuple[str, str], tuple[str, str]]:
    a, b = ((str(pair[f"institution_{s}"].iloc[0]), str(pair[f"key_{s}"].iloc[0])) for s in "ab")
    return a, b
