"""Evidence on wrong references: a cited number belongs to another case, or does not exist in the cited register.

Belongs here: comparing cited numbers with the numbers of the cited register. Does not belong here: normalising numbers
(`pipelines.harmonisation`).
"""

from __future__ import annotations

import pandas as pd

from harmonia.comparison.evidence import LinkedRecords, find_contract_columns
from sources import contract

_YEAR_PATTERN = r"(?:^|/)((?:19|20)\d{2})(?:-|:|$)"
_SERIAL_AND_YEAR = r"(\d+/\d+)$"


def _is_cited_number_in_same_case(
    cited_numbers: pd.Series, citations: pd.DataFrame, existing_numbers: pd.Series, candidate_case_files: pd.DataFrame
) -> pd.Series:
    """Return for each citation whether the cited register has a file with the cited number in the same case.

    citations: the citations, with case_id and sender (the cited institution). cited_numbers: the number that each citation cites.
    candidate_case_files: files of the cited registers, with institution and case_id. existing_numbers: the number of each of these files.
    """
    existing = pd.MultiIndex.from_arrays([candidate_case_files["institution"], existing_numbers, candidate_case_files["case_id"]])
    return pd.Series(
        pd.MultiIndex.from_arrays([citations["sender"], cited_numbers, citations["case_id"]]).isin(existing), index=citations.index
    )


def collect_evidence_on_references(linked_records: LinkedRecords) -> pd.DataFrame:
    """Collect the evidence on wrong references. Columns out: `EVIDENCE`.

    A reference is wrong if the cited register has the case, but only under numbers that the citing case file does not contain.
    """
    citations = linked_records.references[linked_records.references["kind"].isin(list(contract.institution_by_case_number_kind()))]
    citations = citations.assign(sender=citations["kind"].map(contract.institution_by_case_number_kind())).dropna(subset=["case_id"])
    citations = citations[citations["sender"] != citations["institution"]]
    numbers = linked_records.case_versions[["institution", "number", "case_id"]].dropna().drop_duplicates()
    is_right = _is_cited_number_in_same_case(citations["number"], citations, numbers["number"], numbers)
    register_unknown = citations[~is_right & citations["number"].str.contains("?", regex=False)]  # then only serial and year are compared
    candidates = numbers[numbers["case_id"].isin(register_unknown["case_id"])]
    cited_serials, existing_serials = (
        frame["number"].str.extract(_SERIAL_AND_YEAR, expand=False) for frame in (register_unknown, candidates)
    )
    is_right[register_unknown.index] = _is_cited_number_in_same_case(cited_serials, register_unknown, existing_serials, candidates)
    unmatched = citations[~is_right]
    first_year = pd.to_numeric(unmatched["sender"].map(linked_records.spans["first"].dt.year), errors="coerce")
    exists_elsewhere = pd.MultiIndex.from_frame(unmatched[["sender", "number"]]).isin(
        pd.MultiIndex.from_frame(numbers[["institution", "number"]])
    )
    is_older = pd.to_numeric(unmatched["number"].str.extract(_YEAR_PATTERN, expand=False), errors="coerce") < first_year
    is_right[unmatched.index] = is_older & ~exists_elsewhere  # older than the first delivery: may never have been delivered
    case_keys = linked_records.cases[["institution", "case_id", "record_key"]].drop_duplicates(["institution", "case_id"])
    wrong = citations.assign(is_right=is_right.groupby([citations["institution"], citations["record_key"]]).transform("any"))
    wrong = wrong[~wrong["is_right"]].merge(
        case_keys.rename(columns={"institution": "sender", "record_key": "sender_key"}), on=["sender", "case_id"], how="inner"
    )
    wrong = wrong.drop_duplicates(["institution", "record_key", "sender"]).rename(columns={"institution": "receiver"})
    return linked_records.convert_to_evidence(
        wrong.assign(field=wrong["receiver"].map(find_contract_columns("reference")), role="case"), "reference"
    )
