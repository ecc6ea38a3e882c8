"""Find out why figures of two releases differ: list every unit that counts differently, with its reason. The list is confidential.

Belongs here: distinguishing new records, corrected deliveries, review decisions and changed rules, unit by unit. Does not belong here:
what is public (`diff`), figures (`exact`).
The reason for an added, removed or changed unit is searched first among its own records, then among the other records of its case: a review
decision on a record of its person or case; a record that was delivered again, or withdrawn, by a correction; a record that was delivered
for the first time, or in a later state. If none of these records changed, the reason is a changed rule or model; if there is none either,
the records of other cases changed how this one is linked, and the most frequent change of records is the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

CORRECTED, NEW, REVIEW, RULE = "corrected_delivery", "new_records", "review", "changed_rule"
UNIT = ["indicator", "case_id", "person_id"]
COUNTED_AS = ["year", "quarter", "offence_group", "form", "sex", "age_group", "citizenship_group"]
RECORD = ["institution", "entity", "record_key"]
_PAIR = ["entity", "institution_a", "key_a", "institution_b", "key_b", "verdict"]


@dataclass(frozen=True)
class ReleaseSnapshot:
    """What is stored with a release for comparison: its tables `counted`, `records` and `judgements`, and the versions of the rules, code
    and models that were used."""

    counted: pd.DataFrame
    records: pd.DataFrame
    judgements: pd.DataFrame
    versions: Mapping[str, Any]


def find_units_counted_differently(old: ReleaseSnapshot, new: ReleaseSnapshot) -> pd.DataFrame:
    """Return the units that the two releases count differently in a year.

    Columns out: `UNIT`; `COUNTED_AS`: how the unit is counted; sign: -1 if the old release counts it so, 1 if the new release does; reason.
    """
    units = pd.concat([_select_yearly_units(old).assign(sign=-1), _select_yearly_units(new).assign(sign=1)], ignore_index=True)
    units["net"] = units.groupby([*UNIT, *COUNTED_AS], dropna=False)["sign"].transform("sum")
    changed = units[units["net"] != 0].drop(columns="net").reset_index(drop=True)
    return changed.assign(reason=_find_reasons_of_units(changed[UNIT], old, new))


def _select_yearly_units(snapshot: ReleaseSnapshot) -> pd.DataFrame:
    units = snapshot.counted[snapshot.counted["counts_in_year"].astype("bool")]
    day = pd.to_datetime(units["day"])
    units = units.assign(year=day.dt.year.astype("str"), quarter="Q" + day.dt.quarter.astype("str"))[[*UNIT, *COUNTED_AS]]
    return units.astype("str").fillna("").reset_index(drop=True)


def _find_reasons_of_units(units: pd.DataFrame, old: ReleaseSnapshot, new: ReleaseSnapshot) -> np.ndarray:
    """Return the reason for the change of each unit, in the order of `units`."""
    records = compare_records_of_releases(old, new)
    corrected, new_records = records[records["kind"] == CORRECTED], records[records["kind"] == NEW]
    rules = [
        (_are_records_of_units_among(units, records[records["judged"]]), REVIEW),
        (_are_records_of_units_among(units, corrected), CORRECTED),
        (_are_records_of_units_among(units, new_records), NEW),
        (_have_units_record_in_case(units, corrected), CORRECTED),
        (_have_units_record_in_case(units, new_records), NEW),
        (units["indicator"].isin(find_indicators_with_changed_rules(old.versions, new.versions)), RULE),
    ]
    # The remaining units changed because other records are now linked differently: the most frequent change.
    kinds = records.loc[records["kind"] != "", "kind"]
    most_frequent = kinds.mode().iloc[0] if len(kinds) else RULE
    return np.select([applies.to_numpy() for applies, _ in rules], [reason for _, reason in rules], default=most_frequent)


def compare_records_of_releases(old: ReleaseSnapshot, new: ReleaseSnapshot) -> pd.DataFrame:
    """Return the records of both releases. Columns out: `RECORD`; kind: how the record changed (empty if it did not); judged: whether
    judgements on the record, or on its case or person, changed; and its delivery and its ids in both releases."""
    columns = [*RECORD, "case_id", "person_id", "delivery"]
    sides = [s.records[columns].astype("str").fillna("").drop_duplicates(RECORD, keep="last") for s in (old, new)]
    both = sides[0].merge(sides[1], on=RECORD, how="outer", suffixes=("_old", "_new")).fillna("")
    before, after = both["delivery_old"], both["delivery_new"]
    # Withdrawn by a correction: the state of an earlier quarter is current again.
    is_correction = after.str.contains("_v") | (after == "") | (after < before)
    both["kind"] = np.select([before == after, is_correction], ["", CORRECTED], default=NEW)
    both["judged"] = _are_records_affected_by_judgements(both, old, new)
    return both


def _are_records_affected_by_judgements(records: pd.DataFrame, old: ReleaseSnapshot, new: ReleaseSnapshot) -> pd.Series:
    """Return for each record whether its case or person, in either release, contains a record about which the judgements of the two
    releases differ."""
    changed_pairs = pd.concat([s.judgements[_PAIR].astype("str") for s in (old, new)]).drop_duplicates(keep=False)
    ends = [
        changed_pairs[["entity", f"institution_{s}", f"key_{s}"]].set_axis(["entity", "institution", "record_key"], axis=1) for s in "ab"
    ]
    keys = pd.MultiIndex.from_frame(pd.concat(ends)[RECORD]) if len(changed_pairs) else pd.MultiIndex.from_tuples([], names=RECORD)
    judged_records = records[pd.MultiIndex.from_frame(records[RECORD]).isin(keys)]
    ids = {v for column in ("person_id_old", "person_id_new") for v in judged_records[column] if v}
    ids |= {v for column in ("case_id_old", "case_id_new") for v in judged_records.loc[judged_records["entity"] == "case", column] if v}
    columns = ["person_id_old", "person_id_new", "case_id_old", "case_id_new"]
    return records[columns].isin(ids).any(axis=1)


def _collect_ids_of_records(records: pd.DataFrame, name: str) -> set[str]:
    """Return the ids that the records have in either release."""
    return {v for side in ("old", "new") for v in records[f"{name}_{side}"] if v}


def _are_records_of_units_among(units: pd.DataFrame, records: pd.DataFrame) -> pd.Series:
    """Return for each unit whether one of `records` is its own. The own records of a unit are the records of its person and the case
    records of its case."""
    return units["person_id"].isin(_collect_ids_of_records(records, "person_id")) | units["case_id"].isin(
        _collect_ids_of_records(records[records["entity"] == "case"], "case_id")
    )


def _have_units_record_in_case(units: pd.DataFrame, records: pd.DataFrame) -> pd.Series:
    """Return for each unit whether one of `records` belongs to its case."""
    return units["case_id"].isin(_collect_ids_of_records(records, "case_id"))


def find_indicators_with_changed_rules(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """Return the indicators whose figures may differ because a rule, a code list, the program's code or the model changed. old, new: the
    versions that the two releases used."""
    indicators, parts = set(new["indicators"]), set(new["code"]) - {"disclosure"}
    if any(old["code"].get(part) != new["code"][part] for part in parts) or old.get("model") != new.get("model"):
        return indicators
    return {code for code in indicators if old["indicators"].get(code) != new["indicators"].get(code)}


def list_records_of_changed_units(units: pd.DataFrame, old: ReleaseSnapshot, new: ReleaseSnapshot) -> pd.DataFrame:
    """Return the records of changed units, one row per unit and record. Columns out: `UNIT`, reason, `RECORD`."""
    sides = [s.records[[*RECORD, "case_id", "person_id"]].astype("str").fillna("") for s in (old, new)]
    records = pd.concat(sides).drop_duplicates()
    persons = units[units["person_id"] != ""].merge(records[records["entity"] == "person"], on=["case_id", "person_id"])
    cases = units[units["person_id"] == ""].merge(records[records["entity"] == "case"].drop(columns="person_id"), on="case_id")
    return pd.concat([persons, cases])[[*UNIT, "reason", *RECORD]].drop_duplicates().reset_index(drop=True)
