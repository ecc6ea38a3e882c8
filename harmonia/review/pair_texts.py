"""What the console shows about one pair: both records side by side, the evidence, the current verdict, what a verdict would change.

Belongs here: texts and small tables. Does not belong here: options of commands, entering judgements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from harmonia.review.describe import list_shown_fields
from harmonia.review.exchange import describe_both_sides
from harmonia.review.judgements import combine_judgements
from harmonia.review.pairs import PAIR, compute_pair_ids
from harmonia.review.published import PublishedRun
from pipelines.linkage.constraints import are_judgements_contradicted
from warehouse.star.figures import CELL

if TYPE_CHECKING:
    from harmonia.review.consequence import VerdictEffect


def describe_pair(published_run: PublishedRun, pair: pd.DataFrame, show_names: bool) -> pd.DataFrame:
    """Describe the two records of `pair`, with one row for each field.

    The result has the column field, and one column for each record, whose header is its institution and record key.
    """
    entity = str(pair["entity"].iloc[0])
    values = describe_both_sides(published_run, pair, show_names).iloc[0]
    heads = [f"{pair[f'institution_{side}'].iloc[0]} {pair[f'key_{side}'].iloc[0]}" for side in "ab"]
    rows = [(field, values[f"{field} a"], values[f"{field} b"]) for field in list_shown_fields(entity, show_names)]
    return pd.DataFrame(rows, columns=["field", *heads])


def describe_evidence(published_run: PublishedRun, pair: pd.DataFrame) -> str:
    """Say in one sentence with which match weight, and with which bits of each kind of evidence, the last run decided on `pair`."""
    stored = published_run.read_decisions().merge(pair, on=PAIR)
    if stored.empty:
        return "Weight: not stored by the last run: far below the threshold, or never compared."
    row = stored.iloc[0]
    bits = str(row["reasons"]) or "negligible"
    return f"Weight {row['weight']:+.2f} bits, {row['decision']}. Evidence in bits, for (+) and against (-) a match: {bits}"


def list_changed_records(result: VerdictEffect) -> pd.DataFrame:
    """Return the records whose case or person a verdict affects.

    The columns are entity, institution, record, and the id of the record before and after the verdict.
    """
    return result.records.rename(columns={"record_key": "record"})


def list_changed_figures(result: VerdictEffect) -> pd.DataFrame:
    """Return the figures that a verdict changes. The columns are indicator, period, cell (empty for a total), before and after."""
    rows = result.figures
    dimensions = [name for name in CELL if name not in ("indicator", "period")]
    broken_down = [", ".join(value for value in row if value != "total") for row in rows[dimensions].itertuples(index=False, name=None)]
    return rows[["indicator", "period"]].assign(cell=broken_down, before=rows["before"], after=rows["after"])


def describe_verdict(judgements: pd.DataFrame, pair: pd.DataFrame) -> list[str]:
    """Return lines that say which verdict on `pair` is current.

    They also say which judgements, on any pair, have no effect because others contradict them.
    """
    verdicts = combine_judgements(judgements).merge(pair, on=PAIR)["verdict"]
    name = compute_pair_ids(pair).iloc[0]
    verdict = str(verdicts.iloc[0]) if len(verdicts) else ""
    lines = {
        "": f"{name}: no current judgement; linkage decides.",
        "disputed": f"{name}: disputed, since stewards disagree; no effect until they agree.",
        "unsure": f"{name}: unsure; linkage decides.",
        "proposed": f"{name}: proposed as the same by one steward; no effect until a second one agrees.",
    }
    return [lines.get(verdict, f"{name}: {verdict}, from the next run on."), *describe_contradictions(judgements)]


def describe_contradictions(judgements: pd.DataFrame) -> list[str]:
    """Return one line for each judgement `same` that has no effect, because other judgements contradict it."""
    current = combine_judgements(judgements)
    lost = current[are_judgements_contradicted(current)]
    return [
        f"{pair}: `same` contradicts other judgements that separate the two; it has no effect until one of them is withdrawn."
        for pair in compute_pair_ids(lost)
    ]
