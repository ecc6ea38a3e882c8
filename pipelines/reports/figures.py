"""The figures of a release as shown in a report. Reads only the protected cube.

Belongs here: looking up a published figure, its labels, the mark of a suppressed one. Does not belong here: sections (`joint`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from pipelines.reports.document import MARK, Cell, Table
from pipelines.reports.words import Words
from warehouse.indicators import indicators
from warehouse.releases.reading import Release, category, label, status_text

MOST_YEARS = 5


@dataclass(frozen=True)
class Figures:
    """Published figures of `release` in the language of `words`."""

    release: Release
    words: Words

    @cached_property
    def titles(self) -> dict[str, str]:
        """Indicator → title, in the order of the release."""
        found = self.release.table("definitions").sort_values("position")
        return {str(i): str(t) for i, t in zip(found["indicator"], found[f"title_{self.words.lang}"], strict=True)}

    @cached_property
    def by_stage(self) -> dict[str, list[str]]:
        """Stage → its indicators, in the order of the release."""
        out: dict[str, list[str]] = {}
        for code in self.titles:
            out.setdefault(indicators()[code].harmonised.stage, []).append(code)
        return out

    def years(self, upto: str) -> list[str]:
        """The last years of the release up to and including `upto`."""
        return [year for year in self.release.years() if year <= upto][-MOST_YEARS:]

    def rows(self, code: str, table: str, of: str, measure: str = "harmonised") -> pd.DataFrame:
        """The published rows of a table; empty where it was not (yet) published."""
        return self.release.figures(code, table, of, measure)

    def number(self, code: str, table: str, of: str, cell: str, measure: str = "harmonised") -> int | None:
        """A figure; None where it is suppressed."""
        rows = self.rows(code, table, of, measure)
        found = rows.loc[rows["cell"] == cell, "value"].dropna()
        return int(found.iloc[0]) if len(found) else None

    def shown(self, value: float, row: pd.Series) -> str:
        """A figure as text, with an asterisk where it is incomplete."""
        return f"{int(value)}{'*' if row['incomplete'] else ''}"

    def total(self, code: str, year: str, measure: str = "harmonised") -> Cell:
        """The year's total, or its status: "fewer than", not delivered, unknown."""
        rows = self.rows(code, "total", year, measure)
        if rows.empty:
            return Cell("–")
        row = rows.iloc[0]
        if pd.notna(row["value"]):
            return Cell(self.shown(row["value"], row))
        text = status_text(row["status"], self.words.lang, None if pd.isna(row["limit"]) else int(row["limit"]))
        return Cell(f"{text}*" if row["incomplete"] and row["status"] == "fewer_than" else text, number=False)

    def part(self, code: str, year: str, offence: str, measure: str = "harmonised") -> Cell:
        """One offence's part of a year's total; the mark where it is suppressed."""
        rows = self.rows(code, "offence_group", year, measure)
        found = rows[(rows["cell"] == offence) & rows["value"].notna()]
        if len(found):
            return Cell(self.shown(found["value"].iloc[0], found.iloc[0]))
        known = self.rows(code, "total", year, measure)["value"].notna().any()
        return Cell(MARK if known else "–", marked=bool(known))

    def gaps(self, *periods: str, codes: Collection[str] | None = None) -> list[str]:
        """The incomplete deliveries of the periods' years, in words; of the indicators `codes`, or of all."""
        rows = self.release.cube
        mine = rows[rows["table"].isin(["total", "offence_group"]) & rows["of"].isin([period[:4] for period in periods])]
        mine = mine if codes is None else mine[mine["indicator"].isin(codes)]
        return self._stars(mine)

    def _stars(self, rows: pd.DataFrame) -> list[str]:
        texts = [self.words.gap(missing) for missing in rows["missing"].dropna().unique()]
        return [f"* {one}" for one in dict.fromkeys(texts) if one]

    def breakdown(self, code: str, table: str, of: str) -> Table | None:
        """One published breakdown as a table, one row per (merged) category. None where it was not (yet) published."""
        rows = self.rows(code, table, of)
        if rows.empty:
            return None
        lang = self.words.lang
        caption = f"{self.titles[code]}, {of.replace('/', '–')}: {label('table', table, lang).lower()}"
        head = [self.words("columns", "category"), self.words("columns", "figure")]
        if rows["value"].isna().any():
            return Table(caption, head, [], [status_text(rows["status"].iloc[0], lang)])
        cells = [
            [Cell(self.category(table, str(row["cell"])), number=False), Cell(self.shown(row["value"], row))] for _, row in rows.iterrows()
        ]
        joined = rows["status"].eq("joined").any()
        return Table(caption, head, cells, [*([status_text("joined", lang)] if joined else []), *self._stars(rows)])

    def category(self, table: str, cell: str) -> str:
        """The label of a cell of a table."""
        return category(table, cell, self.words.lang)
