"""Findings with their state and answer, processed in batches: all together may exceed memory.

Belongs here: reading the batches from the lake and writing the result. Does not belong here: the state of a finding
(`harmonia.feedback.life`), the effect of an answer (`harmonia.feedback.answers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from harmonia.feedback.answers import applied
from harmonia.feedback.life import HELD, KEYS, Life, follow
from pipelines.resources import coded, lake, parquet
from pipelines.resources.lake import StoredOutput, Tables
from pipelines.resources.workplace import Workplace
from pipelines.units import add_units_by_record

_AT_A_TIME = 250_000  # findings
_PLACED = ("unit", "number")
_BY = ["institution", "severity", "state"]


class Lived(parquet.Stream):
    """The findings of `stages`, one below the other, then those that are gone. `counts`: how many of them by `_BY`, once all are given.

    records: the lineage of records whose findings came without unit. answers, key: as `harmonia.feedback.answers.applied` takes them.
    """

    def __init__(self, stages: Sequence[Tables], life: Life, records: pd.DataFrame, answers: pd.DataFrame, key: bytes) -> None:
        self._stages, self._life, self._records, self._answers, self._key = stages, life, records, answers, key
        self._counts: list[pd.Series] = []

    def __iter__(self) -> Iterator[pd.DataFrame]:
        first, gone = 0, []
        for found in (part for stage in self._stages for part in stage.batches("findings", _AT_A_TIME)):
            placed = add_units_by_record(found, self._records)
            yield self._answered(self._life.there(placed, first))
            turns = np.flatnonzero((self._life.gone >= first) & (self._life.gone < first + len(placed)))
            gone.append(placed.iloc[self._life.gone[turns] - first].set_axis(turns))
            first += len(placed)
        yield self._answered(self._life.fixed(pd.concat(gone).sort_index()))

    def _answered(self, lived: pd.DataFrame) -> pd.DataFrame:
        out = applied(lived, self._answers, self._key)
        self._counts.append(out.groupby(_BY).size())
        return out

    @property
    def counts(self) -> pd.DataFrame:
        """`_BY`, findings."""
        return pd.concat(self._counts).groupby(level=_BY).sum().rename("findings").reset_index()


def follow_all(
    workplace: Workplace, record_status: Tables, comparison: Tables, answers: pd.DataFrame, key: bytes
) -> tuple[StoredOutput, pd.DataFrame]:
    """Write `findings` into the lake: `harmonia.feedback.life.LIVED`, `answer` and `answer_id`. Returns where, and how many of which
    institution, severity and state."""
    stages = (record_status, comparison)
    found = coded.concatenate([stage.encoded("findings", [*KEYS, _PLACED[0]]) for stage in stages])
    records = coded.concatenate([record_status.encoded("lineage", [*HELD, *_PLACED])])
    lost = found.loc[found["unit"].isna() & found["record_key"].notna(), "record_key"].unique()
    placed = records.loc[
        records["unit"].notna() & records["record_key"].isin(lost), ["institution", "record_key", "part", *_PLACED]
    ].astype("str")
    lived = Lived(stages, follow(found, record_status["deliveries"], records), placed, answers, key)
    del found, records  # what is told of them is held by now
    made = StoredOutput(workplace.home.lake / "findings")
    lake.write(made.folder, {"findings": lived})
    return made, lived.counts
