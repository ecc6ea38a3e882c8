"""Incremental linkage: only components that are not in the linkage memory are decided; for all other components the decisions of the last
run are taken from the memory.

Belongs here: converting the results of a component to rows of the memory and back. Does not belong here: finding components (`partition`),
deciding (`solving`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.blocking import BlockedPairs
from pipelines.linkage.cases import CaseFileConnections
from pipelines.linkage.cluster import assign_group_numbers
from pipelines.linkage.cross_component import record_cross_component_decisions
from pipelines.linkage.decisions import DOUBT_BITS, build_decision_records, find_joined_pairs_against_rules
from pipelines.linkage.drift import find_linked_pairs_between_institutions
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.linkage_tasks import Frames, SharedTaskInput, convert_frames_to_records, convert_records_to_frames, run_tasks
from pipelines.linkage.partition import HistoryComponents
from pipelines.linkage.solving import DetailedLinkageResult, link_in_alternating_rounds
from pipelines.resources.integer_arrays import RowIndexByOwner, find_positions

# The records of a large history are decided in batches of about this size, so that memory use does not grow with the history.
BATCH_RECORDS = 30_000
COUNT_NAMES = ("person_pairs_compared", "case_pairs_compared", "case_pairs_in_doubt", "person_pairs_in_doubt")


@dataclass(frozen=True)
class ComponentDecisions:
    """The decisions on all components, both new ones and those from the linkage memory.

    - `cases`, `persons`: the cluster of each case file and of each person record
    - `decisions`: the decision records (see `decisions.build_decision_records`)
    - `against`: the pairs of persons that were joined although a hard rule forbids it
    - `alike`: the pairs of linked persons of two institutions (see `drift.find_linked_pairs_between_institutions`)
    - `counts`: the number of compared pairs and of pairs in doubt, by the names `COUNT_NAMES`
    - `memory`: the linkage memory for the next run
    - `solved`: the number of components that were decided in this run
    """

    cases: np.ndarray
    persons: np.ndarray
    decisions: pd.DataFrame
    against: pd.DataFrame
    alike: pd.DataFrame
    counts: dict[str, int]
    memory: LinkageMemory
    solved: int


class RecordRowIndex:
    """Finds the row of a record from its component and its rank within the component.

    Case files and person records are indexed separately, under the keys False (case files) and True (persons).
    """

    def __init__(self, history_components: HistoryComponents) -> None:
        self.component = {False: history_components.of_files, True: history_components.of_persons}
        self.rank = {person: pair_graph.rank_records_within_component(component) for person, component in self.component.items()}
        self._rows = {person: RowIndexByOwner(component, len(history_components.keys)) for person, component in self.component.items()}

    def look_up_rows(self, is_person: np.ndarray, component: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """Return the row of each record with the given component and rank. `is_person` says whether it is a person record or a case
        file.
        """
        out = np.empty(len(component), dtype="int64")
        for kind, rows in self._rows.items():
            is_of_kind = is_person == kind
            out[is_of_kind] = rows.find_row_at_position(component[is_of_kind], rank[is_of_kind])
        return out


def link_records_of_components(
    history_components: HistoryComponents,
    shared_input: SharedTaskInput,
    judgements: pd.DataFrame | None,
    linkage_memory: LinkageMemory | None,
) -> ComponentDecisions:
    """Link the records of each component that is not in `linkage_memory`, and take the results of all other components from the memory."""
    index = RecordRowIndex(history_components)
    batches = list(_divide_components_into_batches(history_components, np.flatnonzero(history_components.open)))
    lean = replace(
        history_components, records=pair_graph.drop_text_columns_not_read_by_tasks(history_components.records, shared_input.model)
    )
    tasks = (_make_decision_task(lean, index, files, persons, judgements) for files, persons in batches)
    results = list(run_tasks(link_records_of_task, tasks, shared_input, sum(len(persons) for _, persons in batches)))
    new = {name: pd.concat([frames[name] for frames in results], ignore_index=True) for name in results[0]}
    if linkage_memory is not None:
        known = np.sort(history_components.keys[~history_components.open])
        new = {
            name: pd.concat([frame, _select_rows_of_components(getattr(linkage_memory, name), known)], ignore_index=True)
            for name, frame in new.items()
        }
    return _combine_component_results(history_components, index, new, shared_input, linkage_memory)


def _combine_component_results(
    history_components: HistoryComponents,
    row_index: RecordRowIndex,
    component_results: Frames,
    shared_input: SharedTaskInput,
    linkage_memory: LinkageMemory | None,
) -> ComponentDecisions:
    """Convert the results of all components to row numbers, and add the decision records of pairs whose records are in different
    components.

    component_results: the results of new components together with those from the linkage memory, by the names of its frames.
    """
    order = np.argsort(history_components.keys)
    component = {
        name: order[find_positions(frame["component"].to_numpy(), history_components.keys[order])[0]]
        for name, frame in component_results.items()
    }

    def look_up_rows_of_column(name: str, column: str, person: np.ndarray) -> np.ndarray:
        return row_index.look_up_rows(person, component[name], component_results[name][column].to_numpy())

    case, people = _assign_cluster_numbers(row_index, component["records"], component_results["records"])
    neither = np.zeros(len(component_results["cited"]), dtype=bool)
    cited = component_results["cited"][["weight"]].assign(**{side: look_up_rows_of_column("cited", side, neither) for side in "ab"})
    crossing = record_cross_component_decisions(history_components, shared_input, cited, linkage_memory)
    of_persons = component_results["decisions"]["person"].to_numpy()
    within = (
        component_results["decisions"]
        .drop(columns="component")
        .assign(**{side: look_up_rows_of_column("decisions", side, of_persons) for side in "ab"})
    )
    decisions = pd.concat([within, crossing.decisions], ignore_index=True)
    against, alike = (
        component_results[name]
        .drop(columns="component")
        .assign(**{side: look_up_rows_of_column(name, side, np.ones(len(component_results[name]), dtype=bool)) for side in "ab"})
        for name in ("against", "alike")
    )
    counts = {name: int(component_results["counts"][name].sum()) for name in COUNT_NAMES}
    return ComponentDecisions(
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
        memory=LinkageMemory(**history_components.known, cross_reasons=crossing.reasons, **component_results),
        solved=int(history_components.open.sum()),
    )


def _divide_components_into_batches(
    history_components: HistoryComponents, chosen_components: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Divide the components `chosen_components` into batches. Yield the rows of the case files and of the person records of each batch.

    The records of a component are never divided. There is at least one batch, which may be empty.
    """
    sizes = np.bincount(history_components.of_files, minlength=len(history_components.keys)) + np.bincount(
        history_components.of_persons, minlength=len(history_components.keys)
    )
    batch = np.full(len(history_components.keys), -1)
    batch[chosen_components] = np.cumsum(sizes[chosen_components]) // BATCH_RECORDS
    for number in np.unique(batch[chosen_components]) if len(chosen_components) else [0]:
        yield np.flatnonzero(batch[history_components.of_files] == number), np.flatnonzero(batch[history_components.of_persons] == number)


def _select_rows_of_components(frame: pd.DataFrame, component_keys: np.ndarray) -> pd.DataFrame:
    """Return the rows of `frame` whose component is among `component_keys`."""
    return frame[find_positions(frame["component"].to_numpy(), component_keys)[1]]


def _make_decision_task(
    history_components: HistoryComponents,
    row_index: RecordRowIndex,
    file_rows: np.ndarray,
    person_rows: np.ndarray,
    judgements: pd.DataFrame | None,
) -> Frames:
    """Return a task: the records at `file_rows` and `person_rows`, with everything that is needed to decide them.

    The records must form complete components. The task contains their connections, their candidate pairs from blocking (with the columns
    left and right), and the component key and the rank of each record.
    """
    number = np.full(len(history_components.of_persons), -1)
    number[person_rows] = np.arange(len(person_rows))
    left, right = number[history_components.blocked.left], number[history_components.blocked.right]
    is_in_task = left >= 0
    of_files, of_persons = (
        pd.DataFrame({"component": history_components.keys[row_index.component[person][rows]], "rank": row_index.rank[person][rows]})
        for person, rows in ((False, file_rows), (True, person_rows))
    )
    return {
        **convert_records_to_frames(
            pair_graph.select_records(history_components.records, file_rows, person_rows),
            pair_graph.select_connections(history_components.connections, len(history_components.of_files), file_rows),
            person_rows,
        ),
        "blocked": pd.DataFrame({"left": left[is_in_task], "right": right[is_in_task]}),
        "of_files": of_files,
        "of_persons": of_persons,
        **({} if judgements is None else {"judgements": judgements}),
    }


def link_records_of_task(task: Frames, shared_input: SharedTaskInput) -> Frames:
    """Link the records of a task, which consists of complete components.

    Return the frames `records`, `decisions`, `against`, `alike`, `cited` and `counts`, which `LinkageMemory` explains.
    """
    keys, number = np.unique(
        np.concatenate([task[name]["component"].to_numpy() for name in ("of_files", "of_persons")]), return_inverse=True
    )
    component = {False: number[: len(task["of_files"])], True: number[len(task["of_files"]) :]}
    rank = {False: task["of_files"]["rank"].to_numpy(), True: task["of_persons"]["rank"].to_numpy()}
    records, connections = convert_frames_to_records(task, shared_input, component[False])
    blocked = BlockedPairs(task["blocked"]["left"].to_numpy(), task["blocked"]["right"].to_numpy(), pd.DataFrame())
    detailed_result, _ = link_in_alternating_rounds(
        records, blocked, shared_input.model, task.get("judgements"), shared_input.common, connections
    )

    def replace_rows_by_component_ranks(pairs: pd.DataFrame, person: np.ndarray) -> pd.DataFrame:
        """Return `pairs` with the key of their component as an additional column, and with ranks within the component in place of rows."""
        of_component = np.zeros(len(pairs), dtype="int64")
        sides = {side: np.zeros(len(pairs), dtype="int64") for side in "ab"}
        for kind in component:
            is_of_kind = person == kind
            of_component[is_of_kind] = component[kind][pairs["a"].to_numpy()[is_of_kind]]
            for side in "ab":
                sides[side][is_of_kind] = rank[kind][pairs[side].to_numpy()[is_of_kind]]
        return pairs.assign(component=keys[of_component], **sides)

    clusters = {False: detailed_result.cases.cluster, True: detailed_result.persons.cluster}
    record_parts = [
        pd.DataFrame({"component": keys[component[person]], "person": person, "rank": rank[person], "cluster": clusters[person]})
        for person in component
    ]
    recorded = build_decision_records(records, detailed_result.person_pairs, detailed_result.cases, detailed_result.persons)
    against, cited = (
        find_joined_pairs_against_rules(detailed_result.person_pairs, detailed_result.persons),
        _select_pairs_connected_by_reference(detailed_result, connections),
    )
    linked = find_linked_pairs_between_institutions(records, detailed_result.person_pairs, detailed_result.persons.cluster)
    return {
        "records": pd.concat(record_parts, ignore_index=True),
        "decisions": replace_rows_by_component_ranks(recorded, recorded["person"].to_numpy(dtype=bool)),
        "against": replace_rows_by_component_ranks(against, np.ones(len(against), dtype=bool)),
        "alike": replace_rows_by_component_ranks(linked, np.ones(len(linked), dtype=bool)),
        "cited": replace_rows_by_component_ranks(cited, np.zeros(len(cited), dtype=bool)),
        "counts": _count_compared_pairs_by_component(keys, detailed_result, component[False], component[True]),
    }


def _select_pairs_connected_by_reference(detailed_result: DetailedLinkageResult, connections: CaseFileConnections) -> pd.DataFrame:
    """Return the pairs of case files in which one file cites the other or was merged into it. Columns: a, b, weight.

    The weight does not include the evidence of competing files (`cases.weigh_references_to_competing_case_files`).
    """
    pairs = detailed_result.cases.pairs
    exact = pd.concat([connections.exact_citations, connections.exact_mergers])
    size = max(len(detailed_result.records.files), 1)
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    citing_codes = (exact["a"] * size + exact["b"]).to_numpy()
    citing = pairs.loc[np.isin(a * size + b, citing_codes) | np.isin(b * size + a, citing_codes), ["a", "b", "weight", "another"]]
    return citing.assign(weight=citing["weight"] - citing["another"]).drop(columns="another")


def _count_compared_pairs_by_component(
    component_keys: np.ndarray, detailed_result: DetailedLinkageResult, component_of_file: np.ndarray, component_of_person: np.ndarray
) -> pd.DataFrame:
    """Count, for each component, the pairs that were compared and the pairs that are in doubt."""
    of_pairs, of_case_pairs = (
        component_of_person[detailed_result.person_pairs.left],
        component_of_file[detailed_result.cases.pairs["a"].to_numpy("int64")],
    )
    is_case_in_doubt = np.abs(detailed_result.cases.pairs["weight"].to_numpy("float64")) < DOUBT_BITS
    is_person_in_doubt = np.abs(detailed_result.persons.weight) < DOUBT_BITS
    tallies = (of_pairs, of_case_pairs, of_case_pairs[is_case_in_doubt], of_pairs[is_person_in_doubt])
    counts = {name: np.bincount(tally, minlength=len(component_keys)) for name, tally in zip(COUNT_NAMES, tallies, strict=True)}
    return pd.DataFrame({"component": component_keys, **counts})


def _assign_cluster_numbers(
    row_index: RecordRowIndex, component_of_record: np.ndarray, records: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cluster of each case file and of each person record. Clusters are numbered in the order of their first record.

    records: the frame `records` of a linkage memory. component_of_record: the number of the component of each of its rows.
    """
    out = []
    for person, of_records in row_index.component.items():
        is_of_kind = (records["person"] == person).to_numpy()
        local = np.full(len(of_records), -1)
        rank = records["rank"].to_numpy()[is_of_kind]
        local[row_index.look_up_rows(np.full(len(rank), person), component_of_record[is_of_kind], rank)] = records["cluster"].to_numpy()[
            is_of_kind
        ]
        if (local < 0).any() or is_of_kind.sum() != len(local):
            raise ValueError(
                "the linkage memory is inconsistent: its records do not match its components; remove lake/linkage_memory and run again"
            )
        out.append(assign_group_numbers(of_records * (local.max(initial=0) + 1) + local))
    return out[0], out[1]
