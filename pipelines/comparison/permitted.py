"""The findings that each institution may get from the evidence, as far as agreements allow; the rest is for stewards.

Belongs here: applying the matrix, when a record counts as wrong, the rules by kind. Does not belong here: texts (`schemas/rules`).

A record counts as wrong only where two institutions that did not copy from each other agree against it and none agrees with it; where two
sources agree with it, nothing is reported. Otherwise each side gets the same neutral "please check", which is information and never scored.
"""

from __future__ import annotations

import pandas as pd

from pipelines.comparison.agreements import Matrix
from pipelines.comparison.evidence import EVIDENCE
from pipelines.resources.coded import among
from schemas import findings

RULES = {
    "personal_number": ("comparison-personal-number", "check-personal-number"),
    "birth_date": ("comparison-birth-date", "check-birth-date"),
    "sex": ("comparison-sex", "check-sex"),
    "name": ("comparison-name", "check-name"),
    "reference": ("", "check-reference"),
    "again": ("", "check-registered-twice"),
    "not_received": ("", "check-not-received"),
    "not_sent": ("", "check-not-sent"),
    "no_indictment": ("", "check-no-indictment"),
    "no_judgment": ("", "check-no-judgment"),
}
"""What is compared -> the rule for a wrong record (empty where there is none), the rule for a record to check."""
PLACE = ("institution", "delivery", "record_key", "file", "part", "line")
_RECORD = ["receiver", "record_key", "what", "field"]


def permitted(evidence: pd.DataFrame, agreements: Matrix) -> pd.DataFrame:
    """What may be reported: institution, record_key, field, rule; one row per record and field."""
    known = evidence[agreements.allows(evidence)]
    differs = known[~known["same"]]
    if differs.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in ("institution", "record_key", "field", "rule")})
    every = differs[_RECORD].drop_duplicates().set_index(_RECORD)
    agreeing = known[known["same"]]
    supported = every.index.isin(pd.MultiIndex.from_frame(agreeing[_RECORD]))
    outvoted = every.index.isin(_two_apart(differs, known))
    confirmed = every.index.isin(_with_itself(agreeing)) & ~outvoted
    rows = every.reset_index().assign(wrong=outvoted & ~supported)[~confirmed]
    rules = [RULES[what][0 if is_wrong else 1] for what, is_wrong in zip(rows["what"], rows["wrong"], strict=True)]
    named = rows.rename(columns={"receiver": "institution"}).assign(rule=rules)
    return named[["institution", "record_key", "field", "rule"]].drop_duplicates(ignore_index=True)


def _named_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows once per institution (`other`) with the same value that did not copy."""
    pairs = rows.dropna(subset=["apart"])
    return pairs.assign(other=pairs["apart"].str.split(",")).explode("other")


def _two_apart(rows: pd.DataFrame, known: pd.DataFrame) -> pd.MultiIndex:
    """Records on which two allowed senders agree that did not copy from each other."""
    pairs = _named_apart(rows)
    hit = pd.MultiIndex.from_frame(pairs[[*_RECORD, "other"]]).isin(pd.MultiIndex.from_frame(known[[*_RECORD, "sender"]]))
    return pd.MultiIndex.from_frame(pairs.loc[hit, _RECORD].drop_duplicates())


def _with_itself(agreeing: pd.DataFrame) -> pd.MultiIndex:
    """Records with which an allowed sender agrees that did not copy from it: two sources confirm them."""
    pairs = _named_apart(agreeing)
    return pd.MultiIndex.from_frame(pairs.loc[pairs["other"] == pairs["receiver"], _RECORD].drop_duplicates())


def restricted(evidence: pd.DataFrame, agreements: Matrix) -> pd.DataFrame:
    """The evidence (`EVIDENCE`) of differences that no agreement allows to be reported, for stewards."""
    return evidence.loc[~agreements.allows(evidence) & ~evidence["same"], list(EVIDENCE)].reset_index(drop=True)


def as_findings(rows: pd.DataFrame, deliveries: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """`rows` as findings (`schemas.findings.COLUMNS`) of each of the deliveries.

    rows: institution, period, record_key, field, rule. deliveries: institution, delivery, period: all versions of a quarter get the same
    findings, so that a correction discloses nothing. lineage (`PLACE` and status): file, part and line of the record in the delivery.
    """
    placed = rows.merge(deliveries[["institution", "delivery", "period"]], on=["institution", "period"])
    asked = (lineage["status"] != "quarantined") & among(lineage["record_key"], placed["record_key"].drop_duplicates())
    where = lineage.loc[asked, list(PLACE)].drop_duplicates(["institution", "delivery", "record_key"], keep="last")
    return findings.complete(placed.merge(where, on=["institution", "delivery", "record_key"], how="left"))
