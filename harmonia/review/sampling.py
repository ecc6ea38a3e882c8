"""Blind samples in the registry: drawn once, stored with their inclusion probabilities, labelled by judgements.

Belongs here: the candidate pairs of a published run, recording a sample, its labels so far. Does not belong here: the sampling design
(`strata`), estimates (`estimating`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import insert, select

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Sample, SampledPair, SampleStratum
from harmonia.review.judgements import effective, frame_rows, read
from harmonia.review.pairs import ENTITIES, PAIR, order_pairs
from harmonia.review.published import RECORD, PublishedRun
from harmonia.review.strata import draw_pairs

SAMPLED = ["sample", "position", "stratum", *PAIR, "weight", "probability"]
# In clusters of more records than this only compared pairs are listed.
MOST_RECORDS = 300


@dataclass(frozen=True)
class DrawnSample:
    """A sample: its number, the pairs in the order shown, the strata, and the number of non-candidates by reason."""

    sample: int
    pairs: pd.DataFrame
    strata: pd.DataFrame
    left_out: dict[str, int]


def decided_pairs(candidates: pd.DataFrame, clusters: pd.DataFrame) -> pd.DataFrame:
    """All pairs decided by the published clustering: candidates, and pairs joined through others without comparison.

    candidates: `PAIR`, weight; clusters: entity, institution, record_key, cluster. Returns `PAIR` in order, weight (null: never compared)
    and joined, sorted.
    """
    joined = pd.concat([_pairs_within_clusters(clusters[clusters["entity"] == entity], entity) for entity in ENTITIES], ignore_index=True)
    out = order_pairs(candidates)[[*PAIR, "weight"]].drop_duplicates(PAIR).merge(joined.assign(listed=True), on=PAIR, how="outer")
    number = clusters.set_index(["entity", *RECORD])["cluster"]
    a, b = (
        number.reindex(pd.MultiIndex.from_frame(out[["entity", f"institution_{side}", f"key_{side}"]])).to_numpy("float64") for side in "ab"
    )
    out["joined"] = a == b
    return out.sort_values(PAIR, kind="stable").reset_index(drop=True)[[*PAIR, "weight", "joined"]]


def _pairs_within_clusters(clusters: pd.DataFrame, entity: str) -> pd.DataFrame:
    """All pairs within the clusters of one entity, except clusters of more than `MOST_RECORDS`."""
    own = clusters[clusters.groupby("cluster")["cluster"].transform("size").between(2, MOST_RECORDS)]
    own = own[[*RECORD, "cluster"]].reset_index(drop=True).reset_index(names="row")
    both = own.merge(own, on="cluster", suffixes=("_a", "_b"))
    both = both[both["row_a"] < both["row_b"]].rename(columns={"record_key_a": "key_a", "record_key_b": "key_b"})
    return order_pairs(both.assign(entity=entity)[PAIR])


def sample(found: PublishedRun, registry: Registry, size: int, seed: int, entities: tuple[str, ...] = ENTITIES) -> DrawnSample:
    """Draw and record a blind sample of `size` candidate pairs. Raises `HarmoniaError` where there are none.

    The same run and seed give the same pairs. The sample measures the clustering as published when it was drawn: later runs apply its
    judgements, which would bias the estimate.
    """
    from pipelines.linkage.candidates import list_candidate_pairs

    pairs, left_out = list_candidate_pairs(found.canonical())
    pairs = decided_pairs(pairs, found.clusters())
    pairs = pairs[pairs["entity"].isin(entities)].reset_index(drop=True)
    if pairs.empty:
        raise HarmoniaError(f"home {found.home.root} has no candidate pairs of {' and '.join(entities)} to sample")
    taken, strata = draw_pairs(pairs, size, seed)
    with registry.write() as session:
        drawn = Sample(drawn_at=now(), seed=seed, run_id=found.run, model=found.model)
        session.add(drawn)
        session.flush()
        named = strata.rename(columns={"stratum": "name", "entity": "kind"}).assign(sample_id=drawn.id)
        session.execute(insert(SampleStratum), frame_rows(named))
        rows = taken.rename(columns={"entity": "kind", "key_a": "record_key_a", "key_b": "record_key_b"})
        rows = rows.drop(columns="joined").assign(sample_id=drawn.id, position=range(1, len(rows) + 1)).astype({"weight": object})
        rows["weight"] = rows["weight"].where(rows["weight"].notna(), None)
        session.execute(insert(SampledPair), frame_rows(rows))
        number = drawn.id
    return DrawnSample(number, taken, strata, left_out)


def sampled(registry: Registry) -> pd.DataFrame:
    """All sampled pairs: `SAMPLED`, by sample in the order shown."""
    one = SampledPair
    columns = (one.sample_id, one.position, one.stratum, one.kind, one.institution_a, one.record_key_a, one.institution_b, one.record_key_b)
    with registry.read() as session:
        rows = session.execute(select(*columns, one.weight, one.probability).order_by(one.sample_id, one.position)).all()
    frame = pd.DataFrame([tuple(row) for row in rows], columns=SAMPLED)
    return frame.astype({**dict.fromkeys([*PAIR, "stratum"], "str"), "sample": "int64", "weight": "float64"})


def chosen(registry: Registry, number: int | None) -> int:
    """The sample `number`, else the latest. Raises `HarmoniaError` where it does not exist."""
    with registry.read() as session:
        known = session.scalars(select(Sample.id).order_by(Sample.id)).all()
    if not known:
        raise HarmoniaError("this home has no blind sample: draw one with `harmonia review sample --pairs 300 --seed 1`")
    if number is not None and number not in known:
        raise HarmoniaError(f"sample {number} does not exist in this home; use one of {', '.join(map(str, known))}")
    return number if number is not None else known[-1]


def labels(registry: Registry, number: int) -> pd.DataFrame:
    """The labels of the sample `number` by stratum.

    Columns: stratum, entity, joined, pairs, drawn, same, different, unsure (also disputed). Only blind judgements count.
    """
    one = SampleStratum
    with registry.read() as session:
        query = select(one.name, one.kind, one.joined, one.pairs, one.drawn).where(one.sample_id == number).order_by(one.name)
        strata = pd.DataFrame([tuple(row) for row in session.execute(query)], columns=["stratum", "entity", "joined", "pairs", "drawn"])
    judgements = read(registry)
    verdicts = effective(judgements[judgements["blind"]]).replace({"verdict": {"disputed": "unsure", "proposed": "same"}})
    pairs = sampled(registry)
    pairs = pairs[pairs["sample"] == number].merge(verdicts, on=PAIR, how="inner")
    counts = pd.crosstab(pairs["stratum"], pairs["verdict"]).reindex(columns=["same", "different", "unsure"], fill_value=0)
    counts = counts.reindex(strata["stratum"], fill_value=0).reset_index(drop=True)
    return strata.join(counts.astype("int64"))
