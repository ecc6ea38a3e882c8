"""Imports filled workbooks into the registry.

Belongs here: the whole import, over home and registry. Does not belong here: the format of a workbook (`intake`), the command line
(`commands`).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from harmonia.errors import HarmoniaError
from harmonia.feedback import answers, intake, workbook
from harmonia.home import Home
from harmonia.registry import Registry
from warehouse.stores import secret

_COLUMNS = ["institution", "delivery", "finding", "state", "severity", "rule", "record_key", "field", "value"]


@dataclass(frozen=True)
class ImportedAnswers:
    """The outcome of a workbook's rows: entered, already known, without an answer (`open`), refused (sheet, row, why_not)."""

    institution: str
    delivery: str
    entered: int
    known: int
    open: int
    refused: pd.DataFrame


def import_answers(home: Home, registry: Registry, path: Path) -> ImportedAnswers:
    """Enter all valid answers of a workbook in one transaction.

    Raises `HarmoniaError` where the file is not a workbook or was made by another home.
    """
    filled = intake.read(path)
    key = secret(home.root)
    if not hmac.compare_digest(filled.mark.encode(), workbook.mark(key, filled.institution, filled.delivery).encode()):
        raise HarmoniaError(
            f"{path}: was not made by home {home.root} for {filled.institution} {filled.delivery}: import it into the home that made it"
        )
    known = findings_of(home, filled.institution)
    valid, refused, blank = intake.validate(filled, known)
    own = known[known["delivery"] == filled.delivery].drop_duplicates("finding", keep="last")
    given = valid.merge(own, on="finding")
    given = given.assign(value_mark=answers.marks(given["finding"], given["value"], key), origin=filled.origin)
    fresh = answers.enter(registry, given)
    return ImportedAnswers(filled.institution, filled.delivery, int(fresh.sum()), int((~fresh).sum()), blank, refused)


def findings_of(home: Home, institution: str) -> pd.DataFrame:
    """The findings of an institution from the last run. Raises `HarmoniaError` where there was none."""
    path = home.lake / "findings" / "findings.parquet"
    if not path.is_file():
        raise HarmoniaError(f"{home.root}: no run yet; use `harmonia run` first")
    frame: pd.DataFrame = pq.read_table(path, columns=_COLUMNS, filters=[("institution", "=", institution)]).to_pandas()
    return frame.astype("str")
