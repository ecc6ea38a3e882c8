"""Export pairs as a workbook for stewards, and import the judgements of a filled workbook.

Belongs here: the steps of export and import. Does not belong here: the format of the workbook (`workbook`, `intake`), the command line
(`commands`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harmonia.audit import record_access
from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.review import intake, workbook
from harmonia.review.describe import describe_records, list_shown_fields
from harmonia.review.judgements import combine_judgements, enter_judgements, read_judgements
from harmonia.review.pairs import ENTITIES, PAIR, compute_pair_ids
from harmonia.review.published import PublishedRun, find_missing_records
from harmonia.review.sampling import count_labels, read_sampled_pairs


@dataclass(frozen=True)
class ImportedJudgements:
    """The result of importing a workbook.

    `entered` is the number of judgements that were entered, and `known` the number of those that had been entered before. `open` is the
    number of rows without a verdict. `refused` has the rows that were refused, with the columns row, pair and why_not. `blind` says
    whether the workbook was that of a blind sample.
    """

    entered: int
    known: int
    open: int
    refused: pd.DataFrame
    blind: bool


def describe_both_sides(published_run: PublishedRun, pairs: pd.DataFrame, show_names: bool) -> pd.DataFrame:
    """Describe both records of each pair, in the columns `<field> a` and `<field> b`. The result is indexed as `pairs`.

    A value is empty if the record lacks the field.
    """
    columns = [f"{field} {side}" for field in list_fields_of_entities(pairs["entity"].unique().tolist(), show_names) for side in "ab"]
    out = pd.DataFrame("", index=pairs.index, columns=columns, dtype="str")
    for entity in pairs["entity"].unique():
        pairs_of_entity = pairs[pairs["entity"] == entity]
        described = describe_records(published_run, str(entity), show_names)
        for side in "ab":
            rows = described.reindex(pd.MultiIndex.from_frame(pairs_of_entity[[f"institution_{side}", f"key_{side}"]])).fillna("")
            for field in described.columns:
                out.loc[pairs_of_entity.index, f"{field} {side}"] = rows[field].map(workbook.flatten_text).to_numpy()
    return out


def list_fields_of_entities(entities: list[str], show_names: bool) -> list[str]:
    """Return the fields that are shown of records of these entities. Each field is returned once."""
    return list(dict.fromkeys(field for entity in ENTITIES if entity in entities for field in list_shown_fields(entity, show_names)))


def export_pairs(
    published_run: PublishedRun, registry: Registry, path: Path, pairs: pd.DataFrame, sample: int, show_names: bool, who: str
) -> int:
    """Write a workbook for stewards with `pairs` to the file `path`, and return the number of pairs.

    `pairs` has the columns `PAIR`, and those columns of `workbook.SHOWN` that stewards may see. `sample` is the number of the blind
    sample, or 0 if the pairs are not from a sample. If `show_names` is true, names are shown, and the audit log records that `who` saw
    them. Raises `HarmoniaError` if `pairs` is empty, or if the file cannot be written.
    """
    if pairs.empty:
        raise HarmoniaError("there is no open pair to export: none is in doubt, or all are judged (--all includes judged pairs)")
    rows = pairs.reset_index(drop=True)
    rows = rows.assign(pair=compute_pair_ids(rows)).join(describe_both_sides(published_run, rows, show_names))
    if show_names:
        record_access(registry, who, "exported names for review", f"{len(rows)} pairs to {path.name}")
    about = workbook.WorkbookOrigin(published_run.mark, published_run.run, published_run.model, sample)
    workbook.write_workbook(path, rows, list_fields_of_entities(rows["entity"].unique().tolist(), show_names), about)
    return len(rows)


def list_pairs_of_sample(registry: Registry, number: int, everything: bool) -> pd.DataFrame:
    """Return the pairs of the blind sample `number` in their random order.

    The result has only the columns `PAIR`, so that no weight is shown. Pairs that were already judged blind are left out, unless
    `everything` is true.
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
    missing = find_missing_records(pairs, published_run.read_clusters())
    names = any(column.startswith(("name ", "persons ")) for column in filled.shown)
    now = describe_both_sides(published_run, pairs[pairs["entity"] != ""], names).reindex(index=rows.index, columns=filled.shown)
    valid, refused, blank = intake.validate_verdicts(filled, now, missing)
    decisions = published_run.read_decisions().set_index(PAIR)["weight"]
    valid = valid.assign(
        model=filled.about.model or None,
        weight=decisions.reindex(pd.MultiIndex.from_frame(valid[PAIR])).to_numpy(),
        blind=filled.about.sample > 0,
        origin=filled.origin,
    )
    is_new = enter_judgements(registry, valid)
    return ImportedJudgements(int(is_new.sum()), int((~is_new).sum()), blank, refused, filled.about.sample > 0)


def count_judged_pairs(registry: Registry, number: int) -> tuple[int, int]:
    """Return how many pairs of a blind sample were judged, and how many it has."""
    counted = count_labels(registry, number)
    return int(counted[["same", "different", "unsure"]].to_numpy().sum()), int(counted["drawn"].sum())
