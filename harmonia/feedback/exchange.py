"""Import the answers of institutions into the registry, from filled workbooks or from the portal.

Belongs here: the steps of the import. Does not belong here: reading and validating a workbook (`intake`), the command line (`commands`).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from harmonia.errors import HarmoniaError
from harmonia.feedback import answers, intake, report, workbook
from harmonia.home import Home
from harmonia.registry import Registry
from harmonia.registry.tables import Answer
from warehouse.stores import read_pseudonym_key

_COLUMNS = ["institution", "delivery", "finding", "state", "severity", "rule", "record_key", "field", "value"]


class ForeignWorkbookError(HarmoniaError):
    """The error that a workbook was made by another home, or for another institution."""


@dataclass(frozen=True)
class ImportedAnswers:
    """The result of importing a filled workbook.

    entered: number of answers that were entered. known: number of answers that had been entered before. open: number of rows without an
    answer. refused: the rows with an invalid answer, with the columns of `intake.validate_answers`.
    """

    institution: str
    delivery: str
    entered: int
    known: int
    open: int
    refused: pd.DataFrame


def import_answers(home: Home, registry: Registry, path: Path, institution: str | None = None) -> ImportedAnswers:
    """Enter all valid answers of a filled workbook in one transaction.

    institution: the institution for which the workbook must have been made; None for any. Raises `HarmoniaError` if the file is not a
    feedback workbook, and `ForeignWorkbookError` if the workbook was made by another home or for another institution.
    """
    filled = intake.read_workbook(path)
    key = read_pseudonym_key(home.root)
    if not hmac.compare_digest(filled.mark.encode(), workbook.compute_workbook_mark(key, filled.institution, filled.delivery).encode()):
        raise ForeignWorkbookError(
            f"{path}: was not made by home {home.root} for {filled.institution} {filled.delivery}: import it into the home that made it"
        )
    if institution not in (None, filled.institution):
        raise ForeignWorkbookError(f"{path}: is a workbook of {filled.institution}, not of {institution}")
    return enter_filled_answers(
        home, registry, filled, list_seen_answer_numbers(answers.read_current_answers(registry, filled.institution), filled.latest)
    )


def list_seen_answer_numbers(newest_answers: Mapping[str, Answer], latest_seen_number: int | None) -> dict[str, int]:
    """Return for each answered finding the number of the answer that the institution saw when it answered.

    The number is 0 if the institution saw no answer, because the answer came later. newest_answers: the newest answer to each finding.
    latest_seen_number: number of the newest answer that the institution saw; None if it saw all answers.
    """
    return {
        finding: int(one.id) if latest_seen_number is None or one.id <= latest_seen_number else 0 for finding, one in newest_answers.items()
    }


def make_workbook(home: Home, registry: Registry, institution: str, delivery: str, language: str) -> bytes | None:
    """Make the workbook of a delivery in a language, with the answers that apply to its findings; None if the delivery has no report."""
    try:
        text = (home.feedback / institution / delivery / "findings.json").read_text("utf-8")
    except FileNotFoundError:
        return None
    shown, key = report.read_report_from_json(text, language), read_pseudonym_key(home.root)
    newest = answers.read_current_answers(registry, institution)
    asked = shown.findings[shown.findings["finding"].isin(newest)].drop_duplicates("finding")
    hashes = dict(zip(asked["finding"], answers.hash_finding_values(asked["finding"], asked["value"], key), strict=True))
    given = {
        finding: (one.verdict, one.reason, one.person)
        for finding, one in newest.items()
        if hashes.get(finding) == one.value_mark and one.decision != "refused"
    }
    return workbook.write_workbook(shown, key, workbook.EarlierAnswers(given, max((int(one.id) for one in newest.values()), default=0)))


def enter_filled_answers(
    home: Home, registry: Registry, filled_workbook: intake.FilledWorkbook, seen_answer_numbers: Mapping[str, int] | None = None
) -> ImportedAnswers:
    """Enter all valid answers in one transaction.

    filled_workbook: from a workbook, or from `intake.convert_answers_to_workbook`. seen_answer_numbers: maps a finding to the number of
    the answer that was current when the institution answered, 0 for none. If the current answer is another one by now, the new answer is
    refused with the problem `meanwhile`.
    """
    last = read_last_findings(home, filled_workbook.institution)
    valid, refused, blank = intake.validate_answers(filled_workbook, last)
    own_findings = last[last["delivery"] == filled_workbook.delivery].drop_duplicates("finding", keep="last")
    answered = valid.merge(own_findings, on="finding")
    answered = answered.assign(
        value_mark=answers.hash_finding_values(answered["finding"], answered["value"], read_pseudonym_key(home.root)),
        origin=filled_workbook.origin or None,
    )
    is_new = answers.enter_answers(registry, answered, seen_answer_numbers)
    current = answers.select_latest_answers(answers.read_answers(registry)).set_index(["institution", "finding"])
    same = ["verdict", "reason", "person"]
    current_answers = current.reindex(pd.MultiIndex.from_frame(answered[["institution", "finding"]])).set_index(answered.index)
    known_already = ~is_new & (current_answers[same] == answered[same]).all(axis=1)
    late = answered.loc[~is_new & ~known_already, ["finding"]].assign(problem="meanwhile", about=current_answers["person"])
    late = filled_workbook.rows[["sheet", "row", "id"]].rename(columns={"id": "finding"}).merge(late, on="finding")
    late = late.assign(why_not=[intake.explain_refusal("meanwhile", about, "en") for about in late["about"]])
    refused = pd.concat([refused, late], ignore_index=True) if len(late) else refused
    return ImportedAnswers(
        filled_workbook.institution, filled_workbook.delivery, int(is_new.sum()), int(known_already.sum()), blank, refused
    )


def read_last_findings(home: Home, institution: str) -> pd.DataFrame:
    """Read the findings of the last run on the deliveries of an institution. Raises `HarmoniaError` if there was no run."""
    path = home.lake / "findings" / "findings.parquet"
    if not path.is_file():
        raise HarmoniaError(f"{home.root}: no run yet; use `harmonia run` first")
    frame: pd.DataFrame = pq.read_table(path, columns=_COLUMNS, filters=[("institution", "=", institution)]).to_pandas()
    return frame.astype("str")
