"""The intruder who replays the whole program with alternative counts, and the institution that has its own records.

Belongs here: the possible values of a suppressed cell when all releases are recomputed with other counts; how probable each is; which
remain if some persons are known. Does not belong here: what the rule of a single table leaves open (`warehouse/disclosure_risk`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import lgamma

import numpy as np
import pandas as pd

from warehouse.disclosure_risk.enumeration import (
    MOVED_RECORDS,
    list_possible_moves_between_causes,
    list_tables_published_identically,
    list_tables_that_agree_with_published_cells,
)
from warehouse.disclosure_risk.intruder import (
    MIN_POSSIBLE_VALUES,
    Disclosure,
    IntruderKnowledge,
    ObservedTableName,
    TrueCounts,
    list_possible_choices_of_known_persons,
    list_protected_cells,
)

CONFIDENT_SHARE = 0.9
METHOD = "replay"
Recompute = Callable[[ObservedTableName, np.ndarray], bool]
"""Whether all releases, recomputed with these counts of one table, publish exactly what they published."""


def find_disclosures(knowledge: IntruderKnowledge, truth: TrueCounts, recompute: Recompute) -> list[Disclosure]:
    """Recompute all releases with every other consistent table, the nearest first, until three values are found.

    For the public, and for those who know persons of the table. Raises ValueError if `recompute` does not publish the true table as it was
    published: then it is another program.
    """
    disclosures: list[Disclosure] = []
    for name, counts in truth.items():
        observed = knowledge.latest.get(name)
        if name.table == "bridge":
            separate = set(knowledge.bridge.loc[_shown_lines(knowledge.bridge, name), "cause"]) if knowledge.bridge is not None else set()
            free_causes = tuple(n for n, cause in enumerate(counts) if cause not in separate)
            threshold = knowledge.threshold[name.indicator]
            protected = [cause for cause, n in counts.items() if cause not in separate and abs(n) < threshold]
            rows = np.array(list(counts.values())) + list_possible_moves_between_causes(len(counts), free_causes, MOVED_RECORDS[:3])
        elif observed and name.table != "total" and observed.status != "no_delivery":
            protected = list_protected_cells(knowledge, name, observed, counts)
            rows = list_tables_that_agree_with_published_cells(knowledge, name, observed, counts)
        else:
            continue
        if protected and len(rows):
            if not recompute(name, np.array(list(counts.values()))):
                raise ValueError(f"{' '.join(name)}: recomputed, the releases do not publish what they published")
            known_persons = 0 if name.table == "bridge" else knowledge.known_persons[name.indicator]
            disclosures += _narrow_cells(name, counts, protected, rows, recompute, known_persons)
    return disclosures


def _shown_lines(bridge: pd.DataFrame, name: ObservedTableName) -> pd.Series:
    return (bridge["indicator"] == name.indicator) & (bridge["period"] == name.of) & (bridge["status"] == "shown")


def _narrow_cells(
    name: ObservedTableName, counts: Mapping[str, int], protected: list[str], rows: np.ndarray, recompute: Recompute, known_persons: int
) -> list[Disclosure]:
    cells, truth = tuple(counts), np.array(list(counts.values()))
    rows = rows[np.argsort(np.abs(rows - truth).sum(axis=1), kind="stable")]
    outcome = np.full(len(rows), -1)  # -1 not tried, 1 published identically, 0 not
    disclosures = []
    knowns = list_possible_choices_of_known_persons(truth, known_persons) if known_persons else []
    for intruder, known in [("public", None), *(("knows", known) for known in knowns)]:
        is_possible = np.ones(len(rows), dtype=bool) if known is None else (rows >= known).all(axis=1)
        for cell in protected:
            column, values = rows[:, cells.index(cell)], {counts[cell]}
            values |= set(column[is_possible & (outcome == 1)].tolist())
            while len(values) < MIN_POSSIBLE_VALUES:
                untried = np.flatnonzero(is_possible & (outcome == -1) & ~np.isin(column, list(values)))
                if not len(untried):
                    disclosures.append(Disclosure(name, cell, len(values), intruder, METHOD))
                    break
                outcome[untried[0]] = recompute(name, rows[untried[0]])
                values |= {int(column[untried[0]])} if outcome[untried[0]] else set()
    return disclosures


@dataclass(frozen=True)
class CandidateTables:
    """The tables (rows) consistent with one published table, and its suppressed cells."""

    name: ObservedTableName
    cells: tuple[str, ...]
    rows: np.ndarray
    truth: np.ndarray
    protected: list[str]


def candidate_tables(knowledge: IntruderKnowledge, truth: TrueCounts) -> list[CandidateTables]:
    """Every one-way table of the latest release with suppressed cells, and all tables that the algorithm publishes identically."""
    candidates = []
    for name, observed in knowledge.latest.items():
        if name not in truth or name.table in ("total", "sex_age_group") or observed.status == "no_delivery":
            continue
        counts = truth[name]
        protected = list_protected_cells(knowledge, name, observed, counts)
        rows = list_tables_published_identically(knowledge, name, observed, counts)
        if protected and len(rows):
            candidates.append(CandidateTables(name, tuple(counts), np.unique(rows, axis=0), np.array(list(counts.values())), protected))
    return candidates


def prior_shares(knowledge: IntruderKnowledge, name: ObservedTableName) -> np.ndarray:
    """The intruder's prior: the categories' shares over all published tables of this kind, merged figures spread evenly."""
    cells = knowledge.categories(name)
    tally = np.full(len(cells), 0.5)
    for other, observed in knowledge.latest.items():
        if (other.indicator, other.table, other.measure) == (name.indicator, name.table, name.measure):
            for block, value in observed.blocks:
                tally[[cells.index(category) for category in block]] += value / len(block)
    return np.asarray(tally / tally.sum())


def best_guesses(candidates: CandidateTables, shares: np.ndarray) -> dict[str, tuple[float, bool]]:
    """Per suppressed cell: the probability of its most probable value, and whether that is the true one."""
    likelihood = candidates.rows @ np.log(shares) - np.array([sum(lgamma(n + 1) for n in row) for row in candidates.rows.tolist()])
    weight = np.exp(likelihood - likelihood.max())
    guesses = {}
    for cell in candidates.protected:
        position = candidates.cells.index(cell)
        by_value = np.bincount(candidates.rows[:, position], weights=weight)
        best = int(by_value.argmax())
        guesses[cell] = (float(by_value[best] / by_value.sum()), best == int(candidates.truth[position]))
    return guesses


def values_left_to_institution(candidates: CandidateTables, own_records: Mapping[str, int]) -> dict[str, int]:
    """Per suppressed cell: how many values remain for an institution with this many records of each category."""
    own = np.array([own_records.get(cell, 0) for cell in candidates.cells])
    possible = candidates.rows[(candidates.rows >= own).all(axis=1)]
    return {cell: len(np.unique(possible[:, candidates.cells.index(cell)])) for cell in candidates.protected}


def confident_guesses(guesses: Mapping[str, tuple[float, bool]]) -> tuple[int, int]:
    """Number of best guesses with a probability of at least `CONFIDENT_SHARE`, and how many of those are right."""
    confident = [is_right for share, is_right in guesses.values() if share >= CONFIDENT_SHARE]
    return len(confident), sum(confident)
