"""Who is who in a simulated set: for training a model on sets that were made for it.

Belongs here: reading back what the simulator wrote beside its deliveries. Does not belong here: the truth of a sample, which is for
measuring only (`warehouse.score`).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def is_set(folder: Path) -> bool:
    """Whether `folder` looks like what `simulate` writes: deliveries, and who is who."""
    return (folder / "inbox").is_dir() and (folder / "truth" / "records.csv").is_file()


def persons(folder: Path) -> pd.DataFrame:
    """`institution, record_key, person_id` of every person record of the set in `folder`, each once."""
    records = pd.read_csv(folder / "truth" / "records.csv", dtype="str")
    known = records[records["entity"] == "person"].dropna(subset=["person_id"]).drop_duplicates(["institution", "record_key"])
    return known[["institution", "record_key", "person_id"]].reset_index(drop=True)
