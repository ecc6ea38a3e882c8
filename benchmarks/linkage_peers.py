"""How do Splink 5 and recordlinkage compare with ours on the institutions' records?

    python -m benchmarks linkage_peers NAME=HOME,TRUTH [NAME=HOME,TRUTH …]

HOME: of a run (its `lake/canonical`). TRUTH: a folder with `records.csv`. Needs `.venv/bin/uv sync --inexact --group bench`.

The peers get our standardised records (name skeletons, repaired numbers, imputed dates), sensible comparisons and blocking, and are
trained without truth (Splink also with our frozen model and keys); then connected components, **at the best threshold as chosen with the
truth in hand**. Their cases: files joined by references that a single file bears, or a file with a person in common, or that both cite;
then files without such a join to the nearest file of another institution with a person in common, within plausible days. Ours is
the unchanged `pipelines.linkage.link_records`, which knows nothing of the truth.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.linkage_accuracy import TABLES, score
from benchmarks.linkage_engines import splink
from benchmarks.linkage_public_data import Set, code, field, name
from pipelines.linkage import link_records, references
from pipelines.linkage.blocking import group_records_by_blocking_keys
from pipelines.linkage.cluster import find_connected_components
from pipelines.linkage.model import load_linkage_model
from pipelines.linkage.score import compute_token_frequencies, encode_persons
from pipelines.linkage.splink_export import build_splink_records, build_splink_settings, build_term_frequencies
from pipelines.linkage.standardise import LinkageRecords, build_linkage_records
from sources.contract import institutions

THRESHOLDS = np.arange(-15.0, 40.0, 0.5)
RULES = (
    ("number",),
    ("given", "surname"),
    ("given", "born"),
    ("surname", "born"),
    ("given", "parent"),
    ("surname", "parent"),
    ("given", "birth_year"),
    ("left(surname, 3)", "birth_year"),
)
FIXED = ("parent", "sex", "citizenship", "municipality", "birthplace")
# From the first day of a file upstream to the first of one downstream.
SOONEST, LATEST = -30, 730


def persons_set(records: LinkageRecords) -> Set:
    """Person records as a peer gets them."""
    persons = records.persons
    frame = persons[["given", "surname", "parent", "number", "sex", "citizenship", "municipality", "birthplace"]].astype("str")
    frame["born"] = persons["birth_date"].dt.strftime("%Y%m%d").astype("str")
    frame["birth_year"] = persons["birth_year"].astype("float64")
    numbers = (
        ("equal", {}, 0.9, 0.0001),
        ("edits", {"most": 1, "length": 9}, 0.05, 0.0001),
        ("edits", {"most": 2, "length": 9}, 0.01, 0.001),
    )
    days = (
        ("equal", {}, 0.85, 0.0001),
        ("day_month_swapped", {}, 0.02, 0.0001),
        ("edits", {"most": 1, "length": 8}, 0.03, 0.002),
        ("same_number", {"column": 1}, 0.05, 0.002),
        ("other_year", {}, 0.01, 0.002),
        ("numbers_within", {"column": 1, "most": 0}, 0.01, 0.02),
    )
    fields = (
        name("given"),
        name("surname"),
        name("parent"),
        field("born", *days, columns=("born", "birth_year")),
        field("number", *numbers),
        *(code(c) for c in FIXED[1:]),
    )
    return Set("persons", frame, fields, RULES, (0, 3), 0.7, FIXED)


def recordlinkage_pairs(data: Set) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs and log2 odds of recordlinkage's ECM classifier over the same rules; similarities made binary, as it asks for."""
    import recordlinkage

    frame = data.records.assign(surname_start=data.records["surname"].str[:3])
    indexer = recordlinkage.Index()
    for rule in data.rules:
        indexer.block(["surname_start" if part.startswith("left(") else part for part in rule])
    compared = recordlinkage.Compare()
    for column in ("given", "surname", "parent"):
        compared.string(column, column, method="jarowinkler", threshold=0.9, label=column)
    for column in ("born", "number"):
        compared.string(column, column, method="damerau_levenshtein", threshold=0.85, label=column)
    for column in ("birth_year", "sex", "citizenship", "municipality", "birthplace"):
        compared.exact(column, column, label=column)
    vectors = compared.compute(indexer.index(frame), frame)
    classifier = recordlinkage.ECMClassifier(binarize=0.5)
    classifier.fit(vectors)
    share = np.clip(classifier.prob(vectors).to_numpy("float64"), 1e-12, 1 - 1e-12)
    left, right = (vectors.index.get_level_values(n).to_numpy() for n in (0, 1))
    return left, right, np.log2(share) - np.log2(1 - share)


def best_clusters(records: LinkageRecords, truth: pd.DataFrame, left: np.ndarray, right: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Connected components at the threshold whose persons have the best F1."""
    found, best = np.arange(len(records.persons)), -1.0
    for threshold in THRESHOLDS:
        kept = weight >= threshold
        cluster = find_connected_components(len(records.persons), left[kept], right[kept])
        f1 = score(truth, records.persons[["institution", "record_key"]].assign(cluster=cluster), "person").f1
        if f1 > best:
            found, best = cluster, f1
    return found


def cases_by_rules(records: LinkageRecords, person_cluster: np.ndarray) -> np.ndarray:
    """Cases by references, then by shared persons within plausible days."""
    files = records.files
    institution = files["institution"].to_numpy(dtype=object)
    admitted = records.persons.groupby("file")["admitted"].min().reindex(files.index)
    start = files[["reported", "received"]].min(axis=1).fillna(admitted).to_numpy()
    shared = pd.DataFrame({"file": records.persons["file"], "who": person_cluster})
    shared = shared[shared["file"] >= 0].drop_duplicates()
    mates = shared.merge(shared, on="who", suffixes=("", "_other"))
    mates = mates.loc[mates["file"] != mates["file_other"], ["file", "file_other"]].drop_duplicates()
    mates = mates.rename(columns={"file": "a", "file_other": "b"})
    cited = references.find_citations_between_case_files(records)
    cited = cited[~cited["near"]].merge(mates.assign(person=True), how="left", on=["a", "b"])
    together = references.find_case_files_citing_same_number(records).merge(mates, on=["a", "b"])
    joins = [cited.loc[cited["bearers"].eq(1) | cited["person"].eq(True), ["a", "b"]], together[["a", "b"]]]
    joined = np.isin(np.arange(len(files)), pd.concat(joins).to_numpy())
    order = pd.Series(institution).map({name_: n for n, name_ in enumerate(institutions())}).to_numpy()
    loose = mates[~joined[mates["a"]] & (institution[mates["a"]] != institution[mates["b"]])]
    a, b = loose["a"].to_numpy(), loose["b"].to_numpy()
    days = (start[a] - start[b]).astype("timedelta64[D]").astype("float64")
    gap = np.where(order[a] > order[b], days, -days)
    loose = loose.assign(gap=np.abs(days))[(gap >= SOONEST) & (gap <= LATEST)]
    joins.append(loose.sort_values("gap", kind="stable").drop_duplicates("a")[["a", "b"]])
    every = pd.concat(joins)
    return find_connected_components(len(files), every["a"].to_numpy(), every["b"].to_numpy())


def exported_pairs(records: LinkageRecords) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs and match weights of Splink with this project's own model and blocking keys, as `splink_export` writes them."""
    from splink import DuckDBAPI, Linker

    persons, model, api = records.persons, load_linkage_model(), DuckDBAPI()
    linker = Linker(
        api.register(build_splink_records(persons, model, group_records_by_blocking_keys(persons).groups)),
        build_splink_settings(model, len(persons)),
        log_level=None,
    )
    for column, table in build_term_frequencies(persons, model, compute_token_frequencies(encode_persons(persons, model), model)).items():
        linker.table_management.register_term_frequency_lookup(api.register(table), column)
    found = linker.inference.predict(warning_mode="never").as_pandas_dataframe()
    left, right = (found[f"unique_id_{side}"].to_numpy("int64") for side in ("l", "r"))
    return left, right, found["match_weight"].to_numpy()


def compared(canonical: dict[str, pd.DataFrame], truth: pd.DataFrame) -> pd.DataFrame:
    """F1 of persons and cases, and seconds, per engine."""
    rows = []

    def row(engine: str, persons: pd.DataFrame, cases: pd.DataFrame, seconds: float) -> None:
        f1 = [score(truth, clusters, entity).f1 for clusters, entity in ((persons, "person"), (cases, "case"))]
        rows.append({"engine": engine, "persons": f1[0], "cases": f1[1], "s": seconds})

    start = time.perf_counter()
    linked = link_records(canonical)
    row("ours", linked.persons, linked.cases, time.perf_counter() - start)
    records = build_linkage_records(canonical)
    data = persons_set(records)
    engines = {
        "splink, trained on the spot": lambda: splink(data, -20.0, True).pairs,
        "splink, our model": lambda: exported_pairs(records),
        "recordlinkage, ECM": lambda: recordlinkage_pairs(data),
    }
    for engine, run in engines.items():
        start = time.perf_counter()
        pairs = run()
        seconds = time.perf_counter() - start
        cluster = best_clusters(records, truth, *pairs)
        keys = ["institution", "record_key"]
        cases = records.files[keys].assign(cluster=cases_by_rules(records, cluster))
        row(engine, records.persons[keys].assign(cluster=cluster), cases, seconds)
    return pd.DataFrame(rows)


def main() -> None:
    """Compare on every set and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="NAME=HOME,TRUTH")
    for spec in parser.parse_args().sets:
        label, _, places = spec.partition("=")
        home, _, truth = places.partition(",")
        canonical = {table: pd.read_parquet(Path(home) / "lake" / "canonical" / f"{table}.parquet") for table in TABLES}
        found = compared(canonical, pd.read_csv(Path(truth) / "records.csv", dtype=str))
        print(found.assign(set=label).round(4).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
