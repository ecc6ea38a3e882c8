"""Wrong references: the cited number belongs to another case, or to none in the cited register.

Belongs here: comparing cited numbers with the cited register. Does not belong here: normalising numbers (`pipelines.harmonise`).
"""

from __future__ import annotations

import pandas as pd

from pipelines.comparison.evidence import LinkedRecords, fields
from sources import contract

_YEAR = r"(?:^|/)((?:19|20)\d{2})(?:-|:|$)"
_REST = r"(\d+/\d+)$"


def _exists(cited: pd.Series, of: pd.DataFrame, number: pd.Series, by: pd.DataFrame) -> pd.Series:
    """Whether a file of the cited register in the same case has the cited number."""
    existing = pd.MultiIndex.from_arrays([by["institution"], number, by["case_id"]])
    return pd.Series(pd.MultiIndex.from_arrays([of["sender"], cited, of["case_id"]]).isin(existing), index=of.index)


def evidence(known: LinkedRecords) -> pd.DataFrame:
    """Evidence (`EVIDENCE`) on references: the cited register has this case under other numbers, none of which is cited."""
    cited = known.references[known.references["kind"].isin(list(contract.bearers()))]
    cited = cited.assign(sender=cited["kind"].map(contract.bearers())).dropna(subset=["case_id"])
    cited = cited[cited["sender"] != cited["institution"]]
    numbers = known.every_case[["institution", "number", "case_id"]].dropna().drop_duplicates()
    right = _exists(cited["number"], cited, numbers["number"], numbers)
    open_ = cited[~right & cited["number"].str.contains("?", regex=False)]  # the register is unknown: compare the rest of the number
    by = numbers[numbers["case_id"].isin(open_["case_id"])]
    right[open_.index] = _exists(open_["number"].str.extract(_REST, expand=False), open_, by["number"].str.extract(_REST, expand=False), by)
    other = cited[~right]
    begins = pd.to_numeric(other["sender"].map(known.spans["first"].dt.year), errors="coerce")
    somewhere = pd.MultiIndex.from_frame(other[["sender", "number"]]).isin(pd.MultiIndex.from_frame(numbers[["institution", "number"]]))
    old = pd.to_numeric(other["number"].str.extract(_YEAR, expand=False), errors="coerce") < begins
    right[other.index] = old & ~somewhere  # older than the first delivery: may never have been delivered
    own = known.cases[["institution", "case_id", "record_key"]].drop_duplicates(["institution", "case_id"])
    out = cited.assign(right=right.groupby([cited["institution"], cited["record_key"]]).transform("any"))
    out = out[~out["right"]].merge(
        own.rename(columns={"institution": "sender", "record_key": "sender_key"}), on=["sender", "case_id"], how="inner"
    )
    out = out.drop_duplicates(["institution", "record_key", "sender"]).rename(columns={"institution": "receiver"})
    return known.finished(out.assign(field=out["receiver"].map(fields("reference")), role="case"), "reference")
