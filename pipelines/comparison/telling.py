"""From evidence to what each institution is told, as far as agreements allow; the rest is for stewards.

Belongs here: applying the matrix, when a record is called wrong, the rules by kind. Does not belong here: the words (`schemas/rules`).

A record is called wrong only where two institutions that did not copy from each other agree against it and nobody agrees with it; where two
agree with it, it is not told at all. Otherwise each side gets the same neutral "please check", which is information and never a score.
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
"""What is compared -> the rule where a record is called wrong (none where nobody ever is), the rule where it should be checked."""
PLACE = ("institution", "delivery", "record_key", "file", "part", "line")
_RECORD = ["receiver", "record_key", "what", "field"]


def told(evidence: pd.DataFrame, agreements: Matrix) -> pd.DataFrame:
    """What may be told: institution, record_key, field, rule; a row a record and field."""
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
    """The rows once for each institution that says the same and did not copy: `other`."""
    pairs = rows.dropna(subset=["apart"])
    return pairs.assign(other=pairs["apart"].str.split(",")).explode("other")


def _two_apart(rows: pd.DataFrame, known: pd.DataFrame) -> pd.MultiIndex:
    """Records about which two allowed senders say the same and did not copy from each other."""
    pairs = _named_apart(rows)
    hit = pd.MultiIndex.from_frame(pairs[[*_RECORD, "other"]]).isin(pd.MultiIndex.from_frame(known[[*_RECORD, "sender"]]))
    return pd.MultiIndex.from_frame(pairs.loc[hit, _RECORD].drop_duplicates())


def _with_itself(agreeing: pd.DataFrame) -> pd.MultiIndex:
    """Records with which an allowed sender agrees that did not copy from it: two sources, so that the others are to be checked."""
    pairs = _named_apart(agreeing)
    return pd.MultiIndex.from_frame(pairs.loc[pairs["other"] == pairs["receiver"], _RECORD].drop_duplicates())


def withheld(evidence: pd.DataFrame, agreements: Matrix) -> pd.DataFrame:
    """What no agreement allows to be told: the evidence (`EVIDENCE`) where it differs, for stewards."""
    return evidence.loc[~agreements.allows(evidence) & ~evidence["same"], list(EVIDENCE)].reset_index(drop=True)


def as_findings(rows: pd.DataFrame, deliveries: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """What is told, as findings (`schemas.findings.COLUMNS`) of each of the deliveries named.

    rows: institution, period, record_key, field, rule. deliveries: institution, delivery, period: all versions of a quarter get the same,
    so that a correction tells nothing. lineage (`PLACE` and status) gives file, part and line where the delivery holds the record.
    """
    placed = rows.merge(deliveries[["institution", "delivery", "period"]], on=["institution", "period"])
    asked = (lineage["status"] != "quarantined") & among(lineage["record_key"], placed["record_key"].drop_duplicates())
    where = lineage.loc[asked, list(PLACE)].drop_duplicates(["institution", "delivery", "record_key"], keep="last")
    return findings.complete(placed.merge(where, on=["institution", "delivery", "record_key"], how="left"))
