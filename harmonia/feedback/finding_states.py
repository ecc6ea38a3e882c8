"""The lifecycle of findings over an institution's deliveries: new, remains, reopened, fixed.

Belongs here: the state of each finding in each delivery. Does not belong here: which findings of two deliveries are the same
(`finding_identity`), what the institution answered (`answers`).

A delivery shows that a finding is fixed if it could contain the finding but does not. This is so if the delivery is complete and replaces
the version before it, if it contains the record again, or, for a finding on a whole file, if the delivery is complete. If a record is not
delivered again, its finding remains. Deliveries are evaluated in the order of period and version; the order in which they arrived does
not matter.

An identity is one finding over all deliveries (`finding_identity`). A moment is the combination of an identity and a delivery, if the
delivery contains the finding or shows that it is fixed. A moment is encoded as one number: identity × number of deliveries + delivery. So
if moments are sorted, the lifecycle of one identity follows that of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harmonia.feedback.finding_identity import FindingIdentities, compute_identity_names, identify_findings
from pipelines.resources import encoded_texts
from pipelines.resources.integer_arrays import concatenate_ranges, find_distinct_numbers, is_first_of_equal_numbers
from schemas.findings import COLUMNS, NUMBER_COLUMNS
from sources.contract import DeliveryName, record_tables

STATES = ("new", "remains", "reopened", "fixed", "accepted_as_is")
COLUMNS_WITH_STATE = (*COLUMNS, "state", "finding", "since")
KEYS = ("institution", "delivery", "file", "part", "line", "record_key", "field", "rule", "severity", "value")
"""The columns of findings from which their lifecycle is determined."""
HELD = ("institution", "delivery", "part", "record_key", "status")
"""The columns of the lineage from which it follows which deliveries contain a record."""
_TYPES = {column: "Int64" if column in NUMBER_COLUMNS else "str" for column in COLUMNS_WITH_STATE}


@dataclass(frozen=True)
class FindingLifecycles:
    """The states of findings, as arrays. Deliveries are given by their position in `deliveries`.

    For each finding that was delivered:
    state       position of its state in `STATES`
    since       the delivery in which the finding first appeared, -1 if unknown
    name        position of its name in `named`
    For each finding that was fixed:
    gone        row number of its last occurrence among the findings
    gone_by     the first delivery that shows that the finding is fixed
    gone_since  the delivery in which the finding first appeared
    """

    state: np.ndarray
    since: np.ndarray
    name: np.ndarray
    named: pd.Index
    gone: np.ndarray
    gone_by: np.ndarray
    gone_since: np.ndarray
    deliveries: pd.Index

    def add_states(self, findings: pd.DataFrame, first: int = 0) -> pd.DataFrame:
        """Add their state to consecutive findings. first: row number of the first of them among all findings. Columns out:
        `COLUMNS_WITH_STATE`."""
        rows = slice(first, first + len(findings))
        since = pd.Series(self.deliveries.take(self.since[rows], fill_value=np.nan), index=findings.index)
        state = pd.Index(STATES, dtype="str").take(self.state[rows])
        out = findings.assign(state=state, finding=self.named.take(self.name[rows]), since=since.fillna(findings["delivery"]))
        return out[list(COLUMNS_WITH_STATE)].astype(_TYPES)

    def make_fixed_rows(self, findings: pd.DataFrame) -> pd.DataFrame:
        """Make the rows with state `fixed`. findings: the rows `gone` of the findings. Columns out: `COLUMNS_WITH_STATE`."""
        blank = pd.Series(pd.NA, index=findings.index, dtype="Int64")
        by, since = self.deliveries.take(self.gone_by), self.deliveries.take(self.gone_since)
        out = findings.assign(delivery=by, line=blank, column=blank, detail=None, state="fixed", since=since)
        return out.assign(finding=self.named.take(self.name[self.gone]))[list(COLUMNS_WITH_STATE)].astype(_TYPES)


def determine_finding_states(findings: pd.DataFrame, deliveries: pd.DataFrame, lineage: pd.DataFrame | None = None) -> pd.DataFrame:
    """Determine the state of each finding, and add a row for each fixed one. Columns out: `COLUMNS_WITH_STATE`.

    findings    the findings, with the columns `schemas.findings.COLUMNS`, of all deliveries of any number of institutions
    deliveries  all deliveries, with institution, delivery and state (complete, partial, unreadable; without this column all count as
                complete)
    lineage     in which deliveries records are, with institution, delivery, part, record_key and status. Without it, a finding on a
                record is fixed only by a delivery that replaces the version before it
    The result has first the given findings, in their order, and then the fixed ones. A given finding is `new`; or `remains`, if it was
    also present when the record was last delivered; or `reopened`, if it was present earlier, but not when the record was last delivered.
    Its column `finding` is its name over all deliveries, and `since` is the delivery in which it first appeared. A finding that was a
    warning or worse gets a row with the state `fixed`, without a line number, in the first delivery that shows that it is fixed. Source:
    docs/reference/counting-rules.md, `findings`.
    """
    every = findings.reset_index(drop=True)
    keys = every[list(KEYS)].astype({name: _TYPES[name] for name in KEYS})
    record_codes = (
        None
        if lineage is None
        else encoded_texts.concatenate_encoded_tables([encoded_texts.encode_texts_of_frame(lineage[list(HELD)].astype("str"))])
    )
    lived = determine_lifecycles(
        encoded_texts.concatenate_encoded_tables([encoded_texts.encode_texts_of_frame(keys)]), deliveries, record_codes
    )
    return pd.concat([lived.add_states(every), lived.make_fixed_rows(every.iloc[lived.gone])], ignore_index=True)


def determine_lifecycles(findings: pd.DataFrame, deliveries: pd.DataFrame, lineage: pd.DataFrame | None) -> FindingLifecycles:
    """Determine the lifecycles of findings.

    findings: the findings, with the columns `KEYS`. deliveries: as in `determine_finding_states`. lineage: a frame with the columns
    `HELD`, or None. The texts of findings and lineage are encoded (`pipelines.resources.encoded_texts`).
    """
    order, same = _order_deliveries(deliveries), identify_findings(findings)
    at, many = _find_delivery_positions(findings, order), max(len(order), 1)
    known = at >= 0
    present = same.of[known] * many + at[known]
    moments, there = _find_moments_of_identities(find_distinct_numbers(present), findings, same, order, lineage)
    identity, delivery = np.divmod(moments, many)
    new = is_first_of_equal_numbers(identity)
    was = np.append(False, there)[: len(there)] & ~new
    since = delivery[np.maximum.accumulate(np.where(there & ~was, np.arange(len(moments)), 0))]
    row = np.searchsorted(moments, present)
    state = np.where(new, STATES.index("new"), np.where(was, STATES.index("remains"), STATES.index("reopened")))
    gone, last = _find_moments_of_fixing(there, was, row, np.flatnonzero(known), findings)
    turns = np.lexsort((identity[gone], order["_turn"].to_numpy()[delivery[gone]]))
    gone, last = gone[turns], last[turns]
    return FindingLifecycles(
        state=_place_values_in_marked_cells(state[row], known, STATES.index("new")),
        since=_place_values_in_marked_cells(since[row], known, -1),
        name=same.of,
        named=compute_identity_names(findings, same),
        gone=last,
        gone_by=delivery[gone],
        gone_since=since[gone],
        deliveries=pd.Index(order["delivery"]),
    )


def _place_values_in_marked_cells(values: np.ndarray, is_marked: np.ndarray, default_value: int) -> np.ndarray:
    """Return an array with `values`, in their order, where `is_marked` is true, and `default_value` everywhere else."""
    out = np.full(len(is_marked), default_value, dtype="int32")
    out[is_marked] = values
    return out


def _find_moments_of_fixing(
    is_present: np.ndarray, was_present: np.ndarray, moment_positions: np.ndarray, finding_rows: np.ndarray, findings: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Find the moments at which findings are fixed.

    Returns these moments, and for each the row number of the last occurrence of its finding. Only findings that were a warning or worse
    are considered. is_present: for each moment, whether the finding is present. was_present: for each moment, whether the finding was
    present at its previous moment. finding_rows: row numbers of findings. moment_positions: for each of these findings, the position of
    its moment.
    """
    asks = np.append(findings["severity"].cat.categories != "info", True)[encoded_texts.get_text_codes(findings["severity"])[finding_rows]]
    first = np.full(len(is_present), -1)
    first[moment_positions[asks][::-1]] = finding_rows[asks][::-1]
    gone = np.flatnonzero(~is_present & was_present)
    last = first[gone - 1]
    return gone[last >= 0], last[last >= 0]


def _order_deliveries(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Sort the deliveries with a valid name by institution, period and version.

    Columns out: institution; delivery; _turn, the number of the delivery within its institution (0, 1, …); _complete; _replaces, whether
    the delivery is complete and is a later version for the same period as the delivery before it.
    """
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


def _find_delivery_positions(rows: pd.DataFrame, ordered_deliveries: pd.DataFrame) -> np.ndarray:
    """Return for each row the position of its delivery in `ordered_deliveries`; -1 if it is not there.

    rows: a frame with the columns institution and delivery, whose texts are encoded.
    """
    institutions, deliveries = rows["institution"].cat.categories, rows["delivery"].cat.categories
    position = np.full((len(institutions) + 1, len(deliveries) + 1), -1)
    cells = (
        institutions.get_indexer(pd.Index(ordered_deliveries["institution"])),
        deliveries.get_indexer(pd.Index(ordered_deliveries["delivery"])),
    )
    position[cells] = np.arange(len(ordered_deliveries))
    position[-1], position[:, -1] = -1, -1  # for missing codes
    return position[encoded_texts.get_text_codes(rows["institution"]), encoded_texts.get_text_codes(rows["delivery"])]


def _find_moments_of_identities(
    present_moments: np.ndarray,
    findings: pd.DataFrame,
    identities: FindingIdentities,
    ordered_deliveries: pd.DataFrame,
    lineage: pd.DataFrame | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted moments of all identities, and for each moment whether the finding is present at it.

    present_moments: the sorted moments at which findings are present. No moment is
    earlier than the first moment at which its finding is present.
    """
    many = max(len(ordered_deliveries), 1)
    first = np.full(len(identities), many)
    identity, delivery = np.divmod(present_moments, many)
    new = is_first_of_equal_numbers(identity)
    first[identity[new]] = delivery[new]
    next_replaces = np.append(ordered_deliveries["_replaces"].to_numpy(dtype=bool), False)[1:]
    shown = [
        _find_moments_of_findings_on_whole_files(findings, identities, ordered_deliveries),
        present_moments[next_replaces[delivery]] + 1,
        _find_moments_of_repeated_records(findings, identities, ordered_deliveries, lineage),
    ]
    could = np.concatenate(shown)
    could = could[could % many >= first[could // many]]
    every = find_distinct_numbers(np.concatenate([present_moments * 2, could * 2 + 1]))
    every = every[is_first_of_equal_numbers(every // 2)]
    return every // 2, every % 2 == 0


def _find_moments_of_findings_on_whole_files(
    findings: pd.DataFrame, identities: FindingIdentities, ordered_deliveries: pd.DataFrame
) -> np.ndarray:
    """Return the moments at which findings on whole files or deliveries could be present.

    A finding on a file could be present in every complete delivery of its institution, a finding on a delivery in every delivery.
    """
    of_whole = np.flatnonzero(identities.whole)
    institution = findings["institution"].iloc[identities.first[of_whole]].astype("str").array
    whole_files = pd.DataFrame({"identity": of_whole, "institution": institution, "any": identities.cells["file"][of_whole] < 0})
    both = whole_files.merge(ordered_deliveries.assign(place=range(len(ordered_deliveries))), on="institution")
    both = both[both["_complete"] | both["any"]]
    return (both["identity"] * len(ordered_deliveries) + both["place"]).to_numpy(dtype="int64")


def _find_moments_of_repeated_records(
    findings: pd.DataFrame, identities: FindingIdentities, ordered_deliveries: pd.DataFrame, lineage: pd.DataFrame | None
) -> np.ndarray:
    """Return the moments at which the record of a finding was delivered again and could be read.

    For a finding on a charge, this is the record of the person charged.
    """
    if lineage is None or ordered_deliveries.empty:
        return np.empty(0, dtype="int64")
    positions = _find_delivery_positions(lineage, ordered_deliveries)
    read = (positions >= 0) & (lineage["status"] != "quarantined").to_numpy()
    institution, key = (encoded_texts.find_codes_in_column(lineage[name], findings[name])[read] for name in ("institution", "record_key"))
    part = encoded_texts.get_text_codes(lineage["part"])[read]
    parts, keys = len(lineage["part"].cat.categories) + 1, len(findings["record_key"].cat.categories)
    has_part = np.zeros((len(findings["institution"].cat.categories) + 1, parts), dtype=bool)
    has_part[institution, part] = True

    def number_record(institution: np.ndarray, key: np.ndarray, part: np.ndarray) -> np.ndarray:
        return (institution.astype("int64") * keys + key) * parts + part + 1

    spoken = (institution >= 0) & (key >= 0)
    institution, key, part, positions = institution[spoken], key[spoken], part[spoken], positions[read][spoken]
    stored = np.concatenate([number_record(institution, key, np.full_like(part, -1)), number_record(institution, key, part)])
    with_record = np.flatnonzero(identities.cells["record_key"] >= 0)
    institution, key, part = (identities.cells[name][with_record] for name in ("institution", "record_key", "part"))
    part = _find_tables_of_records_with_findings(findings, lineage)[institution, part]
    requested = number_record(institution, key, np.where(has_part[institution, part], part, -1))
    return _find_moments_in_deliveries_of_records(
        with_record, requested, find_distinct_numbers(stored * len(ordered_deliveries) + np.tile(positions, 2)), len(ordered_deliveries)
    )


def _find_tables_of_records_with_findings(findings: pd.DataFrame, lineage: pd.DataFrame) -> np.ndarray:
    """Return, for each institution and part of findings, the part of `lineage` that contains the records of these findings.

    Institutions and parts are encoded. The value is -1 if the parts of the institution's files are not tables.
    """
    names, tables, record_parts = (frame.cat.categories for frame in (findings["institution"], findings["part"], lineage["part"]))
    part_numbers = np.full((len(names) + 1, len(tables) + 1), -1)
    for (name, table), of_records in record_tables().items():
        if name in names and table in tables and of_records in record_parts:
            part_numbers[names.get_loc(name), tables.get_loc(table)] = record_parts.get_loc(of_records)
    return part_numbers


def _find_moments_in_deliveries_of_records(
    identities: np.ndarray, requested_records: np.ndarray, sorted_record_deliveries: np.ndarray, delivery_count: int
) -> np.ndarray:
    """Return the moments of the identities in those deliveries that contain their records.

    identities, requested_records: the identities, and the record of each. sorted_record_deliveries: which delivery contains which record,
    as sorted numbers record × `delivery_count` + delivery. delivery_count: number of deliveries.
    """
    first, end = (
        np.searchsorted(sorted_record_deliveries, requested_records * delivery_count),
        np.searchsorted(sorted_record_deliveries, (requested_records + 1) * delivery_count),
    )
    return (
        np.repeat(identities * delivery_count, end - first)
        + sorted_record_deliveries[concatenate_ranges(first, end - first)] % delivery_count
    )
