"""What a run changed, recomputed by hand."""

from __future__ import annotations

import dagster as dg
import pandas as pd

from pipelines import delivery_report, sensors

TOTALS = {"indicator": ["arrested", "arrested", "charged"], "period": ["2012", "2013", "2012"]}


def frame(values: list[int | None]) -> pd.DataFrame:
    return pd.DataFrame({**TOTALS, "harmonised": pd.array(values, dtype="Int64")})


def test_only_totals_that_differ_are_named() -> None:
    changed = delivery_report.find_changed_totals(frame([1, 2, None]), frame([1, 3, None]))
    assert changed.to_dict("records") == [{"indicator": "arrested", "period": "2013", "before": 2, "after": 3}]


def test_a_total_that_appears_or_is_no_longer_known_is_named() -> None:
    changed = delivery_report.find_changed_totals(frame([1, 2, 5]).head(2), frame([None, 2, 5]))
    assert [(row["indicator"], row["period"]) for row in changed.to_dict("records")] == [("arrested", "2012"), ("charged", "2012")]
    assert changed["before"].isna().tolist() == [False, True]
    assert changed["after"].isna().tolist() == [True, False]
    assert delivery_report.find_changed_totals(delivery_report.EMPTY_TOTALS, delivery_report.EMPTY_TOTALS).empty


def test_new_deliveries_are_reported_with_state_and_rows_and_the_incomplete_ones_in_a_tag() -> None:
    landed = pd.DataFrame({"institution": ["a", "a", "b"], "delivery": ["2013-Q1", "2013-Q2", "2013-Q1"], "new": [False, True, True]})
    states = landed[["institution", "delivery"]].assign(state=["complete", "partial", "unreadable"])
    accounting = pd.DataFrame(
        {
            "institution": ["a", "a", "a"],
            "delivery": ["2013-Q1", "2013-Q2", "2013-Q2"],
            "read": [9, 4, 3],
            "accepted": [9, 4, 1],
            "quarantined": [0, 0, 2],
        }
    )
    new = delivery_report.list_new_deliveries(landed, states, accounting)
    assert new.to_dict("list") == {
        "institution": ["a", "b"],
        "delivery": ["2013-Q2", "2013-Q1"],
        "state": ["partial", "unreadable"],
        "read": [7, 0],
        "accepted": [5, 0],
        "quarantined": [2, 0],
    }
    tags = delivery_report.make_run_tags(new, frame([1, 2, 3]))
    assert tags["harmonia/new_deliveries"] == "2"
    assert tags["harmonia/changed_yearly_totals"] == "3"
    assert tags[delivery_report.NOT_COMPLETE] == "a 2013-Q2 partial, b 2013-Q1 unreadable"
    assert delivery_report.NOT_COMPLETE not in delivery_report.make_run_tags(new.assign(state="complete"), frame([1, 2, 3]))


def test_an_incomplete_delivery_is_alerted_by_what_the_run_tagged(caplog) -> None:
    @dg.job(tags={delivery_report.NOT_COMPLETE: "police 2013-Q2 partial"})
    def received() -> None:
        pass

    with dg.DagsterInstance.ephemeral() as instance:
        run = received.execute_in_process(instance=instance)
        event = run.get_run_success_event()
        context = dg.build_run_status_sensor_context("incomplete_delivery", event, instance, run.dagster_run)
        sensors.incomplete_delivery(context)
    assert [record for record in caplog.records if "police 2013-Q2 partial" in record.message and record.name == "harmonia.alerts"]
