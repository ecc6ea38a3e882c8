"""Linkage of a large history: in parts, with and without memory, in any order of arrival, it finds the same."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pipeline_world import Ran

from harmonia.registry.stability import find_records_in_changed_clusters
from pipelines.linkage import (
    LinkageResult,
    common_statistics,
    cross_component,
    incremental,
    link_records,
    linkage_tasks,
    load_linkage_model,
)
from pipelines.linkage.blocking import find_person_pairs_by_blocking
from pipelines.linkage.common_statistics import count_case_files_and_persons, find_early_part_of_history
from pipelines.linkage.decisions import build_decision_records, count_compared_pairs, replace_row_numbers_by_record_keys
from pipelines.linkage.drift import count_comparison_levels_of_linked_records
from pipelines.linkage.solving import DetailedLinkageResult, estimate_common_statistics, link_in_alternating_rounds
from pipelines.linkage.standardise import build_linkage_records, read_linkage_columns
from schemas.canonical import TABLES

Tables = dict[str, pd.DataFrame]
pytestmark = pytest.mark.slow


@pytest.fixture
def tables(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> Tables:
    monkeypatch.setattr(common_statistics, "FIRST_STEP", 150)  # the little history of the tests counts as large
    found: Tables = ran.outcome.values["canonical"]
    return {name: found[name] for name in TABLES}


def held_by(tables: Tables, deliveries: set[tuple[str, str]]) -> Tables:
    """The rows of some deliveries."""
    wanted = pd.MultiIndex.from_tuples(sorted(deliveries))
    return {
        name: frame[pd.MultiIndex.from_frame(frame[["institution", "delivery"]]).isin(wanted)].sample(frac=1, random_state=1)
        for name, frame in tables.items()
    }


def assert_same(left: LinkageResult, right: LinkageResult) -> None:
    for name in ("persons", "cases", "decisions", "reached"):
        pd.testing.assert_frame_equal(getattr(left, name), getattr(right, name), obj=name)
    actual = [
        {k: v for k, v in linked.statistics.items() if k not in ("components_decided", "baseline_read_again")} for linked in (left, right)
    ]
    assert actual[0] == actual[1]


@pytest.mark.parametrize("seed", range(3))
def test_batches_in_any_order_end_as_without_memory(tables: Tables, tmp_path: Path, seed: int) -> None:
    pairs = {tuple(row) for frame in tables.values() for row in frame[["institution", "delivery"]].drop_duplicates().to_numpy()}
    order = random.Random(seed).sample(sorted(pairs), len(pairs))
    for n in (len(order) // 3, 2 * len(order) // 3, len(order) - 1, len(order)):
        part = held_by(tables, set(order[:n]))
        assert_same(link_records(part, memory_folder=tmp_path / "memory"), link_records(part))
    assert_same(link_records(tables, memory_folder=tmp_path / "memory"), link_records(tables))


def test_what_nobody_touched_is_not_decided_again(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = link_records(tables, memory_folder=tmp_path / "memory")
    with monkeypatch.context() as patched:
        patched.setattr(cross_component, "ComparedPersonPairs", None)  # nor are pairs across components weighed again
        again = link_records(tables, memory_folder=tmp_path / "memory")
    assert again.statistics["components_decided"] == 0
    assert_same(again, first)
    assert_same(again, link_records(tables))


@pytest.fixture
def undivided(tables: Tables) -> DetailedLinkageResult:
    """What the engine finds that looks at all records together, by what is common to the large history."""
    held = read_linkage_columns(tables)
    marked = find_early_part_of_history(held)
    assert marked is not None
    model = load_linkage_model()
    shared = estimate_common_statistics(marked.take_early_rows(held), model)
    records = replace(build_linkage_records(tables), counts=shared.counts)
    return link_in_alternating_rounds(records, find_person_pairs_by_blocking(records.persons), model, None, shared)[0]


def test_parts_make_the_partition_of_the_undivided_records(tables: Tables, undivided: DetailedLinkageResult) -> None:
    linked, records = link_records(tables), undivided.records
    for frame, cluster, other in (
        (records.persons, undivided.persons.cluster, linked.persons),
        (records.files, undivided.cases.cluster, linked.cases),
    ):
        assert find_records_in_changed_clusters(frame[["institution", "record_key"]].assign(cluster=cluster), other).empty
    assert count_case_files_and_persons(records)["persons"] == len(records.persons)


def test_decision_records_within_and_across_components_are_those_of_the_undivided_records(
    tables: Tables, undivided: DetailedLinkageResult
) -> None:
    whole = replace_row_numbers_by_record_keys(
        build_decision_records(undivided.records, undivided.person_pairs, undivided.cases, undivided.persons), undivided.records
    )
    linked = link_records(tables)
    pd.testing.assert_frame_equal(whole, linked.decisions)
    assert (
        count_compared_pairs(undivided.person_pairs, undivided.cases, undivided.persons)["case_pairs_in_doubt"]
        == linked.statistics["case_pairs_in_doubt"]
    )


def test_tasks_handed_over_in_a_folder_end_as_those_worked_on_here(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = link_records(tables)
    monkeypatch.setattr(linkage_tasks, "MIN_ROWS_FOR_PROCESSES", 0)
    monkeypatch.setattr(incremental, "BATCH_RECORDS", 100)
    (tmp_path / ".memory.tasks" / "0").mkdir(parents=True)  # of a run that was killed
    assert_same(link_records(tables, memory_folder=tmp_path / "memory"), here)
    assert [path.name for path in tmp_path.iterdir()] == ["memory"]


def test_the_levels_that_persons_reach_are_those_of_comparing_again(tables: Tables) -> None:
    linked = link_records(tables)
    again = count_comparison_levels_of_linked_records(tables, linked.persons, load_linkage_model())
    pd.testing.assert_frame_equal(linked.reached, again)
    assert len(again)


def test_a_judgement_is_decided_on_and_taken_back(tables: Tables, tmp_path: Path) -> None:
    before = link_records(tables, memory_folder=tmp_path / "memory")
    joined = before.decisions[(before.decisions["entity"] == "person") & (before.decisions["decision"] == "joined")].head(1)
    said = joined[["entity", "institution_a", "key_a", "institution_b", "key_b"]].assign(verdict="different")
    actual = link_records(tables, judgements=said, memory_folder=tmp_path / "memory")
    assert actual.judged["outcome"].tolist() == ["holds"]
    assert_same(actual, link_records(tables, judgements=said))
    assert_same(link_records(tables, memory_folder=tmp_path / "memory"), before)


def test_a_damaged_memory_is_as_good_as_none(tables: Tables, tmp_path: Path) -> None:
    whole = link_records(tables, memory_folder=tmp_path / "memory")
    (tmp_path / "memory" / "pairs.parquet").write_bytes(b"PAR1 and nothing else")
    assert_same(link_records(tables, memory_folder=tmp_path / "memory"), whole)
