"""The lifecycle of a finding over an institution's deliveries: new, remains, reopened, fixed.

Belongs here: the state of each finding from one delivery to the next.
Does not belong here: which findings of two deliveries are the same (`same`), what the institution answered (`answers`).

A delivery *shows* a finding to be fixed where it could contain it and does not: it is complete and replaces the version before, or contains
the record again, or, for a finding on a whole file, is complete. A record that is not delivered again shows nothing: its finding remains.
All deliveries are evaluated in the order of quarter and version; the order of arrival does not matter.

A *moment* is one identity in one delivery, present or shown to be fixed, coded as one number: sorted moments are the lifecycle of one
identity after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harmonia.feedback.same import FindingIdentities, identify_findings, identity_names
from pipelines.resources import coded
from pipelines.resources.flat import concatenate_ranges, distinct_numbers, is_run_start
from schemas.findings import COLUMNS, NUMBERS
from sources.contract import DeliveryName, record_tables

STATES = ("new", "remains", "reopened", "fixed", "accepted_as_is")
LIVED = (*COLUMNS, "state", "finding", "since")
KEYS = ("institution", "delivery", "file", "part", "line", "record_key", "field", "rule", "severity", "value")
"""The columns of a finding that determine its lifecycle."""
HELD = ("institution", "delivery", "part", "record_key", "status")
"""The columns of the lineage that tell which delivery contains a record."""
_TYPES = {column: "Int64" if column in NUMBERS else "str" for column in LIVED}


@dataclass(frozen=True)
class FindingLives:
    """The state of each finding, by row, and the fixed findings. Deliveries are indices into `deliveries`.

    state, since, name  of each finding: index into `STATES`; the delivery in which it first appeared, -1 where unknown; index of its name
                        in `named`
    gone                rows of the last occurrence of each fixed finding; gone_by: the deliveries that show it; gone_since
    """

    state: np.ndarray
    since: np.ndarray
    name: np.ndarray
    named: pd.Index
    gone: np.ndarray
    gone_by: np.ndarray
    gone_since: np.ndarray
    deliveries: pd.Index

    def there(self, findings: pd.DataFrame, first: int = 0) -> pd.DataFrame:
        """Return some of the findings with their state (`LIVED`). first: row number of the first of `findings` among all findings."""
        rows = slice(first, first + len(findings))
        since = pd.Series(self.deliveries.take(self.since[rows], fill_value=np.nan), index=findings.index)
        state = pd.Index(STATES, dtype="str").take(self.state[rows])
        out = findings.assign(state=state, finding=self.named.take(self.name[rows]), since=since.fillna(findings["delivery"]))
        return out[list(LIVED)].astype(_TYPES)

    def fixed(self, findings: pd.DataFrame) -> pd.DataFrame:
        """Return the rows with state `fixed` (`LIVED`). findings: the rows `gone`."""
        blank = pd.Series(pd.NA, index=findings.index, dtype="Int64")
        by, since = self.deliveries.take(self.gone_by), self.deliveries.take(self.gone_since)
        out = findings.assign(delivery=by, line=blank, column=blank, detail=None, state="fixed", since=since)
        return out.assign(finding=self.named.take(self.name[self.gone]))[list(LIVED)].astype(_TYPES)


def states_of_findings(findings: pd.DataFrame, deliveries: pd.DataFrame, records: pd.DataFrame | None = None) -> pd.DataFrame:
    """The findings with their state, and a row for each fixed one (`LIVED`).

    findings    `schemas.findings.COLUMNS`, all deliveries of any number of institutions
    deliveries  `institution`, `delivery`, and `state` (complete, partial, unreadable; complete where the column is absent), all deliveries
    records     `institution`, `delivery`, `part`, `record_key`, `status`: the lineage. Without it only a replaced version fixes a finding
                on a record.

    Returns the findings in their order with `state`: `new`; `remains` (present when the record was last delivered); `reopened` (present
    earlier, but not when the record was last delivered); `finding`, its name over all deliveries; `since`, the delivery in which it first
    appeared. Then rows with state `fixed`: a warning or worse that is fixed, in the first delivery that shows it, without line.
    Source: docs/reference/counting-rules.md, `findings`.
    """
    every = findings.reset_index(drop=True)
    keys = every[list(KEYS)].astype({name: _TYPES[name] for name in KEYS})
    held = None if records is None else coded.concatenate([coded.encode_frame(records[list(HELD)].astype("str"))])
    lived = follow_findings(coded.concatenate([coded.encode_frame(keys)]), deliveries, held)
    return pd.concat([lived.there(every), lived.fixed(every.iloc[lived.gone])], ignore_index=True)


def follow_findings(findings: pd.DataFrame, deliveries: pd.DataFrame, records: pd.DataFrame | None) -> FindingLives:
    """The lifecycle of findings (`KEYS`) given the records (`HELD`), both with coded texts (`pipelines.resources.coded`)."""
    order, same = _order_deliveries(deliveries), identify_findings(findings)
    at, many = _delivery_positions(findings, order), max(len(order), 1)
    known = at >= 0
    present = same.of[known] * many + at[known]
    moments, there = _moments_of_identities(distinct_numbers(present), findings, same, order, records)
    identity, delivery = np.divmod(moments, many)
    new = is_run_start(identity)
    was = np.append(False, there)[: len(there)] & ~new
    since = delivery[np.maximum.accumulate(np.where(there & ~was, np.arange(len(moments)), 0))]
    row = np.searchsorted(moments, present)
    state = np.where(new, STATES.index("new"), np.where(was, STATES.index("remains"), STATES.index("reopened")))
    gone, last = _fixed_moments(there, was, row, np.flatnonzero(known), findings)
    turns = np.lexsort((identity[gone], order["_turn"].to_numpy()[delivery[gone]]))
    gone, last = gone[turns], last[turns]
    return FindingLives(
        state=_fill_known(state[row], known, STATES.index("new")),
        since=_fill_known(since[row], known, -1),
        name=same.of,
        named=identity_names(findings, same),
        gone=last,
        gone_by=delivery[gone],
        gone_since=since[gone],
        deliveries=pd.Index(order["delivery"]),
    )


def _fill_known(values: np.ndarray, known: np.ndarray, otherwise: int) -> np.ndarray:
    """Place `values` where `known` is true, and `otherwise` elsewhere."""
    out = np.full(len(known), otherwise, dtype="int32")
    out[known] = values
    return out


def _fixed_moments(
    there: np.ndarray, was: np.ndarray, row: np.ndarray, rows: np.ndarray, findings: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Moments that show a warning or worse to be fixed, and the row of its last occurrence.

    row: the moment of each of the findings `rows`.
    """
    asks = np.append(findings["severity"].cat.categories != "info", True)[coded.text_codes(findings["severity"])[rows]]
    first = np.full(len(there), -1)
    first[row[asks][::-1]] = rows[asks][::-1]
    gone = np.flatnonzero(~there & was)
    last = first[gone - 1]
    return gone[last >= 0], last[last >= 0]


def _order_deliveries(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Deliveries with a readable name, by institution and turn: institution, delivery, `_turn` (0, 1, …), `_complete`, `_replaces`
    (complete, and a version of the quarter of the one before)."""
    frame = deliveries.drop_duplicates(["institution", "delivery"]).reset_index(drop=True)
    frame = frame.assign(state=frame.get("state", "complete")).astype({"institution": "str", "delivery": "str", "state": "str"})
    names = {text: name for text in frame["delivery"].unique() if (name := DeliveryName.parse(text))}
    frame = frame[frame["delivery"].isin(list(names))]
    frame = frame.assign(
        _period=frame["delivery"].map({text: name.period for text, name in names.items()}),
        _version=frame["delivery"].map({text: name.version for text, name in names.items()}),
    ).sort_values(["institution", "_period", "_version"], ignore_index=True)
    by = frame.groupby("institution")
    frame["_turn"] = by.cumcount().astype("int64")
    frame["_complete"] = frame["state"] == "complete"
    frame["_replaces"] = frame["_complete"] & (by["_period"].shift() == frame["_period"])
    return frame[["institution", "delivery", "_turn", "_complete", "_replaces"]]


def _delivery_positions(rows: pd.DataFrame, order: pd.DataFrame) -> np.ndarray:
    """For each row (institution, delivery, coded) the index of its delivery in `order`, -1 where unknown."""
    institutions, deliveries = rows["institution"].cat.categories, rows["delivery"].cat.categories
    place = np.full((len(institutions) + 1, len(deliveries) + 1), -1)
    here = institutions.get_indexer(pd.Index(order["institution"])), deliveries.get_indexer(pd.Index(order["delivery"]))
    place[here] = np.arange(len(order))
    place[-1], place[:, -1] = -1, -1  # for missing codes
    return place[coded.text_codes(rows["institution"]), coded.text_codes(rows["delivery"])]


def _moments_of_identities(
    present: np.ndarray, findings: pd.DataFrame, same: FindingIdentities, order: pd.DataFrame, records: pd.DataFrame | None
) -> tuple[np.ndarray, np.ndarray]:
    """The sorted moments of all identities, and whether the finding was present.

    present: the sorted moments at which it was present. A finding cannot be fixed before it was present.
    """
    many = max(len(order), 1)
    first = np.full(len(same), many)
    identity, delivery = np.divmod(present, many)
    new = is_run_start(identity)
    first[identity[new]] = delivery[new]
    next_replaces = np.append(order["_replaces"].to_numpy(dtype=bool), False)[1:]
    shown = [
        _moments_of_whole_files(findings, same, order),
        present[next_replaces[delivery]] + 1,
        _moments_read_again(findings, same, order, records),
    ]
    could = np.concatenate(shown)
    could = could[could % many >= first[could // many]]
    every = distinct_numbers(np.concatenate([present * 2, could * 2 + 1]))
    every = every[is_run_start(every // 2)]
    return every // 2, every % 2 == 0


def _moments_of_whole_files(findings: pd.DataFrame, same: FindingIdentities, order: pd.DataFrame) -> np.ndarray:
    """Return the moments of findings on whole files (in complete deliveries) and on whole deliveries (in any delivery)."""
    of_whole = np.flatnonzero(same.whole)
    institution = findings["institution"].iloc[same.first[of_whole]].astype("str").array
    asked = pd.DataFrame({"identity": of_whole, "institution": institution, "any": same.cells["file"][of_whole] < 0})
    both = asked.merge(order.assign(place=range(len(order))), on="institution")
    both = both[both["_complete"] | both["any"]]
    return (both["identity"] * len(order) + both["place"]).to_numpy(dtype="int64")


def _moments_read_again(findings: pd.DataFrame, same: FindingIdentities, order: pd.DataFrame, records: pd.DataFrame | None) -> np.ndarray:
    """Moments of deliveries in which the record of an identity was read; for a charge, the party's record."""
    if records is None or order.empty:
        return np.empty(0, dtype="int64")
    place = _delivery_positions(records, order)
    read = (place >= 0) & (records["status"] != "quarantined").to_numpy()
    institution, key = (coded.codes_in_column(records[name], findings[name])[read] for name in ("institution", "record_key"))
    part = coded.text_codes(records["part"])[read]
    parts, keys = len(records["part"].cat.categories) + 1, len(findings["record_key"].cat.categories)
    own = np.zeros((len(findings["institution"].cat.categories) + 1, parts), dtype=bool)
    own[institution, part] = True

    def number(institution: np.ndarray, key: np.ndarray, part: np.ndarray) -> np.ndarray:
        return (institution.astype("int64") * keys + key) * parts + part + 1

    spoken = (institution >= 0) & (key >= 0)
    institution, key, part, place = institution[spoken], key[spoken], part[spoken], place[read][spoken]
    held = np.concatenate([number(institution, key, np.full_like(part, -1)), number(institution, key, part)])
    asked = np.flatnonzero(same.cells["record_key"] >= 0)
    institution, key, part = (same.cells[name][asked] for name in ("institution", "record_key", "part"))
    part = _parts_of_records(findings, records)[institution, part]
    wanted = number(institution, key, np.where(own[institution, part], part, -1))
    return _moments_of_records(asked, wanted, distinct_numbers(held * len(order) + np.tile(place, 2)), len(order))


def _parts_of_records(findings: pd.DataFrame, records: pd.DataFrame) -> np.ndarray:
    """By institution and part of findings (coded): the part of `records` that contains their records, -1 where parts are no tables."""
    names, tables, held = (frame.cat.categories for frame in (findings["institution"], findings["part"], records["part"]))
    found = np.full((len(names) + 1, len(tables) + 1), -1)
    for (name, table), of_records in record_tables().items():
        if name in names and table in tables and of_records in held:
            found[names.get_loc(name), tables.get_loc(table)] = held.get_loc(of_records)
    return found


def _moments_of_records(asked: np.ndarray, wanted: np.ndarray, held: np.ndarray, many: int) -> np.ndarray:
    """Moments of the identities `asked` in the deliveries that contain their records `wanted`. held: record × `many` + delivery, sorted."""
    first, end = np.searchsorted(held, wanted * many), np.searchsorted(held, (wanted + 1) * many)
    return np.repeat(asked * many, end - first) + held[concatenate_ranges(first, end - first)] % many
