"""Answers in and out: bringing a filled workbook in, and listing what was answered.

Belongs here: the import as a whole, over home and registry. Does not belong here: the form of a workbook (`intake`), what is typed
(`commands`).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from pipelines.errors import HarmoniaError
from pipelines.feedback import answers, intake, workbook
from pipelines.home import Home
from pipelines.registry import Registry
from warehouse.stores import secret

_KEPT = ["institution", "delivery", "finding", "state", "severity", "rule", "record_key", "field", "value"]


@dataclass(frozen=True)
class Imported:
    """What became of a workbook's rows: entered, known already, without an answer (`open`), refused (sheet, row, why_not)."""

    institution: str
    delivery: str
    entered: int
    known: int
    open: int
    refused: pd.DataFrame


def bring_in(home: Home, registry: Registry, path: Path) -> Imported:
    """Enter the answers of a workbook, all that can be taken in one transaction.

    Raises `HarmoniaError` where the file is none, or was made by another home.
    """
    filled = intake.read(path)
    key = secret(home.root)
    if not hmac.compare_digest(filled.mark.encode(), workbook.mark(key, filled.institution, filled.delivery).encode()):
        raise HarmoniaError(
            f"{path}: says {filled.institution} {filled.delivery}, but {home.root} did not make it so: import it into the home that made it"
        )
    known = findings_of(home, filled.institution)
    said, refused, blank = intake.judge(filled, known)
    own = known[known["delivery"] == filled.delivery].drop_duplicates("finding", keep="last")
    given = said.merge(own, on="finding")
    given = given.assign(value_mark=answers.marks(given["finding"], given["value"], key), origin=filled.origin)
    fresh = answers.enter(registry, given)
    return Imported(filled.institution, filled.delivery, int(fresh.sum()), int((~fresh).sum()), blank, refused)


def findings_of(home: Home, institution: str) -> pd.DataFrame:
    """The findings of an institution as the last run left them. Raises `HarmoniaError` where there was none."""
    path = home.lake / "findings" / "findings.parquet"
    if not path.is_file():
        raise HarmoniaError(f"{home.root}: nothing was run here yet: `harmonia run` first")
    frame: pd.DataFrame = pq.read_table(path, columns=_KEPT, filters=[("institution", "=", institution)]).to_pandas()
    return frame.astype("str")
