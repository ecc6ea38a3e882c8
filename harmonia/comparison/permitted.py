"""Decide which findings each institution gets from the evidence, as far as agreements allow. Other evidence is shown to stewards only.

Belongs here: applying the matrix of agreements; deciding when a record counts as wrong, and which rule a finding names. Does not belong
here: texts (`schemas/rules`).

A record counts as wrong only if two institutions that did not copy from each other agree against it, and none agrees with it. If the
value is confirmed by another institution that did not copy it, and is not contradicted in this way, nothing is reported. Otherwise each
of the institutions gets the same neutral "please check", which has the severity information and never affects a score.
"""

from __future__ import annotations

import pandas as pd

from harmonia.comparison.agreements import AgreementMatrix
from harmonia.comparison.evidence import EVIDENCE
from pipelines.resources.encoded_texts import are_texts_in
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
"""Maps what is compared to two rules: one for a record that counts as wrong (empty if there is none), one for a record to check."""
LOCATION = ("institution", "delivery", "record_key", "file", "part", "line")
_RECORD = ["receiver", "record_key", "what", "field"]


def select_permitted_evidence(evidence: pd.DataFrame, agreements: AgreementMatrix) -> pd.DataFrame:
    """Select the evidence that may be reported to the institutions, as one row per record, field and rule.

    Columns out: institution, record_key, field, rule.
    """
    visible = evidence[agreements.are_allowed(evidence)]
    differs = visible[~visible["same"]]
    if differs.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in ("institution", "record_key", "field", "rule")})
    differing_records = differs[_RECORD].drop_duplicates().set_index(_RECORD)
    agreeing = visible[visible["same"]]
    supported = differing_records.index.isin(pd.MultiIndex.from_frame(agreeing[_RECORD]))
    outvoted = differing_records.index.isin(_find_contradicted_records(differs, visible))
    confirmed = differing_records.index.isin(_find_confirmed_records(agreeing)) & ~outvoted
    records = differing_records.reset_index().assign(wrong=outvoted & ~supported)[~confirmed]
    rules = [RULES[what][0 if is_wrong else 1] for what, is_wrong in zip(records["what"], records["wrong"], strict=True)]
    reportable = records.rename(columns={"receiver": "institution"}).assign(rule=rules)
    return reportable[["institution", "record_key", "field", "rule"]].drop_duplicates(ignore_index=True)


def _combine_senders_with_independent_institutions(evidence: pd.DataFrame) -> pd.DataFrame:
    """Make one row for each combination of a sender and an institution that has the same value and did not copy it from the sender.

    The institution is in the new column `other`.
    """
    pairs = evidence.dropna(subset=["apart"])
    return pairs.assign(other=pairs["apart"].str.split(",")).explode("other")


def _find_contradicted_records(differing_evidence: pd.DataFrame, permitted_evidence: pd.DataFrame) -> pd.MultiIndex:
    """Find the records that two institutions contradict with the same value.

    Agreements must permit the comparison with both institutions, and neither may have copied the value from the other.
    """
    pairs = _combine_senders_with_independent_institutions(differing_evidence)
    agree = pd.MultiIndex.from_frame(pairs[[*_RECORD, "other"]]).isin(pd.MultiIndex.from_frame(permitted_evidence[[*_RECORD, "sender"]]))
    return pd.MultiIndex.from_frame(pairs.loc[agree, _RECORD].drop_duplicates())


def _find_confirmed_records(agreeing_evidence: pd.DataFrame) -> pd.MultiIndex:
    """Find the records whose value another institution confirms.

    Agreements must permit the comparison with that institution, and it must not have copied the value from the record.
    """
    pairs = _combine_senders_with_independent_institutions(agreeing_evidence)
    return pd.MultiIndex.from_frame(pairs.loc[pairs["other"] == pairs["receiver"], _RECORD].drop_duplicates())


def select_restricted_evidence(evidence: pd.DataFrame, agreements: AgreementMatrix) -> pd.DataFrame:
    """Return the evidence of differences that no agreement allows to be reported. Only stewards see it. Columns out: `EVIDENCE`."""
    return evidence.loc[~agreements.are_allowed(evidence) & ~evidence["same"], list(EVIDENCE)].reset_index(drop=True)


def make_comparison_findings(reported_records: pd.DataFrame, deliveries: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """Make a finding (`schemas.findings.COLUMNS`) of each of `reported_records` in each delivery for its period.

    reported_records: the records to report, with institution, period, record_key, field and rule. deliveries: the deliveries, with
    institution, delivery and period; all versions for a period get the same findings, so that a correction discloses nothing. lineage:
    where each record is in the deliveries, with the columns `LOCATION` and status.
    """
    reported = reported_records.merge(deliveries[["institution", "delivery", "period"]], on=["institution", "period"])
    relevant = (lineage["status"] != "quarantined") & are_texts_in(lineage["record_key"], reported["record_key"].drop_duplicates())
    locations = lineage.loc[relevant, list(LOCATION)].drop_duplicates(["institution", "delivery", "record_key"], keep="last")
    return findings.complete_columns(reported.merge(locations, on=["institution", "delivery", "record_key"], how="left"))
