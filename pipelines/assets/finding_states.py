"""Findings with their state (new, remaining, fixed) and the institution's answer.

They are processed in batches, since all of them together may exceed the memory. Belongs here: reading the batches from the lake and writing
the result. Does not belong here: the state of a finding (`harmonia.feedback.finding_states`), the effect of an answer
(`harmonia.feedback.answers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from harmonia.feedback.answers import apply_answers
from harmonia.feedback.finding_states import HELD, KEYS, FindingLifecycles, determine_lifecycles
from pipelines.resources import encoded_texts, lake, parquet
from pipelines.resources.lake import StoredOutput, Tables
from pipelines.resources.workplace import Workplace
from pipelines.units import add_units_by_record

_BATCH_ROWS = 250_000
_UNIT_COLUMNS = ("unit", "number")
_GROUP_BY = ["institution", "severity", "state"]


class FindingStates(parquet.BatchStream):
    """A stream that yields the open findings of `stages`, in their order, and then the fixed findings.

    After the last batch, `counts` has the number of findings. `records_with_units` has the lineage of the records from which findings
    without a unit get their unit. `answers` and `pseudonym_key` are parameters of `harmonia.feedback.answers.apply_answers`.
    """

    def __init__(
        self,
        stages: Sequence[Tables],
        lifecycles: FindingLifecycles,
        records_with_units: pd.DataFrame,
        answers: pd.DataFrame,
        pseudonym_key: bytes,
    ) -> None:
        self._stages, self._life, self._records, self._answers, self._key = stages, lifecycles, records_with_units, answers, pseudonym_key
        self._counts: list[pd.Series] = []

    def __iter__(self) -> Iterator[pd.DataFrame]:
        first, fixed = 0, []
        for findings in (part for stage in self._stages for part in stage.iterate_batches("findings", _BATCH_ROWS)):
            with_unit = add_units_by_record(findings, self._records)
            yield self._add_answers(self._life.add_states(with_unit, first))
            positions = np.flatnonzero((self._life.gone >= first) & (self._life.gone < first + len(with_unit)))
            fixed.append(with_unit.iloc[self._life.gone[positions] - first].set_axis(positions))
            first += len(with_unit)
        yield self._add_answers(self._life.make_fixed_rows(pd.concat(fixed).sort_index()))

    def _add_answers(self, states: pd.DataFrame) -> pd.DataFrame:
        out = apply_answers(states, self._answers, self._key)
        self._counts.append(out.groupby(_GROUP_BY).size())
        return out

    @property
    def counts(self) -> pd.DataFrame:
        """The number of findings by institution, severity and state. Columns: those of `_GROUP_BY`, and findings."""
        return pd.concat(self._counts).groupby(level=_GROUP_BY).sum().rename("findings").reset_index()


def write_finding_states(
    workplace: Workplace, record_status: Tables, comparison: Tables, answers: pd.DataFrame, pseudonym_key: bytes
) -> tuple[StoredOutput, pd.DataFrame]:
    """Write the table `findings` into the lake. Its columns are `harmonia.feedback.finding_states.COLUMNS_WITH_STATE`, `answer` and
    `answer_id`.

    Return the stored output, and the number of findings by institution, severity and state.
    """
    stages = (record_status, comparison)
    findings = encoded_texts.concatenate_encoded_tables(
        [stage.read_encoded_columns("findings", [*KEYS, _UNIT_COLUMNS[0]]) for stage in stages]
    )
    records = encoded_texts.concatenate_encoded_tables([record_status.read_encoded_columns("lineage", [*HELD, *_UNIT_COLUMNS])])
    without_unit = findings.loc[findings["unit"].isna() & findings["record_key"].notna(), "record_key"].unique()
    with_unit = records.loc[
        records["unit"].notna() & records["record_key"].isin(without_unit), ["institution", "record_key", "part", *_UNIT_COLUMNS]
    ].astype("str")
    states = FindingStates(stages, determine_lifecycles(findings, record_status["deliveries"], records), with_unit, answers, pseudonym_key)
    del findings, records  # free memory: `states` has what it needs
    output = StoredOutput(workplace.home.lake / "findings")
    lake.write_tables(output.folder, {"findings": states})
    return output, states.counts
