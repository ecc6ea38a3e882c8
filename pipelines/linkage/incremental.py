"""Incremental linkage: decide the components that are not in the memory, and combine them with the components in the memory.

Belongs here: storing the results of a component in the memory, and reading them from it. Does not belong here: components (`partition`),
deciding (`solving`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.blocking import BlockedPairs
from pipelines.linkage.cases import FileTies
from pipelines.linkage.cluster import assign_group_numbers
from pipelines.linkage.cross_component import record_cross_component_decisions
from pipelines.linkage.decisions import DOUBT_BITS, build_decision_records, find_joined_pairs_against_rules
from pipelines.linkage.drift import find_linked_pairs
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.linkage_tasks import Frames, Setting, pack_records, run_tasks, unpack_records
from pipelines.linkage.partition import HistoryComponents
from pipelines.linkage.solving import SolvedLinkage, decide_in_alternating_rounds
from pipelines.resources.integer_arrays import RowIndexByOwner, find_positions

# Number of records decided at a time, so that memory use does not grow with history.
BATCH_RECORDS = 30_000
COUNT_NAMES = ("person_pairs_compared", "case_pairs_compared", "case_pairs_in_doubt", "person_pairs_in_doubt")


@dataclass(frozen=True)
class DecidedComponents:
    """The decisions on all components.

    cases, persons: cluster of each file and each person record. decisions, against: decision records, and pairs against a rule (see
    `decisions`). alike: linked pairs (see `drift.find_linked_pairs`). memory: for the next run. solved: number of components that were
    decided in this run.
    """

    cases: np.ndarray
    persons: np.ndarray
    decisions: pd.DataFrame
    against: pd.DataFrame
    alike: pd.DataFrame
    counts: dict[str, int]
    memory: LinkageMemory
    solved: int


class RowIndex:
    """The rows by component and rank within the component, separately for files (`False`) and persons (`True`)."""

    def __init__(self, history_components: HistoryComponents) -> None:
        self.component = {False: history_components.of_files, True: history_components.of_persons}
        self.rank = {person: pair_graph.rank_records_within_component(component) for person, component in self.component.items()}
        self._rows = {person: RowIndexByOwner(component, len(history_components.keys)) for person, component in self.component.items()}

    def look_up_rows(self, person: np.ndarray, component: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """Return the row of each record: of a person if `person` is true, else of a file."""
        out = np.empty(len(component), dtype="int64")
        for kind, rows in self._rows.items():
            is_of_kind = person == kind
            out[is_of_kind] = rows.find_row_at_position(component[is_of_kind], rank[is_of_kind])
        return out


def decide_components(
    history_components: HistoryComponents, setting: Setting, judgements: pd.DataFrame | None, memory: LinkageMemory | None
) -> DecidedComponents:
    """Decide the components that are not in the `memory`, and read the results of all others from it."""
    index = RowIndex(history_components)
    batches = list(_divide_components_into_batches(history_components, np.flatnonzero(history_components.open)))
    lean = replace(history_components, records=pair_graph.drop_unread_texts(history_components.records, setting.model))
    tasks = (_make_decision_task(lean, index, files, persons, judgements) for files, persons in batches)
    results = list(run_tasks(decide_components_of_task, tasks, setting, sum(len(persons) for _, persons in batches)))
    new = {name: pd.concat([frames[name] for frames in results], ignore_index=True) for name in results[0]}
    if memory is not None:
        known = np.sort(history_components.keys[~history_components.open])
        new = {
            name: pd.concat([frame, _select_rows_of_components(getattr(memory, name), known)], ignore_index=True)
            for name, frame in new.items()
        }
    return _combine_components(history_components, index, new, setting, memory)


def _combine_components(
    history_components: HistoryComponents, index: RowIndex, results: Frames, setting: Setting, memory: LinkageMemory | None
) -> DecidedComponents:
    """Combine the new results with the results in the memory, and add the decision records of pairs whose records are in two components."""
    order = np.argsort(history_components.keys)
    component = {
        name: order[find_positions(frame["component"].to_numpy(), history_components.keys[order])[0]] for name, frame in results.items()
    }

    def rows_at(name: str, column: str, person: np.ndarray) -> np.ndarray:
        return index.look_up_rows(person, component[name], results[name][column].to_numpy())

    case, people = _assign_cluster_numbers(index, component["records"], results["records"])
    neither = np.zeros(len(results["cited"]), dtype=bool)
    cited = results["cited"][["weight"]].assign(**{side: rows_at("cited", side, neither) for side in "ab"})
    crossing = record_cross_component_decisions(history_components, setting, cited, memory)
    of_persons = results["decisions"]["person"].to_numpy()
    within = results["decisions"].drop(columns="component").assign(**{side: rows_at("decisions", side, of_persons) for side in "ab"})
    decisions = pd.concat([within, crossing.decisions], ignore_index=True)
    against, alike = (
        results[name]
        .drop(columns="component")
        .assign(**{side: rows_at(name, side, np.ones(len(results[name]), dtype=bool)) for side in "ab"})
        for name in ("against", "alike")
    )
    counts = {name: int(results["counts"][name].sum()) for name in COUNT_NAMES}
    return DecidedComponents(
        cases=case,
        persons=people,
        decisions=decisions.iloc[np.lexsort((decisions["b"], decisions["a"], decisions["person"]))].reset_index(drop=True),
        against=against.sort_values(["a", "b"], ignore_index=True),
        alike=alike,
        counts=counts
        | {
            "case_pairs_in_doubt": counts["case_pairs_in_doubt"] + crossing.cases_in_doubt,
            "person_pairs_in_doubt": counts["person_pairs_in_doubt"] + crossing.persons_in_doubt,
        },
        memory=LinkageMemory(**history_components.known, cross_reasons=crossing.reasons, **results),
        solved=int(history_components.open.sum()),
    )


def _divide_components_into_batches(history_components: HistoryComponents, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Divide the files and persons of the components `chosen` into batches of complete components.

    There is at least one batch, which may be empty.
    """
    sizes = np.bincount(history_components.of_files, minlength=len(history_components.keys)) + np.bincount(
        history_components.of_persons, minlength=len(history_components.keys)
    )
    batch = np.full(len(history_components.keys), -1)
    batch[chosen] = np.cumsum(sizes[chosen]) // BATCH_RECORDS
    for number in np.unique(batch[chosen]) if len(chosen) else [0]:
        yield np.flatnonzero(batch[history_components.of_files] == number), np.flatnonzero(batch[history_components.of_persons] == number)


def _select_rows_of_components(frame: pd.DataFrame, keys: np.ndarray) -> pd.DataFrame:
    return frame[find_positions(frame["component"].to_numpy(), keys)[1]]


def _make_decision_task(
    history_components: HistoryComponents, index: RowIndex, files: np.ndarray, persons: np.ndarray, judgements: pd.DataFrame | None
) -> Frames:
    """Return a task: the records in `files` and `persons` (complete components) with everything that is needed to decide them.

    This includes the blocked pairs (`left, right`), and the component key and rank of files and persons.
    """
    number = np.full(len(history_components.of_persons), -1)
    number[persons] = np.arange(len(persons))
    left, right = number[history_components.blocked.left], number[history_components.blocked.right]
    is_in_task = left >= 0
    of_files, of_persons = (
        pd.DataFrame({"component": history_components.keys[index.component[person][rows]], "rank": index.rank[person][rows]})
        for person, rows in ((False, files), (True, persons))
    )
    return {
        **pack_records(
            pair_graph.select_records(history_components.records, files, persons),
            pair_graph.select_ties(history_components.ties, len(history_components.of_files), files),
            persons,
        ),
        "blocked": pd.DataFrame({"left": left[is_in_task], "right": right[is_in_task]}),
        "of_files": of_files,
        "of_persons": of_persons,
        **({} if judgements is None else {"judgements": judgements}),
    }


def decide_components_of_task(task: Frames, setting: Setting) -> Frames:
    """Decide a task of complete components.

    Return `records`, `decisions`, `against`, `alike`, `cited` and `counts` as in `LinkageMemory`.
    """
    keys, number = np.unique(
        np.concatenate([task[name]["component"].to_numpy() for name in ("of_files", "of_persons")]), return_inverse=True
    )
    component = {False: number[: len(task["of_files"])], True: number[len(task["of_files"]) :]}
    rank = {False: task["of_files"]["rank"].to_numpy(), True: task["of_persons"]["rank"].to_numpy()}
    records, ties = unpack_records(task, setting, component[False])
    blocked = BlockedPairs(task["blocked"]["left"].to_numpy(), task["blocked"]["right"].to_numpy(), pd.DataFrame())
    solved, _ = decide_in_alternating_rounds(records, blocked, setting.model, task.get("judgements"), setting.common, ties)

    def by_component(pairs: pd.DataFrame, person: np.ndarray) -> pd.DataFrame:
        """Return `pairs` with the key of their component, and with ranks in place of rows."""
        of_component = np.zeros(len(pairs), dtype="int64")
        sides = {side: np.zeros(len(pairs), dtype="int64") for side in "ab"}
        for kind in component:
            is_of_kind = person == kind
            of_component[is_of_kind] = component[kind][pairs["a"].to_numpy()[is_of_kind]]
            for side in "ab":
                sides[side][is_of_kind] = rank[kind][pairs[side].to_numpy()[is_of_kind]]
        return pairs.assign(component=keys[of_component], **sides)

    clusters = {False: solved.cases.cluster, True: solved.persons.cluster}
    record_parts = [
        pd.DataFrame({"component": keys[component[person]], "person": person, "rank": rank[person], "cluster": clusters[person]})
        for person in component
    ]
    recorded = build_decision_records(records, solved.people, solved.cases, solved.persons)
    against, cited = find_joined_pairs_against_rules(solved.people, solved.persons), _select_citing_pairs(solved, ties)
    linked = find_linked_pairs(records, solved.people, solved.persons.cluster)
    return {
        "records": pd.concat(record_parts, ignore_index=True),
        "decisions": by_component(recorded, recorded["person"].to_numpy(dtype=bool)),
        "against": by_component(against, np.ones(len(against), dtype=bool)),
        "alike": by_component(linked, np.ones(len(linked), dtype=bool)),
        "cited": by_component(cited, np.zeros(len(cited), dtype=bool)),
        "counts": _count_pairs_by_component(keys, solved, component[False], component[True]),
    }


def _select_citing_pairs(solved: SolvedLinkage, ties: FileTies) -> pd.DataFrame:
    """Return a, b, weight of the pairs of files of which one cites the other or was merged into it. The weight is without evidence from
    third files.
    """
    pairs = solved.cases.pairs
    exact = pd.concat([ties.exact_citations, ties.exact_mergers])
    size = max(len(solved.records.files), 1)
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    citing_codes = (exact["a"] * size + exact["b"]).to_numpy()
    citing = pairs.loc[np.isin(a * size + b, citing_codes) | np.isin(b * size + a, citing_codes), ["a", "b", "weight", "another"]]
    return citing.assign(weight=citing["weight"] - citing["another"]).drop(columns="another")


def _count_pairs_by_component(keys: np.ndarray, solved: SolvedLinkage, of_files: np.ndarray, of_persons: np.ndarray) -> pd.DataFrame:
    """Count the compared pairs and the pairs in doubt by component."""
    of_pairs, of_case_pairs = of_persons[solved.people.left], of_files[solved.cases.pairs["a"].to_numpy("int64")]
    is_case_in_doubt = np.abs(solved.cases.pairs["weight"].to_numpy("float64")) < DOUBT_BITS
    is_person_in_doubt = np.abs(solved.persons.weight) < DOUBT_BITS
    tallies = (of_pairs, of_case_pairs, of_case_pairs[is_case_in_doubt], of_pairs[is_person_in_doubt])
    counts = {name: np.bincount(tally, minlength=len(keys)) for name, tally in zip(COUNT_NAMES, tallies, strict=True)}
    return pd.DataFrame({"component": keys, **counts})


def _assign_cluster_numbers(index: RowIndex, component: np.ndarray, records: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the cluster of each file and each person record, numbered in the order of their first record.

    component: number of the component to which each row of `records` belongs.
    """
    out = []
    for person, of_records in index.component.items():
        is_of_kind = (records["person"] == person).to_numpy()
        local = np.full(len(of_records), -1)
        rank = records["rank"].to_numpy()[is_of_kind]
        local[index.look_up_rows(np.full(len(rank), person), component[is_of_kind], rank)] = records["cluster"].to_numpy()[is_of_kind]
        if (local < 0).any() or is_of_kind.sum() != len(local):
            raise ValueError(
                "the linkage memory is inconsistent: its records do not match its components; remove lake/linkage_memory and run again"
            )
        out.append(assign_group_numbers(of_records * (local.max(initial=0) + 1) + local))
    return out[0], out[1]
