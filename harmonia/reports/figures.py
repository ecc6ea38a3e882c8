"""The figures of a release as shown in a report. Only the protected figures are read.

Belongs here: looking up a published figure, its labels, the mark of a suppressed figure. Does not belong here: sections (`joint`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from harmonia.reports.document import SUPPRESSED_MARK, Cell, Table
from harmonia.reports.texts import ReportTexts
from sources.completeness_states import REOPENED, UNSIGNED
from warehouse.indicators import indicators
from warehouse.releases.reading import Release, find_label_of_code, make_label_of_cell, make_text_of_figure_status

MAX_YEARS = 5


@dataclass(frozen=True)
class PublishedFigures:
    """The published figures of `release`, with labels in the language of `texts`."""

    release: Release
    texts: ReportTexts

    @cached_property
    def indicator_titles(self) -> dict[str, str]:
        """The title of each indicator, in the order of the release."""
        definitions = self.release.table("definitions").sort_values("position")
        return {str(i): str(t) for i, t in zip(definitions["indicator"], definitions[f"title_{self.texts.lang}"], strict=True)}

    @cached_property
    def indicators_by_stage(self) -> dict[str, list[str]]:
        """The indicators of each stage of a criminal case, in the order of the release."""
        out: dict[str, list[str]] = {}
        for code in self.indicator_titles:
            out.setdefault(indicators()[code].harmonised.stage, []).append(code)
        return out

    def list_years(self, last_year: str) -> list[str]:
        """Return the years of the release up to `last_year`, at most the latest `MAX_YEARS` of them."""
        return [year for year in self.release.years() if year <= last_year][-MAX_YEARS:]

    def find_rows(self, code: str, table: str, period: str, measure: str = "harmonised") -> pd.DataFrame:
        """Return the published rows of a table (such as `sex`) of an indicator. The result is empty if the table was not published."""
        return self.release.figures(code, table, period, measure)

    def find_figure(self, code: str, table: str, period: str, cell: str, measure: str = "harmonised") -> int | None:
        """Return a figure, or None if it is suppressed."""
        rows = self.find_rows(code, table, period, measure)
        rows_of_cell = rows.loc[rows["cell"] == cell, "value"].dropna()
        return int(rows_of_cell.iloc[0]) if len(rows_of_cell) else None

    def format_figure(self, value: float, row: pd.Series) -> str:
        """Return the figure `value` as text, with an asterisk if it is incomplete. row: the published row of the figure."""
        return f"{int(value)}{'*' if row['incomplete'] else ''}"

    def make_total_cell(self, code: str, year: str, measure: str = "harmonised") -> Cell:
        """Return a cell with the total of a year. If there is no figure, the cell says why: "fewer than", not delivered, or unknown."""
        rows = self.find_rows(code, "total", year, measure)
        if rows.empty:
            return Cell("–")
        row = rows.iloc[0]
        if pd.notna(row["value"]):
            return Cell(self.format_figure(row["value"], row))
        text = make_text_of_figure_status(row["status"], self.texts.lang, None if pd.isna(row["limit"]) else int(row["limit"]))
        return Cell(f"{text}*" if row["incomplete"] and row["status"] == "fewer_than" else text, number=False)

    def make_offence_cell(self, code: str, year: str, offence: str, measure: str = "harmonised") -> Cell:
        """Return a cell with the part of a year's total that belongs to one offence group.

        If that part is suppressed, the cell has the suppression mark.
        """
        rows = self.find_rows(code, "offence_group", year, measure)
        rows_of_cell = rows[(rows["cell"] == offence) & rows["value"].notna()]
        if len(rows_of_cell):
            return Cell(self.format_figure(rows_of_cell["value"].iloc[0], rows_of_cell.iloc[0]))
        total_is_published = self.find_rows(code, "total", year, measure)["value"].notna().any()
        return Cell(SUPPRESSED_MARK if total_is_published else "–", suppressed=bool(total_is_published))

    def explain_incomplete_figures(self, *periods: str, codes: Collection[str] | None = None) -> list[str]:
        """Return notes on the years of `periods`. They say which deliveries are incomplete, and which quarters are not signed.

        If `codes` is given, only deliveries that these indicators count are named.
        """
        rows = self.release.cube
        rows_of_periods = rows[rows["table"].isin(["total", "offence_group"]) & rows["of"].isin([period[:4] for period in periods])]
        rows_of_periods = rows_of_periods if codes is None else rows_of_periods[rows_of_periods["indicator"].isin(codes)]
        return [*self._explain_missing_deliveries(rows_of_periods), *self._explain_unsigned_quarters({period[:4] for period in periods})]

    def _explain_unsigned_quarters(self, years: Collection[str]) -> list[str]:
        """Return a note that names the quarters whose current state is not signed by the head of the institution.

        years: the years of these quarters. There is no note if the release has no signatures.
        """
        coverage = self.release.table("coverage")
        if "signature" not in coverage:
            return []
        quarters = coverage[coverage["period"].str.contains("-Q") & coverage["period"].str[:4].isin(years)]
        unsigned = quarters[quarters["signature"].isin([UNSIGNED, REOPENED])].sort_values(["institution", "period"])
        listed = [
            f"{self.texts.format_institution(str(name))} ({', '.join(found)})" for name, found in unsigned.groupby("institution")["period"]
        ]
        return [self.texts("preliminary", quarters="; ".join(listed))] if listed else []

    def _explain_missing_deliveries(self, rows: pd.DataFrame) -> list[str]:
        texts = [self.texts.describe_missing_deliveries(missing) for missing in rows["missing"].dropna().unique()]
        return [f"* {text}" for text in dict.fromkeys(texts) if text]

    def make_breakdown_table(self, code: str, table: str, period: str) -> Table | None:
        """Return a breakdown as a table with one row for each published category, or None if the breakdown was not published."""
        rows = self.find_rows(code, table, period)
        if rows.empty:
            return None
        lang = self.texts.lang
        caption = f"{self.indicator_titles[code]}, {period.replace('/', '–')}: {find_label_of_code('table', table, lang).lower()}"
        header = [self.texts("columns", "category"), self.texts("columns", "figure")]
        if rows["value"].isna().any():
            return Table(caption, header, [], [make_text_of_figure_status(rows["status"].iloc[0], lang)])
        cells = [
            [Cell(self.label_category(table, str(row["cell"])), number=False), Cell(self.format_figure(row["value"], row))]
            for _, row in rows.iterrows()
        ]
        has_merged_categories = rows["status"].eq("joined").any()
        return Table(
            caption,
            header,
            cells,
            [*([make_text_of_figure_status("joined", lang)] if has_merged_categories else []), *self._explain_missing_deliveries(rows)],
        )

    def label_category(self, table: str, cell: str) -> str:
        """Return the label of the category to which a cell of a table belongs."""
        return make_label_of_cell(table, cell, self.texts.lang)
