"""Missing counterparts of records at the neighbouring institution, and cases that a register has under two numbers.

Belongs here: sent but not received, received but not sent, judgment without indictment, prisoner without judgment, registered twice as
shown by another's records. Does not belong here: the published table on the same question
(`warehouse/models/figures/reconciliation.sql`).

Nothing is reported within `_BACKLOG` of the first delivered day (the counterpart may be older than the deliveries) or within `_TRANSIT` of
the last (it may still be delivered).
"""

from __future__ import annotations

import pandas as pd

from harmonia.comparison.evidence import LinkedRecords, contract_columns, drop_frequent_values
from pipelines.resources.coded import is_text_in
from schemas import canonical
from sources import contract

_TRANSIT = pd.Timedelta(days=92)
_BACKLOG = pd.Timedelta(days=92)


def evidence(linked: LinkedRecords) -> pd.DataFrame:
    """All evidence (`EVIDENCE`) on missing counterparts and duplicate files."""
    parts = [*_not_received(linked), *_not_sent(linked), _no_indictment(linked), _no_judgment(linked), _duplicates(linked)]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled or parts[:1], ignore_index=True)


def _cases_at(linked: LinkedRecords, *institutions: str) -> pd.Index:
    """Cases with a record at any of the institutions."""
    return pd.Index(linked.case_versions.loc[linked.case_versions["institution"].isin(institutions), "case_id"].dropna().unique())


def _is_covered(linked: LinkedRecords, dates: pd.Series, *institutions: str) -> pd.Series:
    """Whether the deliveries of all the institutions cover each day."""
    if not institutions or not set(institutions) <= set(linked.spans.index):
        return pd.Series(False, index=dates.index)
    spans = linked.spans.loc[list(institutions)]
    start, end = pd.Timestamp(spans["first"].max()), pd.Timestamp(spans["last"].min())
    return (dates >= start + _BACKLOG) & (dates <= end - _TRANSIT)


def _sender(stage: canonical.Stage) -> str | None:
    """The institution whose deliveries show that a stage has no record; the first of several."""
    return next(iter(contract.at(stage)), None)


def _not_received(linked: LinkedRecords) -> list[pd.DataFrame]:
    """Sent according to the sender's record, without a file at the prosecution."""
    sent = linked.events[(linked.events["event"] == "sent") & linked.events["institution"].isin(contract.at("registration"))]
    merged = linked.cases.loc[linked.cases["state"] == "merged", ["institution", "record_key"]]
    missing = ~is_text_in(sent["case_id"], _cases_at(linked, *contract.at("prosecution"))) & _is_covered(
        linked, sent["date"], *contract.at("prosecution")
    )
    missing &= ~pd.MultiIndex.from_frame(sent[["institution", "record_key"]]).isin(pd.MultiIndex.from_frame(merged))
    out = sent[missing].rename(columns={"institution": "receiver"}).assign(sender=_sender("prosecution"), role="case")
    return [linked.as_evidence(out.assign(field=out["receiver"].map(contract_columns("sent"))), "not_received")]


def _not_sent(linked: LinkedRecords) -> list[pd.DataFrame]:
    """Received according to the prosecution's file, without a record at the sender."""
    files = linked.cases[
        linked.cases["institution"].isin(contract.at("prosecution")) & linked.cases["source"].isin(contract.at("registration"))
    ]
    files = files[files["state"] != "merged"]
    receipts = linked.events[(linked.events["event"] == "received") & linked.events["institution"].isin(contract.at("prosecution"))]
    files = files.merge(receipts[["record_key", "date"]].drop_duplicates("record_key"), on="record_key", how="left")
    out = []
    for sender in contract.at("registration"):
        own = files[files["source"] == sender]
        missing = own[~is_text_in(own["case_id"], _cases_at(linked, sender)) & _is_covered(linked, own["date"], sender)]
        rows = missing.rename(columns={"institution": "receiver"}).assign(sender=sender, role="case")
        out.append(linked.as_evidence(rows.assign(field=rows["receiver"].map(contract_columns("source"))), "not_sent"))
    return out


def _no_indictment(linked: LinkedRecords) -> pd.DataFrame:
    """Judged by a court in a case without an indictment in the prosecution's deliveries; reported to the court."""
    judged = linked.events[(linked.events["event"] == "judged") & linked.events["institution"].isin(contract.at("courts"))]
    indicted = linked.events.loc[linked.events["event"] == "indicted", "case_id"]
    files = linked.cases[linked.cases["institution"].isin(contract.at("prosecution"))]
    indicted = pd.concat([indicted, files.loc[files["state"] == "indicted", "case_id"]]).drop_duplicates()
    receipts = linked.events[(linked.events["event"] == "received") & linked.events["institution"].isin(contract.at("courts"))]
    dates = receipts.drop_duplicates("record_key").set_index("record_key")["date"]
    opened = pd.Series(dates.reindex(judged["case_key"].to_numpy()).array, index=judged.index)  # `map` on an empty series loses the type
    missing = judged[~is_text_in(judged["case_id"], indicted) & _is_covered(linked, opened, *contract.at("prosecution"))].drop_duplicates(
        "case_key"
    )
    rows = missing.rename(columns={"institution": "receiver"}).assign(
        record_key=missing["case_key"], sender=_sender("prosecution"), role="case"
    )
    return linked.as_evidence(rows.assign(field=rows["receiver"].map(contract_columns("reference"))), "no_indictment")


def _no_judgment(linked: LinkedRecords) -> pd.DataFrame:
    """Admitted as a convict without a conviction in the court's files; reported to the prison."""
    admitted = linked.events[linked.events["event"] == "imprisoned"]
    convicted = linked.events[(linked.events["event"].isin(["judged", "final"])) & (linked.events["outcome"] == "convicted")]
    ids = linked.persons[["institution", "record_key", "person_id"]]
    admitted = admitted.merge(ids, on=["institution", "record_key"], how="left")
    convicted = convicted.merge(ids, on=["institution", "record_key"], how="left")
    with_judgment = is_text_in(admitted["person_id"], convicted["person_id"].dropna().drop_duplicates())
    missing = admitted[~with_judgment & _is_covered(linked, admitted["date"], *contract.at("courts"))]
    rows = missing.rename(columns={"institution": "receiver"}).assign(sender=_sender("courts"), role="accused")
    return linked.as_evidence(rows.assign(field=rows["receiver"].map(contract_columns("reference"))), "no_judgment")


def _duplicates(linked: LinkedRecords) -> pd.DataFrame:
    """Two unmerged files of one register in one case with a common person: evidence on the later one, by the records of others."""
    files = linked.cases[(linked.cases["state"].fillna("") != "merged") & linked.cases["merged_into"].isna()]
    files = files[files["institution"].isin(contract.one_file_a_case())].dropna(subset=["case_id"])
    people = drop_frequent_values(
        linked.persons[["institution", "case_key", "person_id"]].dropna().drop_duplicates(), ["institution", "person_id"]
    )
    pairs = people.merge(people, on=["institution", "person_id"], suffixes=("", "_earlier"))
    pairs = pairs[pairs["case_key"] != pairs["case_key_earlier"]].drop_duplicates(["institution", "case_key", "case_key_earlier"])
    case_ids = files[["institution", "record_key", "case_id"]].drop_duplicates(["institution", "record_key"])
    pairs = pairs.merge(case_ids.rename(columns={"record_key": "case_key"}), on=["institution", "case_key"])
    pairs = pairs.merge(case_ids.rename(columns={"record_key": "case_key_earlier"}), on=["institution", "case_key_earlier", "case_id"])
    pairs = pairs[_is_later(linked, pairs)].drop_duplicates(["institution", "case_key"])
    others = linked.cases[["institution", "case_id", "record_key"]].drop_duplicates(["institution", "case_id"])
    others = others.rename(columns={"institution": "sender", "record_key": "sender_key"})
    out = pairs.merge(others, on="case_id")
    out = out[out["sender"] != out["institution"]].rename(columns={"institution": "receiver", "case_key": "record_key"})
    return linked.as_evidence(out.assign(field=out["receiver"].map(contract_columns("number")), role="case"), "again")


def _is_later(linked: LinkedRecords, pairs: pd.DataFrame) -> pd.Series:
    """Whether the file of each pair was opened after its `_earlier`; on the same day, whether its number is higher."""
    opened = linked.events[linked.events["event"].isin(["reported", "received"])].drop_duplicates(["institution", "case_key"])
    day = opened.set_index(["institution", "case_key"])["date"]
    own_day = day.reindex(pd.MultiIndex.from_frame(pairs[["institution", "case_key"]])).to_numpy()
    earlier_day = day.reindex(pd.MultiIndex.from_frame(pairs[["institution", "case_key_earlier"]])).to_numpy()
    return pd.Series(
        (own_day > earlier_day) | ((own_day == earlier_day) & (pairs["case_key"] > pairs["case_key_earlier"]).to_numpy()), index=pairs.index
    )
