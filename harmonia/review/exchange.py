"""Export pairs as a workbook for stewards, and import the judgements of a filled workbook.

Belongs here: the steps of both. Does not belong here: the format of the workbook (`workbook`, `intake`), the command line (`commands`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harmonia.audit import record_access
from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.review import intake, workbook
from harmonia.review.describe import describe_records, fields_of
from harmonia.review.judgements import combine_judgements, enter_judgements, read_judgements
from harmonia.review.pairs import ENTITIES, PAIR, pair_ids
from harmonia.review.published import PublishedRun, missing_records
from harmonia.review.sampling import count_labels, read_sampled_pairs


@dataclass(frozen=True)
class ImportedJudgements:
    """The outcome of the rows of an imported workbook.

    entered, known, open: number of judgements entered, of those entered before, and of rows without a verdict. refused: the other rows,
    with the columns row, pair, why_not. blind: the workbook was that of a blind sample.
    """

    entered: int
    known: int
    open: int
    refused: pd.DataFrame
    blind: bool


def describe_both_sides(published_run: PublishedRun, pairs: pd.DataFrame, names: bool) -> pd.DataFrame:
    """Describe both records of each pair: columns `<field> a` and `<field> b`, indexed as `pairs`; empty if a record lacks the field."""
    columns = [f"{field} {side}" for field in all_fields(pairs["entity"].unique().tolist(), names) for side in "ab"]
    out = pd.DataFrame("", index=pairs.index, columns=columns, dtype="str")
    for entity in pairs["entity"].unique():
        pairs_of_entity = pairs[pairs["entity"] == entity]
        described = describe_records(published_run, str(entity), names)
        for side in "ab":
            rows = described.reindex(pd.MultiIndex.from_frame(pairs_of_entity[[f"institution_{side}", f"key_{side}"]])).fillna("")
            for field in described.columns:
                out.loc[pairs_of_entity.index, f"{field} {side}"] = rows[field].map(workbook.flat_text).to_numpy()
    return out


def all_fields(entities: list[str], names: bool) -> list[str]:
    """Return the fields that are shown of records of these entities, each once."""
    return list(dict.fromkeys(field for entity in ENTITIES if entity in entities for field in fields_of(entity, names)))


def export_pairs(
    published_run: PublishedRun, registry: Registry, path: Path, pairs: pd.DataFrame, sample: int, names: bool, who: str
) -> int:
    """Write a workbook for stewards with `pairs` to the file `path`, and return the number of pairs.

    pairs: `PAIR`, and those columns of `workbook.SHOWN` that stewards may see. sample: number of the blind sample, 0 if it is none. names:
    show names, which is recorded in the audit log as done by `who`. Raises `HarmoniaError` if there is no pair, or the file cannot be
    written.
    """
    if pairs.empty:
        raise HarmoniaError("there is no open pair to export: none is in doubt, or all are judged (--all includes judged pairs)")
    rows = pairs.reset_index(drop=True)
    rows = rows.assign(pair=pair_ids(rows)).join(describe_both_sides(published_run, rows, names))
    if names:
        record_access(registry, who, "exported names for review", f"{len(rows)} pairs to {path.name}")
    about = workbook.WorkbookOrigin(published_run.mark, published_run.run, published_run.model, sample)
    workbook.write_workbook(path, rows, all_fields(rows["entity"].unique().tolist(), names), about)
    return len(rows)


def pairs_of_sample(registry: Registry, number: int, everything: bool) -> pd.DataFrame:
    """Return the pairs of the blind sample `number`, in their random order. Columns out: `PAIR`, so that no weight is shown.

    Pairs that were already judged blind are left out, unless `everything`.
    """
    pairs = read_sampled_pairs(registry)
    pairs = pairs.loc[pairs["sample"] == number, PAIR]
    judgements = read_judgements(registry)
    judged = combine_judgements(judgements[judgements["blind"]])
    done = pd.MultiIndex.from_frame(pairs).isin(pd.MultiIndex.from_frame(judged[PAIR]))
    return pairs if everything else pairs[~done]


def import_judgements(published_run: PublishedRun, registry: Registry, path: Path) -> ImportedJudgements:
    """Enter all valid judgements of a workbook in one transaction.

    Raises `HarmoniaError` if the file is not a review workbook, or was exported from another home.
    """
    filled = intake.read_workbook(path)
    if filled.about.mark != published_run.mark:
        raise HarmoniaError(f"{path}: was exported from another home, not {published_run.home.root}: import it there, or export again here")
    rows = filled.rows
    pairs = rows[PAIR].where(rows["entity"].isin(ENTITIES), "")
    missing = missing_records(pairs, published_run.clusters())
    names = any(column.startswith(("name ", "persons ")) for column in filled.shown)
    now = describe_both_sides(published_run, pairs[pairs["entity"] != ""], names).reindex(index=rows.index, columns=filled.shown)
    valid, refused, blank = intake.validate_verdicts(filled, now, missing)
    decisions = published_run.decisions().set_index(PAIR)["weight"]
    valid = valid.assign(
        model=filled.about.model or None,
        weight=decisions.reindex(pd.MultiIndex.from_frame(valid[PAIR])).to_numpy(),
        blind=filled.about.sample > 0,
        origin=filled.origin,
    )
    is_new = enter_judgements(registry, valid)
    return ImportedJudgements(int(is_new.sum()), int((~is_new).sum()), blank, refused, filled.about.sample > 0)


def count_judged(registry: Registry, number: int) -> tuple[int, int]:
    """Return how many pairs of a blind sample were judged, and how many it has."""
    counted = count_labels(registry, number)
    return int(counted[["same", "different", "unsure"]].to_numpy().sum()), int(counted["drawn"].sum())
