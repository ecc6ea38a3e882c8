"""Missing counterparts of records at the neighbouring institution, and cases that a register has under two numbers.

Belongs here: sent but not received, received but not sent, judgment without indictment, prisoner without judgment, registered twice as
shown by another's records. Does not belong here: the published table on the same question
(`warehouse/models/figures/reconciliation.sql`).

Near the limits of the delivered periods nothing is reported: `_BEFORE` days at the beginning, `_ON_THE_WAY` days at the end.
"""

from __future__ import annotations

import pandas as pd

from pipelines.comparison.evidence import LinkedRecords, fields, uncrowded
from pipelines.resources.coded import among
from schemas import canonical
from sources import contract

_ON_THE_WAY = pd.Timedelta(days=92)
_BEFORE = pd.Timedelta(days=92)


def evidence(known: LinkedRecords) -> pd.DataFrame:
    """Evidence (`EVIDENCE`) of all these kinds."""
    parts = [*_not_received(known), *_not_sent(known), _no_indictment(known), _no_judgment(known), _again(known)]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled or parts[:1], ignore_index=True)


def _held(known: LinkedRecords, *institutions: str) -> pd.Index:
    """Cases with a record at any of the institutions."""
    return pd.Index(known.every_case.loc[known.every_case["institution"].isin(institutions), "case_id"].dropna().unique())


def _within(known: LinkedRecords, days: pd.Series, *institutions: str) -> pd.Series:
    """Whether the deliveries of all the institutions cover each day."""
    if not institutions or not set(institutions) <= set(known.spans.index):
        return pd.Series(False, index=days.index)
    spans = known.spans.loc[list(institutions)]
    first, last = pd.Timestamp(spans["first"].max()), pd.Timestamp(spans["last"].min())
    return (days >= first + _BEFORE) & (days <= last - _ON_THE_WAY)


def _sender(stage: canonical.Stage) -> str | None:
    """The institution whose deliveries show that a stage has no record; the first of several."""
    return next(iter(contract.at(stage)), None)


def _not_received(known: LinkedRecords) -> list[pd.DataFrame]:
    """Sent according to the sender's record, without a file at the prosecution."""
    sent = known.events[(known.events["event"] == "sent") & known.events["institution"].isin(contract.at("registration"))]
    joined = known.cases.loc[known.cases["state"] == "merged", ["institution", "record_key"]]
    lost = ~among(sent["case_id"], _held(known, *contract.at("prosecution"))) & _within(known, sent["date"], *contract.at("prosecution"))
    lost &= ~pd.MultiIndex.from_frame(sent[["institution", "record_key"]]).isin(pd.MultiIndex.from_frame(joined))
    out = sent[lost].rename(columns={"institution": "receiver"}).assign(sender=_sender("prosecution"), role="case")
    return [known.finished(out.assign(field=out["receiver"].map(fields("sent"))), "not_received")]


def _not_sent(known: LinkedRecords) -> list[pd.DataFrame]:
    """Received according to the prosecution's file, without a record at the sender."""
    files = known.cases[
        known.cases["institution"].isin(contract.at("prosecution")) & known.cases["source"].isin(contract.at("registration"))
    ]
    files = files[files["state"] != "merged"]
    came = known.events[(known.events["event"] == "received") & known.events["institution"].isin(contract.at("prosecution"))]
    files = files.merge(came[["record_key", "date"]].drop_duplicates("record_key"), on="record_key", how="left")
    out = []
    for sender in contract.at("registration"):
        mine = files[files["source"] == sender]
        lost = mine[~among(mine["case_id"], _held(known, sender)) & _within(known, mine["date"], sender)]
        rows = lost.rename(columns={"institution": "receiver"}).assign(sender=sender, role="case")
        out.append(known.finished(rows.assign(field=rows["receiver"].map(fields("source"))), "not_sent"))
    return out


def _no_indictment(known: LinkedRecords) -> pd.DataFrame:
    """Judged by a court in a case without an indictment in the prosecution's deliveries; reported to the court."""
    judged = known.events[(known.events["event"] == "judged") & known.events["institution"].isin(contract.at("courts"))]
    indicted = known.events.loc[known.events["event"] == "indicted", "case_id"]
    files = known.cases[known.cases["institution"].isin(contract.at("prosecution"))]
    indicted = pd.concat([indicted, files.loc[files["state"] == "indicted", "case_id"]]).drop_duplicates()
    came = known.events[(known.events["event"] == "received") & known.events["institution"].isin(contract.at("courts"))]
    days = came.drop_duplicates("record_key").set_index("record_key")["date"]
    opened = pd.Series(days.reindex(judged["case_key"].to_numpy()).array, index=judged.index)  # `map` on an empty series loses the type
    lost = judged[~among(judged["case_id"], indicted) & _within(known, opened, *contract.at("prosecution"))].drop_duplicates("case_key")
    rows = lost.rename(columns={"institution": "receiver"}).assign(record_key=lost["case_key"], sender=_sender("prosecution"), role="case")
    return known.finished(rows.assign(field=rows["receiver"].map(fields("reference"))), "no_indictment")


def _no_judgment(known: LinkedRecords) -> pd.DataFrame:
    """Admitted as a convict without a conviction in the court's files; reported to the prison."""
    admitted = known.events[known.events["event"] == "imprisoned"]
    convicted = known.events[(known.events["event"].isin(["judged", "final"])) & (known.events["outcome"] == "convicted")]
    ids = known.persons[["institution", "record_key", "person_id"]]
    admitted = admitted.merge(ids, on=["institution", "record_key"], how="left")
    convicted = convicted.merge(ids, on=["institution", "record_key"], how="left")
    with_judgment = among(admitted["person_id"], convicted["person_id"].dropna().drop_duplicates())
    lost = admitted[~with_judgment & _within(known, admitted["date"], *contract.at("courts"))]
    rows = lost.rename(columns={"institution": "receiver"}).assign(sender=_sender("courts"), role="accused")
    return known.finished(rows.assign(field=rows["receiver"].map(fields("reference"))), "no_judgment")


def _again(known: LinkedRecords) -> pd.DataFrame:
    """Two unmerged files of one register in one case with a common person: evidence on the later one, by the records of others."""
    files = known.cases[(known.cases["state"].fillna("") != "merged") & known.cases["merged_into"].isna()]
    files = files[files["institution"].isin(contract.one_file_a_case())].dropna(subset=["case_id"])
    people = uncrowded(known.persons[["institution", "case_key", "person_id"]].dropna().drop_duplicates(), ["institution", "person_id"])
    pairs = people.merge(people, on=["institution", "person_id"], suffixes=("", "_first"))
    pairs = pairs[pairs["case_key"] != pairs["case_key_first"]].drop_duplicates(["institution", "case_key", "case_key_first"])
    of_case = files[["institution", "record_key", "case_id"]].drop_duplicates(["institution", "record_key"])
    pairs = pairs.merge(of_case.rename(columns={"record_key": "case_key"}), on=["institution", "case_key"])
    pairs = pairs.merge(of_case.rename(columns={"record_key": "case_key_first"}), on=["institution", "case_key_first", "case_id"])
    pairs = pairs[_later(known, pairs)].drop_duplicates(["institution", "case_key"])
    others = known.cases[["institution", "case_id", "record_key"]].drop_duplicates(["institution", "case_id"])
    others = others.rename(columns={"institution": "sender", "record_key": "sender_key"})
    out = pairs.merge(others, on="case_id")
    out = out[out["sender"] != out["institution"]].rename(columns={"institution": "receiver", "case_key": "record_key"})
    return known.finished(out.assign(field=out["receiver"].map(fields("number")), role="case"), "again")


def _later(known: LinkedRecords, pairs: pd.DataFrame) -> pd.Series:
    """Whether the file of each pair was opened after its `_first`; on the same day, whether its number is higher."""
    opened = known.events[known.events["event"].isin(["reported", "received"])].drop_duplicates(["institution", "case_key"])
    day = opened.set_index(["institution", "case_key"])["date"]
    mine = day.reindex(pd.MultiIndex.from_frame(pairs[["institution", "case_key"]])).to_numpy()
    first = day.reindex(pd.MultiIndex.from_frame(pairs[["institution", "case_key_first"]])).to_numpy()
    return pd.Series((mine > first) | ((mine == first) & (pairs["case_key"] > pairs["case_key_first"]).to_numpy()), index=pairs.index)
