"""Blind samples: draw pairs of a published run, store them in the registry, count how stewards judged them.

Belongs here: listing the pairs to sample from, storing a sample with the probability of each pair, counting the judgements so far. Does
not belong here: the sampling design (`strata`), estimates (`estimating`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import insert, select

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Sample, SampledPair, SampleStratum
from harmonia.review.judgements import combine_judgements, convert_frame_to_rows, read_judgements
from harmonia.review.pairs import ENTITIES, PAIR, order_pairs
from harmonia.review.published import RECORD, PublishedRun
from harmonia.review.strata import draw_stratified_sample_of_pairs

SAMPLED = ["sample", "position", "stratum", *PAIR, "weight", "probability"]
MAX_CLUSTER_RECORDS = 300
"""From clusters with more records than this, only pairs that linkage compared are sampled."""


@dataclass(frozen=True)
class DrawnSample:
    """A blind sample that was drawn.

    `sample` is its number in the registry. `pairs` has the pairs in the order in which they are shown. `strata` has the strata with their
    numbers of pairs. `left_out` maps a reason to the number of pairs that are no candidates for this reason.
    """

    sample: int
    pairs: pd.DataFrame
    strata: pd.DataFrame
    left_out: dict[str, int]


def list_decided_pairs(candidates: pd.DataFrame, clusters_of_records: pd.DataFrame) -> pd.DataFrame:
    """List all pairs on which linkage decided: the pairs that it compared, and the pairs that it joined only through other records.

    `candidates` has the compared pairs, with the columns `PAIR` and weight. `clusters_of_records` has the columns entity, institution,
    record_key and cluster. The result has the columns `PAIR`, weight (null if the pair was not compared) and joined, and is sorted by
    `PAIR`.
    """
    joined = pd.concat(
        [_list_pairs_within_clusters(clusters_of_records[clusters_of_records["entity"] == entity], entity) for entity in ENTITIES],
        ignore_index=True,
    )
    out = order_pairs(candidates)[[*PAIR, "weight"]].drop_duplicates(PAIR).merge(joined.assign(listed=True), on=PAIR, how="outer")
    number = clusters_of_records.set_index(["entity", *RECORD])["cluster"]
    a, b = (
        number.reindex(pd.MultiIndex.from_frame(out[["entity", f"institution_{side}", f"key_{side}"]])).to_numpy("float64") for side in "ab"
    )
    out["joined"] = a == b
    return out.sort_values(PAIR, kind="stable").reset_index(drop=True)[[*PAIR, "weight", "joined"]]


def _list_pairs_within_clusters(clusters_of_records: pd.DataFrame, entity: str) -> pd.DataFrame:
    """List all pairs of records within each cluster of one entity, except clusters with more than `MAX_CLUSTER_RECORDS` records."""
    small_clusters = clusters_of_records[
        clusters_of_records.groupby("cluster")["cluster"].transform("size").between(2, MAX_CLUSTER_RECORDS)
    ]
    small_clusters = small_clusters[[*RECORD, "cluster"]].reset_index(drop=True).reset_index(names="row")
    both = small_clusters.merge(small_clusters, on="cluster", suffixes=("_a", "_b"))
    both = both[both["row_a"] < both["row_b"]].rename(columns={"record_key_a": "key_a", "record_key_b": "key_b"})
    return order_pairs(both.assign(entity=entity)[PAIR])


def draw_sample(published_run: PublishedRun, registry: Registry, size: int, seed: int, entities: tuple[str, ...] = ENTITIES) -> DrawnSample:
    """Draw a blind sample of `size` pairs and store it in the registry. Raises `HarmoniaError` if there are no pairs to draw.

    The same run and `seed` always give the same pairs. The sample measures the clusters that were published when it was drawn. It cannot
    measure the clusters of later runs, since these obey the judgements on the sample, which would bias the estimate.
    """
    from pipelines.linkage.candidates import list_candidate_pairs

    pairs, left_out = list_candidate_pairs(published_run.read_canonical_tables())
    pairs = list_decided_pairs(pairs, published_run.read_clusters())
    pairs = pairs[pairs["entity"].isin(entities)].reset_index(drop=True)
    if pairs.empty:
        raise HarmoniaError(f"home {published_run.home.root} has no candidate pairs of {' and '.join(entities)} to sample")
    taken, strata = draw_stratified_sample_of_pairs(pairs, size, seed)
    with registry.write() as session:
        drawn = Sample(drawn_at=now(), seed=seed, run_id=published_run.run, model=published_run.model)
        session.add(drawn)
        session.flush()
        stratum_rows = strata.rename(columns={"stratum": "name", "entity": "kind"}).assign(sample_id=drawn.id)
        session.execute(insert(SampleStratum), convert_frame_to_rows(stratum_rows))
        rows = taken.rename(columns={"entity": "kind", "key_a": "record_key_a", "key_b": "record_key_b"})
        rows = rows.drop(columns="joined").assign(sample_id=drawn.id, position=range(1, len(rows) + 1)).astype({"weight": object})
        rows["weight"] = rows["weight"].where(rows["weight"].notna(), None)
        session.execute(insert(SampledPair), convert_frame_to_rows(rows))
        number = drawn.id
    return DrawnSample(number, taken, strata, left_out)


def read_sampled_pairs(registry: Registry) -> pd.DataFrame:
    """Read the pairs of all samples, in the order in which they are shown. Columns out: `SAMPLED`."""
    table = SampledPair
    columns = (
        table.sample_id,
        table.position,
        table.stratum,
        table.kind,
        table.institution_a,
        table.record_key_a,
        table.institution_b,
        table.record_key_b,
    )
    with registry.read() as session:
        rows = session.execute(select(*columns, table.weight, table.probability).order_by(table.sample_id, table.position)).all()
    frame = pd.DataFrame([tuple(row) for row in rows], columns=SAMPLED)
    return frame.astype({**dict.fromkeys([*PAIR, "stratum"], "str"), "sample": "int64", "weight": "float64"})


def find_sample_number(registry: Registry, number: int | None) -> int:
    """Return `number` if there is a sample with it. If `number` is None, return the number of the latest sample.

    Raises `HarmoniaError` if there is no such sample.
    """
    with registry.read() as session:
        numbers = session.scalars(select(Sample.id).order_by(Sample.id)).all()
    if not numbers:
        raise HarmoniaError("this home has no blind sample: draw one with `harmonia review sample --pairs 300 --seed 1`")
    if number is not None and number not in numbers:
        raise HarmoniaError(f"sample {number} does not exist in this home; use one of {', '.join(map(str, numbers))}")
    return number if number is not None else numbers[-1]


def count_labels(registry: Registry, number: int) -> pd.DataFrame:
    """Count how the pairs of a sample were judged, by stratum. Only blind judgements count.

    The columns of the result are stratum, entity, joined, and numbers of pairs: pairs (in the stratum), drawn, same, different, unsure (or
    disputed).
    """
    table = SampleStratum
    with registry.read() as session:
        query = select(table.name, table.kind, table.joined, table.pairs, table.drawn).where(table.sample_id == number).order_by(table.name)
        strata = pd.DataFrame([tuple(row) for row in session.execute(query)], columns=["stratum", "entity", "joined", "pairs", "drawn"])
    judgements = read_judgements(registry)
    verdicts = combine_judgements(judgements[judgements["blind"]]).replace({"verdict": {"disputed": "unsure", "proposed": "same"}})
    pairs = read_sampled_pairs(registry)
    pairs = pairs[pairs["sample"] == number].merge(verdicts, on=PAIR, how="inner")
    counts = pd.crosstab(pairs["stratum"], pairs["verdict"]).reindex(columns=["same", "different", "unsure"], fill_value=0)
    counts = counts.reindex(strata["stratum"], fill_value=0).reset_index(drop=True)
    return strata.join(counts.astype("int64"))
