"""Find the pair that a user named. Does not belong here: parsing what was typed (`pairs`), showing the pair."""

from __future__ import annotations

import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.review.judgements import read_judgements
from harmonia.review.pairs import PAIR, compute_pair_ids
from harmonia.review.published import PublishedRun, find_missing_records
from harmonia.review.sampling import read_sampled_pairs


def find_requested_pair(published_run: PublishedRun, registry: Registry, requested: str | pd.DataFrame) -> pd.DataFrame:
    """Find a pair that is requested by its id or by a frame with its two records. Returns a frame of one row with the columns `PAIR`.

    An id is looked up in the decisions of the last run, the judgements and the blind samples. Raises `HarmoniaError` if it is not found
    there, or if a record of the pair is no longer delivered.
    """
    clusters = published_run.read_clusters()
    if isinstance(requested, pd.DataFrame):
        pair = requested
    else:
        listed = pd.concat(
            [published_run.read_decisions()[PAIR], read_judgements(registry)[PAIR], read_sampled_pairs(registry)[PAIR]], ignore_index=True
        ).drop_duplicates()
        pair = listed[(compute_pair_ids(listed) == requested).to_numpy()].reset_index(drop=True)
        if pair.empty:
            raise HarmoniaError(f"pair {requested} is unknown in home {published_run.home.root}: see `harmonia review list`")
    absent = find_missing_records(pair, clusters).iloc[0]
    if absent:
        raise HarmoniaError(f"{absent} is not in any delivery of home {published_run.home.root}: check institution and key")
    return pair
