"""Read what the last published run of a home stored in the lake, for review.

Belongs here: reading canonical tables, decisions of linkage, clusters and ids. Does not belong here: writing anything, Dagster (the
review commands start without it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import func, select

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.registry import Registry, open_registry
from harmonia.registry.ledger import find_start_of_first_run
from harmonia.registry.tables import Run
from harmonia.review.pairs import compute_pair_ids, order_pairs
from pipelines.resources.workplace import Workplace

RECORD = ["institution", "record_key"]
CANONICAL = ("case_records", "person_records", "charges", "events", "references")


@dataclass(frozen=True)
class PublishedRun:
    """The last published run of a home.

    `run` is its number. `mark` is a hash that identifies the registry of the home, even if the home is moved.
    """

    home: Home
    run: int
    mark: str

    def read_lake_table(self, stage: str, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read a table of a stage of the lake, or only some of its columns.

        Raises `HarmoniaError` if the table cannot be read, or lacks one of the columns.
        """
        path = self.home.lake / stage / f"{name}.parquet"
        try:
            frame = pq.read_table(path).to_pandas()
            if columns is not None and not set(columns) <= set(frame):
                raise ValueError(f"columns of another version in {name}")
        except (OSError, ValueError) as error:
            raise HarmoniaError(
                f"{path}: cannot be read ({type(error).__name__}): run `harmonia run --home {self.home.root}` again"
            ) from error
        return frame.drop(columns="_item", errors="ignore") if columns is None else frame[list(columns)]

    def read_canonical_tables(self) -> dict[str, pd.DataFrame]:
        """Read the canonical tables (`schemas.canonical`) with all states of records. The result maps the name of a table to the table.

        If records were delivered again under a new key, all their states have the new key. Where the record key of a person is a list
        position, it is replaced by a key that only this person has (`pipelines.linkage.list_positions`).
        """
        from pipelines.crosswalk import replace_old_record_keys
        from pipelines.linkage.list_positions import replace_record_keys_by_person_keys

        tables = replace_old_record_keys(
            {name: self.read_lake_table("canonical", name) for name in CANONICAL}, self.read_lake_table("canonical", "successors")
        )
        return replace_record_keys_by_person_keys(tables, self.read_lake_table("identities", "listed"))

    def read_decisions(self) -> pd.DataFrame:
        """Read the decisions of linkage on pairs.

        The columns are pair (id), `PAIR`, weight (bits), decision (joined or refused) and reasons.
        """
        frame = order_pairs(self.read_lake_table("links", "decisions"))
        return frame.assign(pair=compute_pair_ids(frame))

    def read_clusters(self) -> pd.DataFrame:
        """Read the clusters of linkage. Columns out: entity (case, person), institution, record_key, cluster (number)."""
        parts = [self.read_lake_table("links", f"{entity}s").assign(entity=entity) for entity in ("case", "person")]
        return pd.concat(parts, ignore_index=True)[["entity", *RECORD, "cluster"]].astype({"entity": "str"})

    @property
    def model(self) -> str:
        """The version of the linkage model in use."""
        from pipelines.linkage import load_linkage_model

        return load_linkage_model().version


def open_home_registry(workplace: Workplace) -> Registry:
    """Open the registry of a home, without creating one. Raises `HarmoniaError` if there is none."""
    exists = workplace.registry_url is not None or (workplace.home.root / "registry.sqlite").is_file()
    if not exists:
        raise HarmoniaError(_explain_missing_run(workplace.home.root))
    return open_registry(workplace.registry)


def find_last_published_run(home: Home, registry: Registry) -> PublishedRun:
    """Return the last published run of `home`. Raises `HarmoniaError` if there is none."""
    begun = find_start_of_first_run(registry)
    with registry.read() as session:
        run = session.scalar(select(func.max(Run.id)).where(Run.outcome == "published"))
    if begun is None or run is None or not (home.lake / "links").is_dir():
        raise HarmoniaError(_explain_missing_run(home.root))
    return PublishedRun(home, run, hashlib.sha256(begun.isoformat().encode()).hexdigest()[:16])


def _explain_missing_run(root: Path) -> str:
    return f"home {root} has no finished run, so there is nothing to review: use `harmonia run --inbox DIR --home {root}` first"


def find_missing_records(pairs: pd.DataFrame, clusters: pd.DataFrame) -> pd.Series:
    """Return for each pair the name of its first record that is no longer delivered, such as `person record KEY of police`.

    A record is no longer delivered if it is not in `clusters`, which comes from `PublishedRun.read_clusters`. The text is empty if both
    records are delivered.
    """
    delivered = pd.MultiIndex.from_frame(clusters[["entity", *RECORD]].astype("str"))
    out = pd.Series("", index=pairs.index, dtype="str")
    for side in "ba":
        is_delivered = pd.MultiIndex.from_frame(pairs[["entity", f"institution_{side}", f"key_{side}"]].astype("str")).isin(delivered)
        record_names = pairs["entity"] + " record " + pairs[f"key_{side}"] + " of " + pairs[f"institution_{side}"]
        out = out.mask(~is_delivered, record_names)
    return out
