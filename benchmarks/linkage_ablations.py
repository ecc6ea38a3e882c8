"""What does each idea of the linkage contribute? F1 of persons and cases without it, one at a time.

    python -m benchmarks linkage_ablations NAME=HOME,TRUTH [NAME=HOME,TRUTH …]

HOME: of a run (its `lake/canonical`). TRUTH: a folder with `records.csv`. Each idea is removed from outside (another model, other input
or a replaced function) and restored; nothing in `pipelines` knows of it. The model is not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from benchmarks.linkage_accuracy import TABLES, score
from pipelines import linkage
from pipelines.linkage import cluster, model, persons, solving
from pipelines.linkage import score as scoring
from pipelines.linkage.model import LinkageModel

Canonical = dict[str, pd.DataFrame]


@contextmanager
def as_is(_: Canonical) -> Iterator[None]:
    """Nothing changed."""
    yield


@contextmanager
def one_round(_: Canonical) -> Iterator[None]:
    """Cases are decided once, before any person is: what persons say then does not come back to them."""
    with mock.patch.object(solving, "ROUNDS", 1):
        yield


@contextmanager
def persons_alone(_: Canonical) -> Iterator[None]:
    """Persons do not know which files are one case."""
    own = persons.link_person_records

    def alone(records: Any, people: Any, model_: LinkageModel, case_cluster: np.ndarray, *rest: Any) -> Any:
        return own(records, people, model_, np.arange(len(case_cluster)), *rest)

    with mock.patch.object(solving, "link_person_records", alone):
        yield


@contextmanager
def components_only(_: Canonical) -> Iterator[None]:
    """Connected components of all pairs above zero: no averaging between groups, no vetoes, no spine."""

    def bare(size: int, pairs: Any, *_rest: Any, **_named: Any) -> np.ndarray:
        kept = pairs.weight > 0
        return cluster.find_connected_components(size, pairs.left[kept], pairs.right[kept])

    with mock.patch.object(cluster, "form_clusters_by_agglomeration", bare):
        yield


@contextmanager
def no_hard_rule(_: Canonical) -> Iterator[None]:
    """Two records of one file may be one person."""
    with mock.patch.object(persons, "are_persons_in_one_case_file", lambda frame, left, right: np.zeros(len(left), dtype=bool)):
        yield


@contextmanager
def no_exchange(_: Canonical) -> Iterator[None]:
    """Given name and surname are compared only where they stand."""
    with mock.patch.object(scoring, "EXCHANGED_FIELDS", {}):
        yield


@contextmanager
def no_skeleton(canonical: Canonical) -> Iterator[None]:
    """Names in small letters as delivered, instead of their skeletons."""
    frame = canonical["person_records"]
    plain = {"given_skeleton": "given_name", "surname_skeleton": "surname", "parent_skeleton": "parent_name"}
    changed = frame.assign(**{skeleton: frame[name].str.lower().str.strip() for skeleton, name in plain.items()})
    changed["name_tokens"] = changed["full_name"].str.lower().str.strip()
    with mock.patch.dict(canonical, {"person_records": changed}):
        yield


@contextmanager
def no_references(canonical: Canonical) -> Iterator[None]:
    """No file names another."""
    with mock.patch.dict(canonical, {"references": canonical["references"].iloc[:0]}):
        yield


@contextmanager
def _with_model(changed: LinkageModel) -> Iterator[None]:
    with mock.patch.object(linkage, "load_linkage_model", lambda: changed):
        yield


def without_frequencies(_: Canonical) -> Any:
    """A frequent name weighs as much as a rare one."""
    own = model.load_linkage_model()
    fields = tuple(replace(f, levels=tuple(replace(level, frequency=0.0) for level in f.levels)) for f in own.fields)
    return _with_model(replace(own, fields=fields))


def without_family(_: Canonical) -> Any:
    """What families share counts in full though first names differ."""
    own = model.load_linkage_model()
    return _with_model(replace(own, fields=tuple(replace(f, family=False) for f in own.fields)))


def without_dates(_: Canonical) -> Any:
    """Cases without the gaps between their days."""
    own = model.load_linkage_model()
    return _with_model(replace(own, evidence=tuple(e for e in own.evidence if e.kind != "gap")))


def without_evidence(_: Canonical) -> Any:
    """Cases by references and persons alone: no days, seats, offences, sentences."""
    return _with_model(replace(model.load_linkage_model(), evidence=()))


IDEAS: dict[str, Callable[[Canonical], Any]] = {
    "everything": as_is,
    "one round instead of two": one_round,
    "persons without cases": persons_alone,
    "cases without dates": without_dates,
    "cases without dates, seats, offences, sentences": without_evidence,
    "no references": no_references,
    "connected components instead of constrained groups": components_only,
    "no hard rule: two of one file may be one person": no_hard_rule,
    "names as delivered instead of skeletons": no_skeleton,
    "no term frequencies": without_frequencies,
    "what families share counts though first names differ": without_family,
    "names never in exchanged places": no_exchange,
}


def main() -> None:
    """Take each idea away on every set and print a table: persons F1 and cases F1 per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="NAME=HOME,TRUTH")
    columns: dict[str, dict[str, float]] = {}
    for spec in parser.parse_args().sets:
        label, _, places = spec.partition("=")
        home, _, folder = places.partition(",")
        canonical = {table: pd.read_parquet(Path(home) / "lake" / "canonical" / f"{table}.parquet") for table in TABLES}
        truth = pd.read_csv(Path(folder) / "records.csv", dtype=str)
        for idea, taken in IDEAS.items():
            with taken(canonical):
                linked = linkage.link_records(canonical)
            found = columns.setdefault(idea, {})
            found[f"{label} persons"] = score(truth, linked.persons, "person").f1
            found[f"{label} cases"] = score(truth, linked.cases, "case").f1
            print(f"{label}: without {idea}: persons {found[f'{label} persons']:.4f} cases {found[f'{label} cases']:.4f}", flush=True)
    print(pd.DataFrame(columns).T.round(4).to_string())


if __name__ == "__main__":
    main()
