"""Finds a pair by its id or its records. Belongs here: resolving what was typed. Does not belong here: showing the pair."""

from __future__ import annotations

import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.review.judgements import read
from harmonia.review.pairs import PAIR, pair_ids
from harmonia.review.published import PublishedRun, missing_records
from harmonia.review.sampling import sampled


def resolve_pair(found: PublishedRun, registry: Registry, wanted: str | pd.DataFrame) -> pd.DataFrame:
    """The pair (one row of `PAIR`) named by its id or by its two records.

    An id is searched in the decisions of the last run, the judgements and the samples. Raises `HarmoniaError` where it is not found, or
    where a record is not delivered.
    """
    clusters = found.clusters()
    if isinstance(wanted, pd.DataFrame):
        pair = wanted
    else:
        known = pd.concat([found.decisions()[PAIR], read(registry)[PAIR], sampled(registry)[PAIR]], ignore_index=True).drop_duplicates()
        pair = known[(pair_ids(known) == wanted).to_numpy()].reset_index(drop=True)
        if pair.empty:
            raise HarmoniaError(f"pair {wanted} is unknown in home {found.home.root}: see `harmonia review list`")
    absent = missing_records(pair, clusters).iloc[0]
    if absent:
        raise HarmoniaError(f"{absent} is not in any delivery of home {found.home.root}: check institution and key")
    return pair
