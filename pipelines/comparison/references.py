"""References that lead elsewhere: the number that a record cites belongs to another case, or to none that its own register holds.

Belongs here: a cited number against the register that it names. Does not belong here: how a number is written (`pipelines.harmonise`).
"""

from __future__ import annotations

import pandas as pd

from pipelines.comparison.evidence import Known, fields
from sources import contract

_YEAR = r"(?:^|/)((?:19|20)\d{2})(?:-|:|$)"
_REST = r"(\d+/\d+)$"


def _borne(cited: pd.Series, of: pd.DataFrame, borne: pd.Series, by: pd.DataFrame) -> pd.Series:
    """Whether a file of the cited register in the same case bears each number."""
    held = pd.MultiIndex.from_arrays([by["institution"], borne, by["case_id"]])
    return pd.Series(pd.MultiIndex.from_arrays([of["sender"], cited, of["case_id"]]).isin(held), index=of.index)


def evidence(known: Known) -> pd.DataFrame:
    """Evidence (`EVIDENCE`) on references: the cited register holds this case under other numbers, and none of them is cited."""
    cited = known.references[known.references["kind"].isin(list(contract.bearers()))]
    cited = cited.assign(sender=cited["kind"].map(contract.bearers())).dropna(subset=["case_id"])
    cited = cited[cited["sender"] != cited["institution"]]
    numbers = known.every_case[["institution", "number", "case_id"]].dropna().drop_duplicates()
    right = _borne(cited["number"], cited, numbers["number"], numbers)
    open_ = cited[~right & cited["number"].str.contains("?", regex=False)]  # the register is not said: the rest of the number counts
    by = numbers[numbers["case_id"].isin(open_["case_id"])]
    right[open_.index] = _borne(open_["number"].str.extract(_REST, expand=False), open_, by["number"].str.extract(_REST, expand=False), by)
    other = cited[~right]
    begins = pd.to_numeric(other["sender"].map(known.spans["first"].dt.year), errors="coerce")
    somewhere = pd.MultiIndex.from_frame(other[["sender", "number"]]).isin(pd.MultiIndex.from_frame(numbers[["institution", "number"]]))
    old = pd.to_numeric(other["number"].str.extract(_YEAR, expand=False), errors="coerce") < begins
    right[other.index] = old & ~somewhere  # a file from before the first delivery, which may never have been delivered
    own = known.cases[["institution", "case_id", "record_key"]].drop_duplicates(["institution", "case_id"])
    out = cited.assign(right=right.groupby([cited["institution"], cited["record_key"]]).transform("any"))
    out = out[~out["right"]].merge(
        own.rename(columns={"institution": "sender", "record_key": "sender_key"}), on=["sender", "case_id"], how="inner"
    )
    out = out.drop_duplicates(["institution", "record_key", "sender"]).rename(columns={"institution": "receiver"})
    return known.finished(out.assign(field=out["receiver"].map(fields("reference")), role="case"), "reference")
