"""Common statistics of a history, which every decision uses: how frequent names are, how many records there are, the shares with which
evidence is weighed, and the share of persons who are in several cases.

Belongs here: choosing the records from which the statistics are estimated, so that the statistics rarely change. Does not belong here:
decisions.

The statistics of a small history are estimated from all its records. Those of a large history are estimated only from the periods up to a
landmark. To find the landmark, the person rows in the first versions of all periods are counted in order of time. The steps are
`FIRST_STEP` rows, and then always `STEP_FACTOR` times as many rows. The landmark is the period with which the count reached its highest
step so far. So the statistics, and the decisions on unchanged records, stay the same until the count reaches the next step, unless a period
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
    """The common statistics of a history.

    - `frequencies`: how frequent each name is
    - `counts`: the number of case files of each institution, and the number of person records under the name `persons`
    - `shares`: the shares with which dates and codes are weighed, for each round of linkage
    - `again`: the share of persons who are in several cases, for each round of linkage
    """

    frequencies: TokenFrequencies
    counts: dict[str, int]
    shares: tuple[EvidenceShares, ...]
    again: tuple[float, ...]


def count_case_files_and_persons(records: LinkageRecords) -> dict[str, int]:
    """Count the case files of each institution, and the person records (under the name `persons`). Prior odds depend on these counts."""
    files = {str(name): int(n) for name, n in records.files["institution"].value_counts().items()}
    return {**files, "persons": len(records.persons)}


@dataclass(frozen=True)
class EarlyHistory:
    """The part of a large history from which the common statistics are estimated: all periods that end at the day `until` or before it.

    rows: for each table, which of its rows are in this part. These are the rows in the first version of each period of an institution.
    Later changes of their status are ignored: all rows count as accepted, except quarantined ones.
    """

    rows: dict[str, np.ndarray]
    until: str

    def take_early_rows(self, tables: dict[str, pd.DataFrame]) -> Tables:
        """Return the rows of the early history, with the status that they had when they were first delivered.

        The complete tables are removed from `tables`, so that large tables are not in memory twice.
        """
        taken = {name: tables.pop(name)[rows] for name, rows in self.rows.items()}
        return {
            name: frame.assign(status=frame["status"].where(frame["status"].eq("quarantined"), "accepted").astype("str"))
            for name, frame in taken.items()
        }

    def hash_early_rows(self, tables: Tables) -> str:
        """Return a hash of the rows of the early history, which does not depend on the order of the rows."""
        digest = hashlib.sha256()
        for name, rows in sorted(self.rows.items()):
            frame = tables[name]
            hashes = hash_rows(frame.drop(columns="status").assign(quarantined=frame["status"].eq("quarantined")))[rows]
            digest.update(f"{name} {len(hashes)} {list(frame.columns)} {int(hashes.sum(dtype='uint64'))}\n".encode())
        return digest.hexdigest()


def find_early_part_of_history(canonical_tables: Tables) -> EarlyHistory | None:
    """Return the early part of a large history, from which the common statistics are estimated. Return None if the history is small.

    canonical_tables: the tables that `standardise.read_linkage_columns` returns.
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
    """Number the deliveries in `frame`. Return the number of the delivery of each row, and the numbered deliveries with the columns
    `institution` and `delivery`.
    """
    number, size = number_distinct_rows(frame[["institution", "delivery"]])
    return number, frame[["institution", "delivery"]].iloc[find_first_row_of_each_number(number, size, np.arange(len(frame)))].reset_index(
        drop=True
    )
