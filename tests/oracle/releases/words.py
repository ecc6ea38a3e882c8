"""The words of a release turned back into codes, by `labels`, `definitions` and `causes` of its public part."""

from __future__ import annotations

import csv
import re
from functools import cache
from itertools import combinations
from pathlib import Path

LANGUAGES = ("sq", "sr", "en")


TOGETHER = {
    "sq": ("shkaqe të tjera së bashku", "të gjitha shkaqet së bashku"),
    "sr": ("ostali uzroci zajedno", "svi uzroci zajedno"),
    "en": ("other causes together", "all causes together"),
}


def plain(text: str) -> str:
    """Without case and white space: where a line was broken, text read from a PDF lacks the space."""
    return re.sub(r"\s+", "", text).casefold()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Words:
    """Words of one release in one language."""

    def __init__(self, public: Path, language: str):
        self.language = language
        labels = rows_of(public / "labels.csv")
        definitions = rows_of(public / "definitions.csv")
        self.titles = {plain(row[f"title_{language}"]): row["indicator"] for row in definitions}
        self.sources = {row["indicator"]: row["institutions"].split(",") for row in definitions}
        self.causes = {plain(row[language]).rstrip("."): row["cause"] for row in rows_of(public / "causes.csv")}
        self._labels = {(row["dimension"], row["code"]): row[language] for row in labels}
        self.tables = {plain(text): code for (kind, code), text in self._labels.items() if kind == "table"}
        self.measures = {plain(text): code for (kind, code), text in self._labels.items() if kind == "measure"}

    def label(self, dimension: str, code: str) -> str:
        return self._labels[dimension, code]

    @cache  # noqa: B019 a Words lives as long as its release is read
    def _cells(self, dimension: str) -> dict[str, str]:
        """Every category and every way of joining categories, by its label."""
        codes = [code for kind, code in self._labels if kind == dimension and code not in ("total",)]
        join = plain(self.label("note", "joined"))
        return {
            join.join(plain(self.label(dimension, code)) for code in chosen): "+".join(chosen)
            for size in range(1, len(codes) + 1)
            for chosen in combinations(codes, size)
        } | {plain(self.label(dimension, "total")): "total"}

    def part(self, dimension: str, text: str) -> str | None:
        """The code of a category as printed; None where no label says so."""
        if dimension == "quarter":
            found = re.findall(r"\d", re.sub(r"\d{4}", "", text))
            return "+".join(f"Q{digit}" for digit in found) if found else None
        return self._cells(dimension).get(plain(text))

    def cell(self, table: str, text: str) -> str | None:
        """The cell of a table as printed; crossed ones name both categories, in either order of words."""
        if not text.strip():
            return ""
        if table == "total":
            return "total"
        if table != "sex_age_group":
            return self.part(table, text)
        for sex, ages in self._crossed().items():
            for age, cell in ages.items():
                if plain(text) in {f"{sex}{mark}{age}" for mark in (",", "·", "/", "–", ":", "|", "×")}:
                    return cell
        return None

    @cache  # noqa: B019
    def _crossed(self) -> dict[str, dict[str, str]]:
        return {
            sex: {age: f"{sex_code}|{age_code}" for age, age_code in self._cells("age_group").items()}
            for sex, sex_code in self._cells("sex").items()
        }

    def causes_of(self, text: str, before: frozenset[str] = frozenset()) -> frozenset[str] | None:
        """The causes that a list of sentences names, or all beside those named before; None if it contains anything else."""
        rest, found = plain(text), set()
        if rest in map(plain, TOGETHER[self.language]):
            return frozenset(self.causes.values()) - before
        while rest:
            for sentence, cause in sorted(self.causes.items(), key=lambda one: -len(one[0])):
                if rest.startswith(sentence):
                    found.add(cause)
                    rest = rest[len(sentence) :].lstrip(".,;")
                    break
            else:
                return None
        return frozenset(found)
