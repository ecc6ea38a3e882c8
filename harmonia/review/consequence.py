"""Preview what a verdict would change, before it is entered: the ids of records, and the published figures.

Belongs here: computing a preview, and keeping what several previews of one run share. Does not belong here: linkage
(`pipelines.linkage.relinking`), counting the records that a change reaches (`warehouse.count.recount`), pages, entering a verdict.

A preview shows what the next run will publish with the verdict, if nothing else is delivered or decided. Judgements that were entered
since the last run count both in the figures before and in those after the verdict, so that the difference is that of this verdict alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import pandas as pd

from harmonia.registry import Registry
from harmonia.registry.identity import preview_ids
from harmonia.review.following import read_current_verdicts
from harmonia.review.judgements import read_judgements
from harmonia.review.pairs import PAIR
from harmonia.review.published import RECORD, PublishedRun
from pipelines.crosswalk import add_rows_for_old_keys
from pipelines.linkage import load_linkage_model
from pipelines.linkage.constraints import BINDING_VERDICTS
from pipelines.linkage.list_positions import replace_record_keys_by_first_keys
from pipelines.linkage.relinking import PreparedRelinking, RecordClusters
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import INPUT_COLUMNS
from pipelines.resources import lake
from warehouse.count.inputs import collect_run_inputs
from warehouse.count.recount import MEASURES, RecordIds, RecountWithOtherIds
from warehouse.star.figures import CELL

ENTITIES = {"case": "cases", "person": "persons"}
FIGURES = [*CELL, "published", "before", "after"]
RECORDS = ["entity", *RECORD, "before", "after"]
_MAX_CACHED = 6  # sets of judgements whose clusters are kept in memory


@dataclass(frozen=True)
class VerdictEffect:
    """What a verdict changes.

    records       all records of the two cases or persons of the pair, and of the cases and persons that change, with their ids before and
                  after. Columns: `RECORDS`
    figures       the harmonised figures that change, each as published, and as the next run will publish it without the verdict (before)
                  and with it (after). Columns: `FIGURES`
    reported      the figures as reported that change, in the same form; a verdict rarely changes them
    is_effective  whether the verdict has an effect; it has none if it is unsure, or contradicted by other judgements or other stewards
    is_disputed   whether stewards would then disagree on the pair, so that none of their judgements on it counts
    forbidden     the hard rule of linkage that the verdict `same` overrides (`one_file`, `unidentified`); empty if there is none
    """

    records: pd.DataFrame
    figures: pd.DataFrame
    reported: pd.DataFrame
    is_effective: bool
    is_disputed: bool
    forbidden: str


class VerdictPreviews:
    """Computes the effects of verdicts, from the last run of a home, which is kept in memory. Several threads may share it.

    Judgements that are entered after the run are taken into account.
    """

    def __init__(self, published_run: PublishedRun, registry: Registry) -> None:
        """Load a published run. Raises `HarmoniaError` if its lake cannot be read."""
        self.published_run, self._registry, self._lock = published_run, registry, Lock()
        model, spark = load_linkage_model(), SplinkOnSpark.from_environment()
        canonical = {name: published_run.read_lake_table("canonical", name, columns) for name, columns in INPUT_COLUMNS.items()}
        self._places, self._successors = published_run.read_lake_table("identities", "listed"), canonical["successors"]
        self._relinking = PreparedRelinking(canonical, model, self._places, published_run.home.lake / "linkage_memory", spark)
        identities, status, findings, tables = (
            lake.open_stored_output(dict, published_run.home.lake / stage)
            for stage in ("identities", "record_status", "findings", "canonical")
        )
        published = RecordIds(identities["cases"], identities["persons"])
        self._recount = RecountWithOtherIds(collect_run_inputs(tables, identities, status, findings), published)
        self.published = published_run.read_lake_table("statistics", "statistics").set_index(CELL)[MEASURES].dropna().astype("int64")
        self._pending = self.published.iloc[:0]
        self._entered: int | None = None
        self._decided: dict[tuple[object, ...], tuple[RecordClusters, RecordIds]] = {}
        self._counted: dict[int, tuple[RecordIds, pd.DataFrame]] = {}
        self._apply_new_judgements()

    def close(self) -> None:
        """Close the database that is used for counting."""
        self._recount.close()

    def preview_verdict(self, pair: pd.DataFrame, verdict: str, steward: str) -> VerdictEffect:
        """Compute what changes if `steward` enters `verdict` on `pair` (a frame of one row with the columns `PAIR`)."""
        with self._lock:
            self._apply_new_judgements()
            judgements = read_current_verdicts(self._registry, self._places, pair[PAIR].assign(verdict=verdict, steward=steward))
            clusters, after = self._link_under_judgements(judgements)
            now, changes = self._recount.now, self._compute_figure_changes(after)
        combined = judgements.merge(pair[PAIR], on=PAIR)["verdict"]
        return VerdictEffect(
            records=_list_changed_records(now, after, pair),
            figures=self._list_changed_figures(changes, "harmonised"),
            reported=self._list_changed_figures(changes, "as_reported"),
            is_effective=verdict in BINDING_VERDICTS
            and bool(combined.eq(verdict).any())
            and _are_in_one_cluster(clusters, pair) == (verdict == "same"),
            is_disputed=bool(combined.eq("disputed").any()),
            forbidden=self._relinking.find_forbidding_rule(pair) if verdict == "same" else "",
        )

    def _apply_new_judgements(self) -> None:
        """Apply the judgements that were entered since the last call, so that current ids and figures are those under all judgements."""
        entered = len(read_judgements(self._registry))
        if entered == self._entered:
            return
        after = self._link_under_judgements(read_current_verdicts(self._registry, self._places))[1]
        if not _have_equal_ids(after, self._recount.now):
            self._pending = _sum_figures(self._pending, self._compute_figure_changes(after).set_index(CELL))
            self._recount.set_current_ids(after)
            self._counted.clear()
        self._entered = entered

    def _link_under_judgements(self, judgements: pd.DataFrame) -> tuple[RecordClusters, RecordIds]:
        """Return the clusters and ids that linkage gives under `judgements`.

        The latest results are kept in memory, since a verdict is usually entered right after its preview.
        """
        binding = judgements[judgements["verdict"].isin(BINDING_VERDICTS)].reset_index(drop=True)
        key = tuple(binding.itertuples(index=False, name=None))
        if key not in self._decided:
            clusters = self._relinking.link_under_judgements(binding)
            self._decided[key] = (clusters, self._foresee_ids(clusters))
            while len(self._decided) > _MAX_CACHED:
                self._decided.pop(next(iter(self._decided)))
        return self._decided[key]

    def _compute_figure_changes(self, ids_after: RecordIds) -> pd.DataFrame:
        """Return the figures that would change if records had the ids `ids_after` (`RecountWithOtherIds.compute_changed_cells`).

        Results are cached until the current ids change. The cache identifies `ids_after` by its identity as an object, which works
        because `_link_under_judgements` returns the same object for the same judgements.
        """
        if id(ids_after) not in self._counted:
            equal = _have_equal_ids(ids_after, self._recount.now)
            if len(self._counted) > _MAX_CACHED:
                self._counted.clear()
            self._counted[id(ids_after)] = (
                ids_after,
                pd.DataFrame(columns=[*CELL, *MEASURES]) if equal else self._recount.compute_changed_cells(ids_after),
            )
        return self._counted[id(ids_after)][1]

    def _foresee_ids(self, clusters: RecordClusters) -> RecordIds:
        """Return the ids that the next run would assign to the clusters."""
        cases = preview_ids(self._registry, "case", add_rows_for_old_keys(clusters.cases, self._successors, "case"))
        persons_old_keys = add_rows_for_old_keys(clusters.persons, self._successors, "person")
        persons = preview_ids(self._registry, "person", replace_record_keys_by_first_keys(persons_old_keys, self._places))
        persons = persons.assign(record_key=persons_old_keys["record_key"].array)
        return RecordIds(cases.rename(columns={"entity_id": "case_id"}), persons.rename(columns={"entity_id": "person_id"}))

    def _list_changed_figures(self, changes: pd.DataFrame, measure: str) -> pd.DataFrame:
        """Return the figures whose `measure` changes, with the columns `FIGURES`.

        `changes` comes from `RecountWithOtherIds.compute_changed_cells`. If a cell is not published, its published figure counts as 0.
        """
        changed = changes[changes[measure] != 0].set_index(CELL)[measure]
        published = self.published[measure].reindex(changed.index).fillna(0).astype("int64")
        before = published + self._pending[measure].reindex(changed.index).fillna(0).astype("int64")
        return pd.DataFrame({"published": published, "before": before, "after": before + changed}).reset_index()[FIGURES]


def _sum_figures(first_figures: pd.DataFrame, second_figures: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([first_figures, second_figures]).groupby(level=CELL).sum()


def _have_equal_ids(first_ids: RecordIds, second_ids: RecordIds) -> bool:
    """Return whether all records have the same ids in `first_ids` and `second_ids`."""
    columns = {"cases": [*RECORD, "case_id"], "persons": [*RECORD, "person_id"]}
    id_sets = [
        {name: set(zip(*(getattr(ids, name)[column].tolist() for column in of), strict=True)) for name, of in columns.items()}
        for ids in (first_ids, second_ids)
    ]
    return id_sets[0] == id_sets[1]


def _are_in_one_cluster(clusters: RecordClusters, pair: pd.DataFrame) -> bool:
    """Return whether the two records of the pair are in one cluster."""
    frame = getattr(clusters, ENTITIES[str(pair["entity"].iloc[0])]).set_index(RECORD)["cluster"]
    a, b = (frame.get((pair[f"institution_{side}"].iloc[0], pair[f"key_{side}"].iloc[0])) for side in "ab")
    return a is not None and a == b


def _list_changed_records(ids_before: RecordIds, ids_after: RecordIds, pair: pd.DataFrame) -> pd.DataFrame:
    """Return all records of the cases and persons that change, and of those of `pair`, even if they do not change.

    The columns are `RECORDS`.
    """
    parts = []
    for entity, name in ENTITIES.items():
        column = f"{entity}_id"
        both = getattr(ids_before, name).merge(getattr(ids_after, name), on=RECORD, suffixes=("_before", "_after"))
        both = both.rename(columns={f"{column}_before": "before", f"{column}_after": "after"})
        touched = both["before"] != both["after"]
        for side in "ab" if entity == pair["entity"].iloc[0] else "":
            touched |= (both["institution"] == pair[f"institution_{side}"].iloc[0]) & (both["record_key"] == pair[f"key_{side}"].iloc[0])
        ids = pd.concat([both.loc[touched, "before"], both.loc[touched, "after"]])
        parts.append(both[both["before"].isin(ids) | both["after"].isin(ids)].assign(entity=entity))
    return pd.concat(parts, ignore_index=True)[RECORDS].astype("str").sort_values(["entity", "after", *RECORD], ignore_index=True)
