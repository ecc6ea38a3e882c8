"""Both engines, ours and Splink, on one public set: train without truth, score, measure time.

Belongs here: running each engine with the same records, levels and blocking rules. Does not belong here: the sets
(`linkage_public_data`), F1 (`linkage_public_sets`), time and memory side by side (`linkage_speed`).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.linkage_public_data import Set
from pipelines.linkage.model import ComparedField

# Splink refuses no value of a blocking rule, so neither do we where both are compared.
NO_LIMIT = 10**9
THREADS = 2
LEAST_M, LEAST_U = 1e-3, 1e-6


@dataclass(frozen=True)
class Run:
    """Pairs of rows that weigh at least `least` bits (odds before included), and seconds of training and of scoring."""

    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    training: float
    scoring: float

    @property
    def generate_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Left, right, weight."""
        return self.left, self.right, self.weight


def ours(data: Set, least: float, trained: bool) -> Run:
    """The product's engine; with `trained` off the declared shares are used as they stand."""
    from benchmarks.linkage_estimate import AS_COUNTED, Estimated, across, estimate
    from pipelines.linkage.blocking import group_records_by_blocking_keys
    from pipelines.linkage.score import PairScorer, find_pairs_above_weight

    start = time.perf_counter()
    found = Estimated(data.fields, declared_odds(data))
    if trained:
        found = estimate(data.records, data.keys, data.fields, NO_LIMIT, data.source)
    between = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:  # values are encoded while those of the keys are hashed and sorted
        encoding = pool.submit(PairScorer.make_for_persons, data.records, found, AS_COUNTED)
        pairs = group_records_by_blocking_keys(data.records, data.keys, max_rows=NO_LIMIT).groups.generate_pairs()
        scorer = encoding.result()
    if data.source is not None:
        pairs = across(pairs, data.records[data.source].to_numpy())
    left, right, weight = find_pairs_above_weight(scorer, pairs, least - found.odds)
    return Run(left, right, weight + found.odds, between - start, time.perf_counter() - between)


def declared_odds(data: Set) -> float:
    """Log2 odds before, where nothing is trained: one match per record."""
    return -float(np.log2(max(len(data.records), 2) / 2))


def splink(data: Set, least: float, trained: bool) -> Run:
    """Splink 5 on DuckDB, trained as its documentation advises: odds before from rules that hardly err, u from random pairs, m by EM
    once per blocking rule; then no m below a floor."""
    import logging

    import duckdb
    from splink import DuckDBAPI, Linker

    records = data.records.drop(columns="unique_id", errors="ignore").reset_index(names="unique_id")
    connection = duckdb.connect(":memory:")
    connection.execute(f"SET threads = {THREADS}")
    logging.getLogger("splink").setLevel(logging.CRITICAL)
    start = time.perf_counter()
    api = DuckDBAPI(connection)
    source = data.source
    frames: Any = api.register(records)
    if source is not None:
        frames = [api.register(part, dataset_display_name=f"file{n}") for n, part in records.groupby(source)]
    linker = Linker(frames, _settings(data), log_level=None)
    if trained:
        _train(linker, data)
        linker = Linker(frames, _floored(linker.misc.save_model_to_json()), log_level=None)
    between = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = linker.inference.predict(threshold_match_weight=least, warning_mode="never")
    pairs = connection.execute(f"SELECT unique_id_l AS l, unique_id_r AS r, match_weight AS w FROM {found.physical_name}").df()
    low, high = pairs[["l", "r"]].min(axis=1).to_numpy("int64"), pairs[["l", "r"]].max(axis=1).to_numpy("int64")
    return Run(low, high, pairs["w"].to_numpy("float64"), between - start, time.perf_counter() - between)


def _settings(data: Set) -> dict[str, Any]:
    odds = 2.0 ** declared_odds(data)
    return {
        "link_type": "dedupe_only" if data.source is None else "link_only",
        "comparisons": [_comparison(field, field.name in data.fixed) for field in data.fields],
        "blocking_rules_to_generate_predictions": [rule(parts) for parts in data.rules],
        "probability_two_random_records_match": odds / (1 + odds),
        "retain_intermediate_calculation_columns": False,
        "retain_matching_columns": False,
    }


def _comparison(field: ComparedField, fixed: bool) -> dict[str, Any]:
    from pipelines.linkage.splink_export import build_splink_comparison

    found = build_splink_comparison(field)
    for level in found["comparison_levels"]:
        if fixed and "m_probability" in level:
            level["fix_m_probability"] = True
    return found


def rule(parts: tuple[str, ...]) -> str:
    """A blocking rule as Splink takes it: every part equal on both sides."""
    return " AND ".join(f"{_of(part, 'l')} = {_of(part, 'r')}" for part in parts)


def _of(part: str, side: str) -> str:
    head, bracket, rest = part.partition("(")
    return f"{head}({side}.{rest}" if bracket else f"{side}.{part}"


def _train(linker: Any, data: Set) -> None:
    linker.training.estimate_probability_two_random_records_match([rule(data.rules[n]) for n in data.anchors], recall=data.recall)
    linker.training.estimate_u_using_random_sampling(max_pairs=1_000_000)
    for parts in data.rules:
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(rule(parts), fix_u_probabilities=True)
        except Exception as error:  # noqa: BLE001 - Splink raises several kinds where a rule has too few pairs; the others train
            print(f"  Splink could not train on {rule(parts)}: {type(error).__name__}")


def _floored(settings: dict[str, Any]) -> dict[str, Any]:
    """Trained settings with no `m` below a floor, as a careful user would set it on seeing 1e-100; levels never seen keep one too."""
    for found in settings["comparisons"]:
        levels = [level for level in found["comparison_levels"] if not level.get("is_null_level")]
        shares = np.maximum([level.get("m_probability") or LEAST_M for level in levels], LEAST_M)
        for level, share in zip(levels, shares / shares.sum(), strict=True):
            level["m_probability"] = float(share)
            level["u_probability"] = level.get("u_probability") or LEAST_U
    return settings


ENGINES: dict[str, Callable[[Set, float, bool], Run]] = {"ours": ours, "splink": splink}


def true_pairs(data: Set) -> int:
    """Pairs of records of one entity: within the file, or across the two."""
    known = data.records.dropna(subset=["entity"])
    sizes = known.groupby("entity").size()
    every = int((sizes * (sizes - 1) // 2).sum())
    if data.source is None:
        return every
    within = known.groupby(["entity", data.source]).size()
    return every - int((within * (within - 1) // 2).sum())


def judged(data: Set, run: Run) -> pd.DataFrame:
    """Pairs with `weight` and `right`, best first; pairs with a record that nobody knows are left out."""
    entity = data.records["entity"]
    left, right = entity.iloc[run.left].to_numpy(dtype=object), entity.iloc[run.right].to_numpy(dtype=object)
    known = ~(pd.isna(left) | pd.isna(right))
    frame = pd.DataFrame({"weight": run.weight[known], "right": left[known] == right[known]})
    return frame.sort_values("weight", ascending=False, ignore_index=True)
