"""Drift: shares of comparison levels against what the model expects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.linkage.drift import DRIFT_COLUMNS, compute_expected_shares, count_comparison_levels_of_linked_records, measure_drift
from pipelines.linkage.model import LinkageModel, load_linkage_model
from schemas.canonical import TABLES, conform

NAMES = ("arben", "besnik", "driton", "elira", "fatmir", "gezim", "hana", "ilir")


def _two_institutions(persons: int, shift: pd.Timedelta) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Every person in a police and a prosecution record; the police's birth dates of 2014-Q1 are off by `shift`."""
    number = np.arange(persons)
    late = number >= persons // 2
    birth = pd.Timestamp("1970-02-10") + pd.to_timedelta(number * 37, unit="D")
    one = pd.DataFrame(
        {
            "delivery": np.where(late, "2014-Q1", "2013-Q4"),
            "status": "accepted",
            "record_key": [f"{n}/1" for n in number],
            "case_key": [str(n) for n in number],
            "given_skeleton": [NAMES[n % len(NAMES)] for n in number],
            "surname_skeleton": [f"surname{n}" for n in number],
            "birth_date": birth,
            "birth_year": birth.year,
        }
    )
    police = one.assign(institution="police", role="suspect", birth_date=birth + pd.to_timedelta(late * shift.days, unit="D"))
    both = pd.concat([police, one.assign(institution="prosecution", role="defendant")], ignore_index=True)
    clusters = both[["institution", "record_key"]].assign(cluster=np.tile(number, 2))
    return {name: conform(name, both if name == "person_records" else pd.DataFrame()) for name in TABLES}, clusters


def _trained(canonical: dict[str, pd.DataFrame], clusters: pd.DataFrame) -> LinkageModel:
    model = load_linkage_model()
    return replace(model, expected=compute_expected_shares([count_comparison_levels_of_linked_records(canonical, clusters, model)], model))


def test_every_record_counts_once_for_a_field_that_it_and_another_know() -> None:
    canonical, clusters = _two_institutions(60, pd.Timedelta(0))
    counted = count_comparison_levels_of_linked_records(canonical, clusters, load_linkage_model())
    given = counted[(counted["field"] == "given") & (counted["institution"] == "police")]
    assert given.set_index("period")["n"].to_dict() == {"2013-Q4": 30.0, "2014-Q1": 30.0}
    assert set(given["level"]) == {"equal"}
    assert "parent" not in set(counted["field"])


def test_what_is_as_it_was_trained_does_not_alarm() -> None:
    canonical, clusters = _two_institutions(120, pd.Timedelta(0))
    model = _trained(canonical, clusters)
    found = measure_drift(count_comparison_levels_of_linked_records(canonical, clusters, model), model)
    assert tuple(found.columns) == DRIFT_COLUMNS
    assert len(found)
    assert not found["alarm"].any()


def test_a_quarter_with_shifted_birth_dates_alarms_there_and_in_that_field() -> None:
    model = _trained(*_two_institutions(120, pd.Timedelta(0)))
    canonical, clusters = _two_institutions(120, pd.Timedelta(1, "D"))
    alarms = measure_drift(count_comparison_levels_of_linked_records(canonical, clusters, model), model).query("alarm")
    assert set(alarms["period"]) == {"2014-Q1"}
    assert set(alarms["field"]) == {"birth"}
    assert "police" in set(alarms["institution"])


@pytest.mark.parametrize("records", [1, 19])
def test_a_handful_of_records_never_alarms(records: int) -> None:
    model = replace(load_linkage_model(), expected={"police": {"sex": (0.99, 0.01)}})
    counted = pd.DataFrame({"institution": ["police"], "period": "2014-Q1", "field": "sex", "level": "different", "n": [float(records)]})
    assert not measure_drift(counted, model)["alarm"].any()


def test_a_model_that_expects_nothing_says_nothing() -> None:
    canonical, clusters = _two_institutions(60, pd.Timedelta(1, "D"))
    model = replace(load_linkage_model(), expected={})
    assert measure_drift(count_comparison_levels_of_linked_records(canonical, clusters, model), model).empty


def test_nothing_linked_is_nothing_to_compare() -> None:
    canonical, clusters = _two_institutions(10, pd.Timedelta(0))
    apart = clusters.assign(cluster=range(len(clusters)))
    assert measure_drift(count_comparison_levels_of_linked_records(canonical, apart, load_linkage_model()), load_linkage_model()).empty
    assert measure_drift(count_comparison_levels_of_linked_records({}, clusters.iloc[:0], load_linkage_model()), load_linkage_model()).empty
