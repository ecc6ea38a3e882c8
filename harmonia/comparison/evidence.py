"""Evidence: what a record of one institution (the sender) shows about a record of another institution (the receiver).

Belongs here: the columns of evidence, the records that are compared, the status of cases. Does not belong here: which institution may
learn of the evidence (`permitted`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipelines.resources.encoded_texts import are_texts_in
from pipelines.resources.lake import read_columns, read_matching_rows
from sources import contract as contracts
from sources.periods import first_day, last_day

EVIDENCE: tuple[str, ...] = (
    "receiver",  # institution whose record is compared
    "record_key",  # that record
    "what",  # personal_number, birth_date, sex, name, reference, again, not_received, not_sent, no_indictment, no_judgment
    "field",  # column of the record, under the receiver's name
    "sender",  # institution whose record, or missing record, is the evidence
    "sender_key",  # that record; null where it is missing
    "same",  # whether the two agree
    "group",  # equal for senders' records with the same value, within a record and field; null where no values are compared
    "apart",  # senders of the same group that did not copy from this one, comma-separated
    "role",  # accused, victim, witness, case
    "status",  # of the case: investigation, indicted, judged, final
)
_ROLES = {"suspect": "accused", "defendant": "accused", "prisoner": "accused", "victim": "victim", "witness": "witness"}
_KEYS = ("institution", "record_key", "case_key", "status")
_FILE = ["institution", "case_key"]
_CASE_COLUMNS = (*_KEYS, "number", "state", "merged_into", "source")
_PERSON_COLUMNS: tuple[str, ...] = (*_KEYS, "role", "full_name", "name_tokens", "given_skeleton", "parent_name", "personal_number")
_PERSON_COLUMNS += ("birth_date", "birth_precision", "sex", "citizenship", "municipality")
_REFERENCE_COLUMNS = (*_KEYS, "kind", "number")
_EVENT_COLUMNS = (*_KEYS, "event", "date", "present", "outcome")
MAX_OCCURRENCES = 100
_STAGES = (("indicted", "indicted"), ("judged", "judged"), ("final", "final"))


class LinkedRecords:
    """The accepted records with their ids, and the status of cases.

    cases, persons, references, events: the accepted rows of the canonical tables, with `case_id` (persons also with `person_id`).
    Cancelled cases and their events are left out. case_versions: like `cases`, but with cancelled, superseded and withdrawn rows too.
    status: maps `case_id` to one of `agreements.STATUSES`. spans: maps each institution to the first and last day of its readable
    deliveries.
    """

    def __init__(self, canonical: Mapping[str, pd.DataFrame], cases: pd.DataFrame, persons: pd.DataFrame, deliveries: pd.DataFrame) -> None:
        self.case_versions = _add_case_id(read_columns(canonical, "case_records", _CASE_COLUMNS), cases)
        accepted = self.case_versions["status"] == "accepted"
        cancelled = self.case_versions[accepted & (self.case_versions["state"] == "cancelled")]
        self.cases = self.case_versions[accepted & (self.case_versions["state"] != "cancelled")]
        persons_with_case = _add_case_id(read_matching_rows(canonical, "person_records", _PERSON_COLUMNS, status="accepted"), cases)
        self.persons = persons_with_case.merge(
            persons[["institution", "record_key", "person_id"]], on=["institution", "record_key"], how="left"
        )
        self.persons["about"] = self.persons["role"].map(_ROLES).fillna("witness")
        self.references = _add_case_id(read_matching_rows(canonical, "references", _REFERENCE_COLUMNS, status="accepted"), cases)
        events = _add_case_id(read_matching_rows(canonical, "events", _EVENT_COLUMNS, status="accepted"), cases)
        happened = events["present"].fillna(False).astype(bool) | events["date"].notna()
        of_cancelled = pd.MultiIndex.from_frame(events[_FILE]).isin(pd.MultiIndex.from_frame(cancelled[_FILE]))
        self.events = events[happened & ~of_cancelled]
        status = pd.Series("investigation", index=pd.Index(self.cases["case_id"].dropna().unique()), dtype="str")
        for event, stage in _STAGES:
            reached = self.events.loc[self.events["event"] == event, "case_id"].drop_duplicates()
            status[are_texts_in(status.index.to_series(), reached)] = stage
        self.status = status
        read = deliveries[deliveries["state"] != "unreadable"].groupby("institution")["period"].agg(["min", "max"])
        days = {"first": read["min"].map(first_day), "last": read["max"].map(last_day)}
        self.spans = pd.DataFrame(days, index=read.index).astype("datetime64[s]")

    def convert_to_evidence(self, rows: pd.DataFrame, evidence_kind: str) -> pd.DataFrame:
        """Convert rows to evidence of the given kind, and add the status of the case.

        rows: a frame with the columns receiver, record_key, field, sender and case_id.
        """
        evidence = rows.assign(what=evidence_kind, status=rows["case_id"].map(self.status).fillna("investigation"))
        evidence = evidence.reindex(columns=list(EVIDENCE))
        evidence["same"] = evidence["same"].astype("boolean").fillna(False).astype(bool)
        return evidence[evidence["field"].notna()]


def drop_rows_with_frequent_values(frame: pd.DataFrame, key_columns: list[str]) -> pd.DataFrame:
    """Drop the rows whose values in `key_columns` occur in more than `MAX_OCCURRENCES` rows.

    Such values identify no person or case, and would give too many pairs.
    """
    return frame[frame.groupby(key_columns, dropna=False)[key_columns[0]].transform("size") <= MAX_OCCURRENCES]


def find_contract_columns(concept: str) -> dict[str, str]:
    """Return for each institution the column in which it delivers a concept such as birth date (`compared` in its contract).

    Institutions that do not deliver the concept are left out.
    """
    return {name: column for name in contracts.institutions() if (column := contracts.load(name).compared.get(concept))}


def _add_case_id(table: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Add the column `case_id` to the rows of `table`, looked up by institution and `case_key`."""
    ids = cases.drop_duplicates(["institution", "record_key"]).rename(columns={"record_key": "case_key"})
    return table.merge(ids[["institution", "case_key", "case_id"]], on=["institution", "case_key"], how="left")
