"""Which pair somebody means. Belongs here: finding a pair by its id or its records. Does not belong here: what is said of it."""

from __future__ import annotations

import pandas as pd

from pipelines.errors import HarmoniaError
from pipelines.registry import Registry
from pipelines.review.judgements import read
from pipelines.review.pairs import PAIR, pair_ids
from pipelines.review.published import Published, missing_records
from pipelines.review.sampling import sampled


def resolve(found: Published, registry: Registry, wanted: str | pd.DataFrame) -> pd.DataFrame:
    """The pair (one row of `PAIR`) that a person named, by id or by its two records.

    An id is looked for among the decisions of the last run, the judgements and the samples. Raises `HarmoniaError` where it is not
    there, or where a record named is in no delivery.
    """
    clusters = found.clusters()
    if isinstance(wanted, pd.DataFrame):
        pair = wanted
    else:
        known = pd.concat([found.decisions()[PAIR], read(registry)[PAIR], sampled(registry)[PAIR]], ignore_index=True).drop_duplicates()
        pair = known[(pair_ids(known) == wanted).to_numpy()].reset_index(drop=True)
        if pair.empty:
            raise HarmoniaError(f"pair {wanted} is unknown in home {found.home.root}: `harmonia review list` shows those in doubt")
    absent = missing_records(pair, clusters).iloc[0]
    if absent:
        raise HarmoniaError(f"{absent} is in no delivery of home {found.home.root}: check institution and key")
    return pair
