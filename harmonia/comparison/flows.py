"""Evidence on records that lack the record which another institution should have, and on cases that a register has under two numbers.

Belongs here: cases sent but not received, cases received but not sent, judgments without indictment, prisoners without judgment, and
cases that are registered twice according to other institutions. Does not belong here: the published table on the same question
(`warehouse/models/figures/reconciliation.sql`).

The first `_BACKLOG` days of the deliveries are left out, since the other record may be older than the deliveries. The last `_TRANSIT`
days are left out too, since the other record may still be delivered.
"""

from __future__ import annotations

import pandas as pd

from harmonia.comparison.evidence import LinkedRecords, drop_rows_with_frequent_values, find_contract_columns
from pipelines.resources.encoded_texts import are_texts_in
from schemas import canonical
from sources import contract

_TRANSIT = pd.Timedelta(days=92)
_BACKLOG = pd.Timedelta(days=92)


def collect_evidence_on_missing_records(linked_records: LinkedRecords) -> pd.DataFrame:
    """Collect the evidence on missing records and duplicate files. Columns out: `EVIDENCE`."""
    parts = [
        *_find_cases_not_received_by_prosecution(linked_records),
        *_find_cases_missing_at_sender(linked_records),
        _find_judgments_without_indictment(linked_records),
        _find_convicts_without_judgment(linked_records),
        _find_duplicate_case_files(linked_records),
    ]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled or parts[:1], ignore_index=True)


def _list_case_ids_of_institutions(linked_records: LinkedRecords, *institutions: str) -> pd.Index:
    """Return the ids of the cases of which at least one of the institutions has a record."""
    return pd.Index(
        linked_records.case_versions.loc[linked_records.case_versions["institution"].isin(institutions), "case_id"].dropna().unique()
    )


def _are_days_covered_by_deliveries(linked_records: LinkedRecords, dates: pd.Series, *institutions: str) -> pd.Series:
    """Return for each day whether the deliveries of all these institutions cover it.

    If they do, a record that is not there was not delivered.
    """
    if not institutions or not set(institutions) <= set(linked_records.spans.index):
        return pd.Series(False, index=dates.index)
    spans = linked_records.spans.loc[list(institutions)]
    start, end = pd.Timestamp(spans["first"].max()), pd.Timestamp(spans["last"].min())
    return (dates >= start + _BACKLOG) & (dates <= end - _TRANSIT)


def _find_institution_at_stage(stage: canonical.Stage) -> str | None:
    """Return the institution that works at a stage of the criminal procedure; if there are several, the first of them."""
    return next(iter(contract.institutions_at_stages(stage)), None)


def _find_cases_not_received_by_prosecution(linked_records: LinkedRecords) -> list[pd.DataFrame]:
    """Find cases that were sent according to the sender's record, but of which the prosecution has no file.

    The evidence is on the sender's record.
    """
    sent = linked_records.events[
        (linked_records.events["event"] == "sent")
        & linked_records.events["institution"].isin(contract.institutions_at_stages("registration"))
    ]
    merged = linked_records.cases.loc[linked_records.cases["state"] == "merged", ["institution", "record_key"]]
    missing = ~are_texts_in(
        sent["case_id"], _list_case_ids_of_institutions(linked_records, *contract.institutions_at_stages("prosecution"))
    ) & _are_days_covered_by_deliveries(linked_records, sent["date"], *contract.institutions_at_stages("prosecution"))
    missing &= ~pd.MultiIndex.from_frame(sent[["institution", "record_key"]]).isin(pd.MultiIndex.from_frame(merged))
    out = sent[missing].rename(columns={"institution": "receiver"}).assign(sender=_find_institution_at_stage("prosecution"), role="case")
    return [linked_records.convert_to_evidence(out.assign(field=out["receiver"].map(find_contract_columns("sent"))), "not_received")]


def _find_cases_missing_at_sender(linked_records: LinkedRecords) -> list[pd.DataFrame]:
    """Find cases that the prosecution received according to its file, but of which the sender has no record.

    The evidence is on the prosecution's file.
    """
    files = linked_records.cases[
        linked_records.cases["institution"].isin(contract.institutions_at_stages("prosecution"))
        & linked_records.cases["source"].isin(contract.institutions_at_stages("registration"))
    ]
    files = files[files["state"] != "merged"]
    receipts = linked_records.events[
        (linked_records.events["event"] == "received")
        & linked_records.events["institution"].isin(contract.institutions_at_stages("prosecution"))
    ]
    files = files.merge(receipts[["record_key", "date"]].drop_duplicates("record_key"), on="record_key", how="left")
    out = []
    for sender in contract.institutions_at_stages("registration"):
        sent_files = files[files["source"] == sender]
        missing = sent_files[
            ~are_texts_in(sent_files["case_id"], _list_case_ids_of_institutions(linked_records, sender))
            & _are_days_covered_by_deliveries(linked_records, sent_files["date"], sender)
        ]
        rows = missing.rename(columns={"institution": "receiver"}).assign(sender=sender, role="case")
        out.append(linked_records.convert_to_evidence(rows.assign(field=rows["receiver"].map(find_contract_columns("source"))), "not_sent"))
    return out


def _find_judgments_without_indictment(linked_records: LinkedRecords) -> pd.DataFrame:
    """Find judgments in cases for which the prosecution delivered no indictment. The evidence is on the court's file."""
    judged = linked_records.events[
        (linked_records.events["event"] == "judged") & linked_records.events["institution"].isin(contract.institutions_at_stages("courts"))
    ]
    indicted = linked_records.events.loc[linked_records.events["event"] == "indicted", "case_id"]
    files = linked_records.cases[linked_records.cases["institution"].isin(contract.institutions_at_stages("prosecution"))]
    indicted = pd.concat([indicted, files.loc[files["state"] == "indicted", "case_id"]]).drop_duplicates()
    receipts = linked_records.events[
        (linked_records.events["event"] == "received")
        & linked_records.events["institution"].isin(contract.institutions_at_stages("courts"))
    ]
    dates = receipts.drop_duplicates("record_key").set_index("record_key")["date"]
    opened = pd.Series(dates.reindex(judged["case_key"].to_numpy()).array, index=judged.index)  # `map` on an empty series loses the type
    missing = judged[
        ~are_texts_in(judged["case_id"], indicted)
        & _are_days_covered_by_deliveries(linked_records, opened, *contract.institutions_at_stages("prosecution"))
    ].drop_duplicates("case_key")
    rows = missing.rename(columns={"institution": "receiver"}).assign(
        record_key=missing["case_key"], sender=_find_institution_at_stage("prosecution"), role="case"
    )
    return linked_records.convert_to_evidence(rows.assign(field=rows["receiver"].map(find_contract_columns("reference"))), "no_indictment")


def _find_convicts_without_judgment(linked_records: LinkedRecords) -> pd.DataFrame:
    """Find prisoners who were admitted as convicts although no record shows that they were convicted.

    The evidence is on the prison's record.
    """
    admitted = linked_records.events[linked_records.events["event"] == "imprisoned"]
    convicted = linked_records.events[
        (linked_records.events["event"].isin(["judged", "final"])) & (linked_records.events["outcome"] == "convicted")
    ]
    ids = linked_records.persons[["institution", "record_key", "person_id"]]
    admitted = admitted.merge(ids, on=["institution", "record_key"], how="left")
    convicted = convicted.merge(ids, on=["institution", "record_key"], how="left")
    with_judgment = are_texts_in(admitted["person_id"], convicted["person_id"].dropna().drop_duplicates())
    missing = admitted[
        ~with_judgment & _are_days_covered_by_deliveries(linked_records, admitted["date"], *contract.institutions_at_stages("courts"))
    ]
    rows = missing.rename(columns={"institution": "receiver"}).assign(sender=_find_institution_at_stage("courts"), role="accused")
    return linked_records.convert_to_evidence(rows.assign(field=rows["receiver"].map(find_contract_columns("reference"))), "no_judgment")


def _find_duplicate_case_files(linked_records: LinkedRecords) -> pd.DataFrame:
    """Find two files of one register that belong to one case, have a common person and are not merged.

    The evidence is on the file opened later; its senders are the other institutions with records of the case.
    """
    files = linked_records.cases[(linked_records.cases["state"].fillna("") != "merged") & linked_records.cases["merged_into"].isna()]
    files = files[files["institution"].isin(contract.institutions_with_one_file_per_case())].dropna(subset=["case_id"])
    people = drop_rows_with_frequent_values(
        linked_records.persons[["institution", "case_key", "person_id"]].dropna().drop_duplicates(), ["institution", "person_id"]
    )
    pairs = people.merge(people, on=["institution", "person_id"], suffixes=("", "_earlier"))
    pairs = pairs[pairs["case_key"] != pairs["case_key_earlier"]].drop_duplicates(["institution", "case_key", "case_key_earlier"])
    case_ids = files[["institution", "record_key", "case_id"]].drop_duplicates(["institution", "record_key"])
    pairs = pairs.merge(case_ids.rename(columns={"record_key": "case_key"}), on=["institution", "case_key"])
    pairs = pairs.merge(case_ids.rename(columns={"record_key": "case_key_earlier"}), on=["institution", "case_key_earlier", "case_id"])
    pairs = pairs[_is_case_file_opened_later(linked_records, pairs)].drop_duplicates(["institution", "case_key"])
    others = linked_records.cases[["institution", "case_id", "record_key"]].drop_duplicates(["institution", "case_id"])
    others = others.rename(columns={"institution": "sender", "record_key": "sender_key"})
    out = pairs.merge(others, on="case_id")
    out = out[out["sender"] != out["institution"]].rename(columns={"institution": "receiver", "case_key": "record_key"})
    return linked_records.convert_to_evidence(out.assign(field=out["receiver"].map(find_contract_columns("number")), role="case"), "again")


def _is_case_file_opened_later(linked_records: LinkedRecords, case_file_pairs: pd.DataFrame) -> pd.Series:
    """Return for each pair whether the file `case_key` was opened after the file `case_key_earlier`.

    If both were opened on the same day, the file with the higher key counts as the later one.
    """
    opened = linked_records.events[linked_records.events["event"].isin(["reported", "received"])].drop_duplicates(
        ["institution", "case_key"]
    )
    day = opened.set_index(["institution", "case_key"])["date"]
    own_day = day.reindex(pd.MultiIndex.from_frame(case_file_pairs[["institution", "case_key"]])).to_numpy()
    earlier_day = day.reindex(pd.MultiIndex.from_frame(case_file_pairs[["institution", "case_key_earlier"]])).to_numpy()
    return pd.Series(
        (own_day > earlier_day)
        | ((own_day == earlier_day) & (case_file_pairs["case_key"] > case_file_pairs["case_key_earlier"]).to_numpy()),
        index=case_file_pairs.index,
    )
