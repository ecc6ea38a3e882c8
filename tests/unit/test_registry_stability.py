"""Comparing the ids and the groups of two runs."""

from __future__ import annotations

import pandas as pd

from harmonia.registry.stability import compare_record_ids, find_records_in_changed_clusters


def _ids(**groups: str) -> pd.DataFrame:
    return pd.DataFrame({"institution": "police", "record_key": list(groups), "person_id": list(groups.values())})


def test_an_id_is_kept_as_it_is_or_through_its_redirect() -> None:
    before, after = _ids(a="P1", b="P2", c="P3", gone="P4"), _ids(a="P1", b="P1", c="P9", new="P1")
    found = compare_record_ids(before, after, pd.Series(["P1", "P1", "P3", "P4"]))
    assert (found.records, found.same, found.redirected) == (3, 1, 1)
    assert found.share_with_known_id == 2 / 3
    assert found.share_with_same_id == 1 / 3


def test_no_record_known_before_means_that_nothing_was_lost() -> None:
    found = compare_record_ids(_ids(), _ids(a="P1"), pd.Series([], dtype="str"))
    assert found.share_with_known_id == 1.0


def test_groups_are_the_same_whatever_they_are_called() -> None:
    assert find_records_in_changed_clusters(_ids(a="1", b="1", c="2"), _ids(c="x", a="y", b="y")).empty


def test_records_in_other_company_or_on_one_side_only_are_reported() -> None:
    found = find_records_in_changed_clusters(_ids(a="1", b="1", c="2", d="3"), _ids(a="1", b="2", c="2"))
    assert sorted(found["record_key"]) == ["a", "b", "c", "d"]
