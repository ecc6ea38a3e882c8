"""The true identities in a simulated set of deliveries, for training a model on sets that were made for this purpose.

Belongs here: the mark that the simulator writes beside the truth, and reading the identities. Does not belong here: the truth of a sample,
which is only for measuring (`warehouse.score`) and has no mark.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pandas as pd

from sources.simulator.settings import CADENCE, Settings

MARK = "simulated.json"


def write_simulation_mark(folder: Path, chosen: Settings, victims: bool = False) -> None:
    """Write `<folder>/simulated.json`: the settings of the set, and the checksum of its true identities."""
    mark = {name: getattr(chosen, name) for name in ("seed", "start", "years", "cases_per_year", "noise")}
    mark |= {"victims": True} if victims else {}
    mark |= {"life": sorted(chosen.life)} if chosen.life else {}
    mark |= {"cadence": dict(chosen.cadence)} if chosen.cadence != CADENCE else {}
    (folder / MARK).write_text(json.dumps({**mark, "records": _compute_checksum_of_identities(folder)}, indent=1) + "\n", encoding="utf-8")


def is_simulated_set(folder: Path) -> bool:
    """Return whether `simulate` wrote `folder`. This is so if it contains deliveries, true identities, and a mark with the checksum of
    these identities."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        return (folder / "inbox").is_dir() and isinstance(mark, dict) and mark.get("records") == _compute_checksum_of_identities(folder)
    except (OSError, ValueError):
        return False


def _compute_checksum_of_identities(folder: Path) -> str:
    return sha256((folder / "truth" / "records.csv").read_bytes()).hexdigest()


def read_true_person_ids(folder: Path) -> pd.DataFrame:
    """Return the true person behind every person record of the set in `folder`. Columns: institution, record_key, person_id."""
    records = pd.read_csv(folder / "truth" / "records.csv", dtype="str")
    known = records[records["entity"] == "person"].dropna(subset=["person_id"]).drop_duplicates(["institution", "record_key"])
    return known[["institution", "record_key", "person_id"]].reset_index(drop=True)
