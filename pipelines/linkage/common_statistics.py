"""Statistics of the whole history that every decision uses: frequencies of names, counts, shares of evidence, share of persons in several
cases.

Belongs here: choosing the records from which the statistics are estimated, so that the statistics rarely change. Does not belong here:
decisions.

All records of a small history are used. Of a larger history only the records up to a landmark are used. The landmark is the period in which
the number of person rows, counting each period in its first version, reached the last step of a ladder (`FIRST_STEP`, each further step
half as much again). The statistics, and the decisions on unchanged records, stay identical until the next step is reached, unless a period
before the landmark arrives late. They depend only on the records, not on the time of arrival.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.evidence import EvidenceShares
from pipelines.linkage.hashing import hash_rows
from pipelines.linkage.record_states import find_first_row_of_each_number, list_deliveries_by_arrival, number_distinct_rows
from pipelines.linkage.score import TokenFrequencies
from pipelines.linkage.standardise import LinkageRecords

FIRST_STEP = 5_000
STEP_FACTOR = 1.5
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class CommonStatistics:
    """The statistics of a history.

    frequencies: of names. counts: of files by institution, and of `persons`. shares: of evidence, by round. again: the share of persons who
    are in several cases, by round.
    """

    frequencies: TokenFrequencies
    counts: dict[str, int]
    shares: tuple[EvidenceShares, ...]
    again: tuple[float, ...]


def count_case_files_and_persons(records: LinkageRecords) -> dict[str, int]:
    """Count the files of each institution and the person records (`persons`), for the prior odds."""
    files = {str(name): int(n) for name, n in records.files["institution"].value_counts().items()}
    return {**files, "persons": len(records.persons)}


@dataclass(frozen=True)
class EarlyHistory:
    """The rows of each table of a large history up to the day `until`, the last day of a delivered period.

    The first version of each period of an institution is used. Later changes of status are ignored: all rows count as accepted, except
    quarantined ones.
    """

    rows: dict[str, np.ndarray]
    until: str

    def take_early_rows(self, tables: dict[str, pd.DataFrame]) -> Tables:
        """Return the early rows as they were first delivered.

        The tables are removed from `tables`, so that large ones are not in memory twice.
        """
        taken = {name: tables.pop(name)[rows] for name, rows in self.rows.items()}
        return {
            name: frame.assign(status=frame["status"].where(frame["status"].eq("quarantined"), "accepted").astype("str"))
            for name, frame in taken.items()
        }

    def hash_early_rows(self, tables: Tables) -> str:
        """Return a hash of the rows that does not depend on their order."""
        digest = hashlib.sha256()
        for name, rows in sorted(self.rows.items()):
            frame = tables[name]
            hashes = hash_rows(frame.drop(columns="status").assign(quarantined=frame["status"].eq("quarantined")))[rows]
            digest.update(f"{name} {len(hashes)} {list(frame.columns)} {int(hashes.sum(dtype='uint64'))}\n".encode())
        return digest.hexdigest()


def find_early_part_of_history(canonical_tables: Tables) -> EarlyHistory | None:
    """Return the early part of a large history, or None if the history is small.

    canonical_tables: the tables of `standardise.read_linkage_columns`.
    """
    if len(canonical_tables["person_records"]) < FIRST_STEP:
        return None
    delivered = {name: _assign_delivery_numbers(frame) for name, frame in canonical_tables.items()}
    all_deliveries = pd.concat([deliveries for _, deliveries in delivered.values()]).drop_duplicates()
    calendar = list_deliveries_by_arrival([all_deliveries])
    all_deliveries = all_deliveries.assign(
        **{name: calendar[name].reindex(all_deliveries["delivery"]).array for name in ("period", "end", "arrival")}
    )
    first_versions = all_deliveries.sort_values("arrival").drop_duplicates(["institution", "period"])
    number, deliveries = delivered["person_records"]
    rows = deliveries.assign(rows=np.bincount(number, minlength=len(deliveries)))
    grown = first_versions.merge(rows, how="left").groupby("end")["rows"].sum().sort_index().cumsum()
    if grown.empty or grown.iloc[-1] < FIRST_STEP:
        return None
    step = FIRST_STEP * STEP_FACTOR ** math.floor(math.log(grown.iloc[-1] / FIRST_STEP, STEP_FACTOR) + 1e-9)
    until = grown.index[grown >= step][0]
    chosen = pd.MultiIndex.from_frame(first_versions.loc[first_versions["end"] <= until, ["institution", "delivery"]])
    rows_until = {name: pd.MultiIndex.from_frame(deliveries).isin(chosen)[number] for name, (number, deliveries) in delivered.items()}
    return EarlyHistory(rows_until, str(until.date()))


def _assign_delivery_numbers(frame: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Number the deliveries of `frame`. Return the number for each row, and the deliveries (`institution, delivery`)."""
    number, size = number_distinct_rows(frame[["institution", "delivery"]])
    return number, frame[["institution", "delivery"]].iloc[find_first_row_of_each_number(number, size, np.arange(len(frame)))].reset_index(
        drop=True
    )
