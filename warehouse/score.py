"""Measure how accurate a published warehouse is, by comparison with the truth behind simulated or sample deliveries.

For evaluation only: the pipeline never imports this module or reads the truth.
Belongs here: comparing published tables with the files of the truth (`statistics.csv`, `records.csv`, `reconciliation.csv`), showing the
result. Does not belong here: anything that changes a figure.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as Grid

from harmonia.errors import HarmoniaError
from schemas.texts import texts
from warehouse.indicators import DIMENSIONS

RECORD = ["institution", "entity", "record_key", "delivery"]
CELL = ["indicator", "period", *DIMENSIONS]
MEASURES = ("as_reported", "harmonised")
NEEDED = ("statistics.csv", "records.csv")
STRATEGY = Path(__file__).parents[1] / "benchmarks" / "strategy_figures.csv"


@dataclass(frozen=True)
class ScoreResult:
    """The result of the comparison.

    The columns of each table are in parentheses.

    missing         the records of the truth that are not in the lineage (RECORD)
    wrong_status    the records whose status is neither the expected nor the alternative one (RECORD, status, expected_status, alt_status)
    extra           the records in the lineage that are not in the truth (RECORD)
    totals          the yearly totals and the true ones (indicator, period, as_reported, harmonised, as_reported_true, harmonised_true)
    errors          the errors of figures by table, length of the period and measure (columns: see `sum_errors_of_figures`)
    strategy        the figures in the national strategy, if the truth contains all of them (indicator, period, offence_group, figure,
                    harmonised)
    pairs           how accurate linkage is over pairs of records (entity, records, precision, recall, f1)
    reconciliation  the comparison of reconciliation with the truth (columns: see `compare_reconciliation_with_truth`)
    """

    missing: pd.DataFrame
    wrong_status: pd.DataFrame
    extra: pd.DataFrame
    totals: pd.DataFrame
    errors: pd.DataFrame
    strategy: pd.DataFrame
    pairs: pd.DataFrame
    reconciliation: pd.DataFrame

    def relative_error(self, measure: str) -> float:
        """Return the sum of the absolute errors of the yearly totals, divided by the sum of the true harmonised figures.

        For the measure `as_reported`, this is the error that results from simply counting the institutions' rows.
        """
        true = self.totals["harmonised_true"]
        return float((self.totals[measure] - true).abs().sum() / true.sum()) if true.sum() else 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield tables for a console."""
        yield f"Records: {len(self.missing)} missing, {len(self.wrong_status)} with a wrong status, {len(self.extra)} not in the truth"
        yield f"Yearly totals: harmonised {self.relative_error('harmonised'):.2%} off, row by row {self.relative_error('as_reported'):.2%}"
        for frame, title in (
            (self.missing, "Missing in lineage"),
            (self.wrong_status, "Wrong status"),
            (self.errors, "Errors of figures"),
            (self.totals, f"Yearly totals: {texts('console')['total']}"),
            (self.strategy, "The strategy's figures"),
            (self.pairs, "Linked records"),
            (self.reconciliation, "Reconciliation"),
        ):
            if len(frame):
                yield _as_rich_table(frame, title)

    def __str__(self) -> str:
        """Return the result of the comparison as plain text."""
        text = io.StringIO()
        Console(file=text, width=120, highlight=False).print(self)
        return text.getvalue()


def _as_rich_table(frame: pd.DataFrame, title: str) -> Grid:
    grid = Grid(title=title, title_justify="left")
    for column in frame.columns:
        grid.add_column(str(column), justify="right" if pd.api.types.is_numeric_dtype(frame[column]) else "left")
    for row in frame.itertuples(index=False):
        grid.add_row(*("" if pd.isna(v) else f"{v:.4f}" if isinstance(v, float) else str(v) for v in row))
    return grid


def _read_truth(truth: Path, name: str, columns: list[str]) -> pd.DataFrame:
    """Read a file of the truth as text; empty cells are null. Raises `HarmoniaError` for a missing column."""
    frame = pd.read_csv(truth / name, dtype="str", keep_default_na=False, na_values=[""])
    absent = [c for c in columns if c not in frame.columns]
    if absent:
        raise HarmoniaError(f"{truth / name}: lacks the columns {', '.join(absent)}; name a truth folder with --truth")
    return frame


def _read_published_tables(warehouse: Path, names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Read published tables by name. Raises `HarmoniaError` if the warehouse is missing or invalid."""
    if not warehouse.is_file():
        raise HarmoniaError(f"{warehouse}: no warehouse is published there; run `harmonia run` first, or name its home with --home")
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            return {name: connection.table(name).df() for name in names}
    except duckdb.Error as error:
        raise HarmoniaError(f"{warehouse}: cannot be read as a warehouse ({type(error).__name__}); run `harmonia run` again") from error


def compare_records_with_truth(lineage: pd.DataFrame, true_records: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Compare the records of the lineage with those of the truth. Return the missing records, those with a wrong status, and the extra
    records (see `ScoreResult`).

    lineage: the lineage, with the columns RECORD and status. true_records: the records of the truth, with the columns RECORD,
    expected_status and alt_status (an alternative that is also right). A record that is `unparseable` in the truth may be
    `quarantined` in the lineage, or missing. If a record has several lines in a delivery, at
    least one of them must have a right status.
    """
    true_records = true_records.assign(true_line=range(len(true_records)))
    accepted_status = true_records[["expected_status", "alt_status"]].replace("unparseable", "quarantined")
    both = true_records.merge(lineage[[*RECORD, "status"]].drop_duplicates(), on=RECORD, how="left")
    accepted = accepted_status.loc[both["true_line"]].set_axis(both.index)
    is_right = (both["status"] == accepted["expected_status"]) | (both["status"] == accepted["alt_status"])
    may_be_absent = (accepted == "quarantined").any(axis=1)
    is_absent = both["status"].isna()
    right_lines = both.loc[is_right | (is_absent & may_be_absent), "true_line"]
    wrong = both[~both["true_line"].isin(right_lines)]
    extra = lineage.merge(true_records[RECORD], on=RECORD, how="left", indicator=True)
    return (
        wrong.loc[wrong["status"].isna(), RECORD],
        wrong.loc[wrong["status"].notna(), [*RECORD, "status", "expected_status", "alt_status"]],
        extra.loc[extra["_merge"] == "left_only", RECORD].drop_duplicates(),
    )


def compare_cells(statistics: pd.DataFrame, true_figures: pd.DataFrame) -> pd.DataFrame:
    """Join the true figures with the published ones; a figure that is not published is 0.

    Columns out: CELL; as_reported, harmonised: the published figures; as_reported_true, harmonised_true: the true figures; table: the
    dimensions by which the figure is broken down, comma-separated, or `total`; length: the length of the period, `years` or `quarters`.
    """
    true_figures = true_figures.assign(**{m: true_figures[m].fillna("0").astype(int) for m in MEASURES})
    periods = set(true_figures["period"])
    counted = statistics.loc[statistics["period"].isin(periods), [*CELL, *MEASURES]]
    both = true_figures[[*CELL, *MEASURES]].merge(counted, on=CELL, how="left", suffixes=("_true", ""))
    broken_down = (both[list(DIMENSIONS)] != "total").dot(pd.Series([f"{d}," for d in DIMENSIONS], index=list(DIMENSIONS), dtype=object))
    table = broken_down.astype("str").str.strip(",").replace("", "total")
    length = both["period"].str.len().map({4: "years"}).fillna("quarters")
    return both.assign(**{m: both[m].fillna(0).astype(int) for m in MEASURES}, table=table, length=length)


def sum_errors_of_figures(cells: pd.DataFrame) -> pd.DataFrame:
    """Sum up the errors by table, length of period and measure.

    Columns out: table, length, measure; cells: the number of figures; wrong: the number of figures that differ from the truth; off: the sum
    of the absolute errors; of: the sum of the true figures; share: off / of.
    """
    parts = []
    for measure in MEASURES:
        error = (cells[measure] - cells[f"{measure}_true"]).abs()
        by_cell = cells.assign(measure=measure, off=error, wrong=(error > 0).astype(int), of=cells[f"{measure}_true"], cells=1)
        parts.append(by_cell.groupby(["table", "length", "measure"])[["cells", "wrong", "off", "of"]].sum().reset_index())
    errors = pd.concat(parts, ignore_index=True)
    errors["share"] = (errors["off"] / errors["of"].where(errors["of"] > 0)).astype("float64")
    return errors.sort_values(["table", "length", "measure"], ignore_index=True)


def compare_with_figures_of_national_strategy(cells: pd.DataFrame) -> pd.DataFrame:
    """Compare the figures in the national strategy with the published ones. The result is empty unless the truth contains all figures of
    the strategy."""
    figures = pd.read_csv(STRATEGY, dtype={"indicator": "str", "period": "str", "offence_group": "str"}).drop(columns="source")
    others = [d for d in DIMENSIONS if d != "offence_group"]
    by_offence = cells[(cells[others] == "total").all(axis=1)]
    both = figures.merge(by_offence, on=["indicator", "period", "offence_group"], how="left")
    truth_has_all = (both["harmonised_true"] == both["figure"]).all()
    return both[["indicator", "period", "offence_group", "figure", "harmonised"]] if truth_has_all else both.iloc[:0, :0]


def _count_pairs_in_clusters(cluster_sizes: pd.Series) -> float:
    return float((cluster_sizes * (cluster_sizes - 1) / 2).sum())


def compute_pairwise_accuracy(assigned_ids: pd.Series, true_ids: pd.Series) -> dict[str, float]:
    """Compute precision, recall and F1 of the pairs of records that are in the same cluster.

    assigned_ids, true_ids: the id of the published cluster and of the true cluster of each record, without nulls.
    """
    both = pd.DataFrame({"ours": assigned_ids.to_numpy(), "true": true_ids.to_numpy()})
    correct, linked, true_pairs = (_count_pairs_in_clusters(both.groupby(by).size()) for by in (["ours", "true"], ["ours"], ["true"]))
    precision, recall = correct / linked if linked else 1.0, correct / true_pairs if true_pairs else 1.0
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall) if correct else 0.0}


def compute_linkage_accuracy_of_record_pairs(lineage: pd.DataFrame, true_records: pd.DataFrame) -> pd.DataFrame:
    """Compute precision and recall of linkage over pairs of records, for cases (case records) and persons (person records).

    A record without an id counts as a cluster with one record. A key that denotes different persons in different deliveries is a record
    for each of them; a row that cannot be read is not linked.
    """
    key = ["institution", "entity", "record_key"]
    true_records, out = true_records[true_records["expected_status"] != "unparseable"], []
    for entity, column in (("case", "case_id"), ("person", "person_id")):
        expected = true_records[(true_records["entity"] == entity) & true_records[column].notna()].drop_duplicates(RECORD)
        published = lineage[lineage["entity"] == entity].drop_duplicates(RECORD)[[*RECORD, column]]
        both = expected.merge(published, on=RECORD, how="inner", suffixes=("_true", ""))
        both = both.drop_duplicates([*key, column, f"{column}_true"], ignore_index=True)
        singletons = pd.Series([f"alone-{n}" for n in range(len(both))], index=both.index, dtype="str")
        out.append(
            {"entity": entity, "records": len(both), **compute_pairwise_accuracy(both[column].fillna(singletons), both[f"{column}_true"])}
        )
    return pd.DataFrame(out)


def _find_true_id_of_each_published_id(lineage: pd.DataFrame, true_records: pd.DataFrame, entity: str, column: str) -> pd.Series:
    """Return, for each published id, the true id of most of its records."""
    key = ["institution", "entity", "record_key"]
    both = (
        lineage[lineage["entity"] == entity].drop_duplicates(key).merge(true_records.drop_duplicates(key), on=key, suffixes=("", "_true"))
    )
    tally = both.groupby([column, f"{column}_true"]).size().rename("n").reset_index().sort_values("n", ascending=False)
    return tally.drop_duplicates(column).set_index(column)[f"{column}_true"]


def compare_reconciliation_with_truth(
    reconciled: pd.DataFrame, true: pd.DataFrame, lineage: pd.DataFrame, true_records: pd.DataFrame
) -> pd.DataFrame:
    """Compare `reconciliation` with the truth by step.

    Columns out: step; ours: the number of published rows; true: the number of true rows; equal: the number of rows that agree in case,
    person, period and outcome; equal_but_period: the number of rows that agree in case, person and outcome, whatever their period.
    """
    with_true_ids = reconciled.assign(
        case_id=reconciled["case_id"].map(_find_true_id_of_each_published_id(lineage, true_records, "case", "case_id")),
        person_id=reconciled["person_id"].map(_find_true_id_of_each_published_id(lineage, true_records, "person", "person_id")),
    )
    out = []
    for step in sorted(set(true["step"]) | set(reconciled["step"])):
        published, expected = with_true_ids[with_true_ids["step"] == step].drop_duplicates(), true[true["step"] == step]
        keys = ["case_id", "person_id", "outcome"]
        outcome = len(expected[keys].drop_duplicates().merge(published[keys].drop_duplicates(), on=keys))
        exact = len(expected[[*keys, "period"]].merge(published[[*keys, "period"]].drop_duplicates(), on=[*keys, "period"]))
        out.append({"step": step, "ours": len(published), "true": len(expected), "equal": exact, "equal_but_period": outcome})
    return pd.DataFrame(out)


def score_warehouse(warehouse: Path, truth: Path) -> ScoreResult:
    """Compare a published warehouse file with a truth folder.

    Raises `HarmoniaError` if either is missing or invalid.
    """
    for name in NEEDED:
        if not (truth / name).is_file():
            raise HarmoniaError(f"{truth}: has no {name}; name a truth folder with --truth")
    published = _read_published_tables(warehouse, ("statistics", "lineage", "reconciliation"))
    true_records = _read_truth(truth, "records.csv", [*RECORD, "case_id", "person_id", "expected_status"])
    true_records = true_records if "alt_status" in true_records else true_records.assign(alt_status=None)
    missing, wrong, extra = compare_records_with_truth(published["lineage"], true_records)
    cells = compare_cells(published["statistics"], _read_truth(truth, "statistics.csv", [*CELL, *MEASURES]))
    totals = cells[(cells["table"] == "total") & (cells["length"] == "years")]
    steps = pd.DataFrame()
    if (truth / "reconciliation.csv").is_file():
        expected = _read_truth(truth, "reconciliation.csv", ["step", "period", "case_id", "person_id", "outcome"])
        steps = compare_reconciliation_with_truth(published["reconciliation"], expected, published["lineage"], true_records)
    return ScoreResult(
        missing=missing,
        wrong_status=wrong,
        extra=extra,
        totals=totals[["indicator", "period", *MEASURES, *(f"{m}_true" for m in MEASURES)]],
        errors=sum_errors_of_figures(cells),
        strategy=compare_with_figures_of_national_strategy(cells),
        pairs=compute_linkage_accuracy_of_record_pairs(published["lineage"], true_records),
        reconciliation=steps,
    )
