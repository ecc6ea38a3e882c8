"""Training with pairs that are known: they are added to the pairs found in the data, removed from them, or replace them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.linkage import training
from pipelines.linkage.model import ComparedField, load_linkage_model
from pipelines.linkage.standardise import LinkageRecords
from pipelines.linkage.training import LabelledPairs, train_model
from schemas.canonical import TABLES, conform

pytestmark = pytest.mark.slow  # several trainings
PERSONS = 60
NONE = np.empty((0, 2), dtype="int64")


def _canonical() -> dict[str, pd.DataFrame]:
    """Every person in a police and a prosecution record that agree in all but the given name, which agrees for the first half."""
    number = np.arange(PERSONS)
    birth = pd.Timestamp("1960-01-07") + pd.to_timedelta(number * 101, unit="D")
    one = pd.DataFrame({"record_key": [f"{n}/1" for n in number], "case_key": [str(n) for n in number]})
    one = one.assign(delivery="2013-Q1", status="accepted", surname_skeleton=[f"sur{chr(97 + n % 26)}{n}" for n in number])
    one = one.assign(birth_date=birth, birth_year=birth.year, given_skeleton=[f"given{n}" for n in number])
    one = one.assign(personal_number=[f"{1_000_000_007 + 7919 * n}" for n in number], number_valid=True, parent_skeleton="hasan")
    other = one.assign(given_skeleton=[f"given{n}" if n < PERSONS // 2 else f"xyzzy{n}" for n in number])
    both = pd.concat([one.assign(institution="police"), other.assign(institution="prosecution")], ignore_index=True)
    return {name: conform(name, both if name == "person_records" else pd.DataFrame()) for name in TABLES}


def _share_equal(fields: tuple[ComparedField, ...]) -> float:
    return next(field for field in fields if field.name == "given").levels[0].m


def _rows(records: LinkageRecords, numbers: range) -> np.ndarray:
    """Rows of both records of the persons named."""
    row = pd.Series(np.arange(len(records.persons)), index=records.persons["institution"] + " " + records.persons["record_key"])
    return np.array([[row[f"police {n}/1"], row[f"prosecution {n}/1"]] for n in numbers])


@pytest.fixture(autouse=True)
def _fewer_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "RANDOM_PAIRS", 2_000)


def test_pairs_judged_same_are_learned_from_and_those_judged_apart_are_not() -> None:
    sets, start = [_canonical()], load_linkage_model()
    everyone, late = range(PERSONS), range(PERSONS // 2, PERSONS)
    same = train_model(sets, start, lambda _, records: LabelledPairs(_rows(records, everyone), NONE))
    apart = train_model(sets, start, lambda _, records: LabelledPairs(_rows(records, everyone), _rows(records, late)[:, ::-1]))
    assert 0.4 < _share_equal(same.fields) < 0.7
    assert _share_equal(apart.fields) > 0.9


def test_a_complete_truth_replaces_the_other_pairs() -> None:
    sets, start = [_canonical()], load_linkage_model()
    halved = train_model(sets, start, lambda _, records: LabelledPairs(_rows(records, range(PERSONS // 2)), NONE, complete=True))
    assert _share_equal(halved.fields) > 0.9


def test_no_label_is_as_no_labels() -> None:
    sets, start = [_canonical()], load_linkage_model()
    assert train_model(sets, start, lambda _, __: LabelledPairs(NONE, NONE)).fields == train_model(sets, start).fields
