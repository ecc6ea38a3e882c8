"""Matches delivered headers to declared columns, and reports what was assumed.

Belongs here: matching names that are equal, similar or in the right position; recognising a header row. Does not belong here: the cells
below the header.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rapidfuzz import fuzz

from sources.contract import ColumnSpec, TableSpec

SIMILAR = 75.0  # minimum similarity, of 100, from which two names mean the same column
NEAR = 65.0  # minimum similarity if the position fits too
_MOST_EXTRA = 100  # undeclared columns that are read; the file keeps the rest
_MOST_NAMES = 500
_SAME_WORD = {"numri": "nr", "numer": "nr", "no": "nr", "num": "nr", "datat": "data", "datum": "data"}

FitsColumn = Callable[[int, str], bool]


@lru_cache(maxsize=65536)
def normalise_name(name: str) -> str:
    """Return a name as words in lower-case ASCII, separated by one space, so that case, diacritics and punctuation do not matter."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return " ".join(_SAME_WORD.get(w, w) for w in re.findall(r"[a-z]+|[0-9]+", plain))


@dataclass
class HeaderMatch:
    """How the delivered names of a header match the declared columns. `columns` has the declared column by delivered position, and `extra`
    the names of undeclared columns by position. `missing` has the declared columns that were not delivered, and `findings` the rule, field
    and detail of each finding."""

    columns: dict[int, str] = field(default_factory=dict)
    extra: dict[int, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def names(self) -> dict[int, str]:
        """The name of each delivered column in the frame, by position."""
        return {**self.columns, **self.extra}


def compute_name_similarity(first: str, second: str) -> float:
    """Return the similarity of two normalised names, from 0 to 100. It is high if one name contains all words of the other."""
    if not first or not second:
        return 0.0
    solid = fuzz.ratio(first.replace(" ", ""), second.replace(" ", ""))
    words = fuzz.token_set_ratio(first, second) * 0.85 if min(len(first), len(second)) > 3 else 0.0
    return max(solid, words)


def count_named_columns(cells: Sequence[str | None], table: TableSpec) -> int:
    """Return how many declared columns of `table` are named in the cells of a row. Spelling does not matter."""
    delivered = {normalise_name(c) for c in cells if c}
    return sum(1 for c in table.columns if normalise_name(c.name) in delivered or any(normalise_name(a) in delivered for a in c.aliases))


def is_header(cells: Sequence[str | None], table: TableSpec) -> bool:
    """Return whether a row is a header of `table`. It is if it names at least half of the declared columns, and at least two."""
    return count_named_columns(cells, table) >= max(min(2, len(table.columns)), len(table.columns) / 2)


def resembles_header(cells: Sequence[str | None], table: TableSpec) -> bool:
    """Return whether a row resembles a header of `table`: most declared columns have a similar name in the row."""
    delivered = {name for c in cells if c and len(c) < 60 and re.search("[a-z]", name := normalise_name(c))}  # numbers are not names
    if len(delivered) < 3:
        return False
    alike = sum(1 for c in table.columns if any(compute_name_similarity(normalise_name(c.name), d) >= SIMILAR for d in delivered))
    return alike >= 0.6 * len(table.columns)


def match_header_to_columns(
    cells: Sequence[str | None], table: TableSpec, fits_column: FitsColumn | None = None, by_position: bool = True
) -> HeaderMatch:
    """Find the declared columns of `table` among the delivered names `cells`.

    Exact names are matched first, then other spellings and aliases, then similar names, then names in the right position.
    `fits_column(position, column)` returns whether the cells below could be values of the column, which decides if the name does not.
    `by_position=False`: the format has no order of columns, so only names decide. Each match that is not exact is reported as a finding.
    """
    out = HeaderMatch()
    names = [(c or "").strip() for c in cells]
    open_columns = {c.name: i for i, c in enumerate(table.columns)}
    aliases = {normalise_name(a): c.name for c in table.columns for a in c.aliases}
    folded = {normalise_name(c): c for c in open_columns}

    def assign_column(position: int, column: str, rule: str | None, detail: str = "") -> None:
        out.columns[position] = column
        del open_columns[column]
        if rule:
            out.findings.append({"rule": rule, "field": column, "detail": detail or names[position]})

    for exact in (True, False):
        for i, name in enumerate(names):
            column = name if exact else folded.get(normalise_name(name)) or aliases.get(normalise_name(name))
            if i not in out.columns and column in open_columns:
                assign_column(i, column, None if exact else "file-column-renamed")
    _match_similar_names(names, table, open_columns, out, assign_column, by_position)
    if by_position:
        _match_by_position(names, table, open_columns, out, assign_column, fits_column)
    _record_unmatched_names_and_columns(names, open_columns, out)
    ordered = [c.name for c in table.columns if c.name in out.columns.values()]
    if [out.columns[i] for i in sorted(out.columns)] != ordered:
        out.findings.append({"rule": "file-column-order"})
    return out


def _list_unmatched_positions(names: list[str], match: HeaderMatch) -> list[int]:
    """Return the positions of the names that are not matched yet."""
    return [i for i in range(len(names)) if i not in match.columns]


def _match_similar_names(
    names: list[str],
    table: TableSpec,
    open_columns: dict[str, int],
    match: HeaderMatch,
    assign_column: Callable[..., None],
    by_position: bool,
) -> None:
    """Match names to columns with a similar name, the most similar pairs first. A name in its declared position needs less similarity.
    Nothing is done if there are very many names."""
    if len(names) > _MOST_NAMES:
        return
    pairs = [
        (compute_name_similarity(normalise_name(names[i]), normalise_name(column)) + (10 if i == place else 0), -i, column, i, place)
        for i in _list_unmatched_positions(names, match)
        for column, place in open_columns.items()
    ]
    for score, _, column, i, place in sorted(pairs, key=lambda p: (-p[0], -p[1], p[2])):
        if i in match.columns or column not in open_columns:
            continue
        if score >= SIMILAR + (10 if i == place else 0) or (
            by_position and score >= NEAR and _is_in_declared_order(i, place, table, match)
        ):
            assign_column(i, column, "file-column-renamed")


def _is_in_declared_order(position: int, place: int, table: TableSpec, match: HeaderMatch) -> bool:
    """Return whether a name at `position` can be the column that is declared at `place`: the columns matched to its left must be declared
    before that column, and those to its right after it."""
    order = {c.name: i for i, c in enumerate(table.columns)}
    before = [order[c] for i, c in match.columns.items() if i < position]
    after = [order[c] for i, c in match.columns.items() if i > position]
    return all(b < place for b in before) and all(a > place for a in after)


def _match_by_position(
    names: list[str],
    table: TableSpec,
    open_columns: dict[str, int],
    match: HeaderMatch,
    assign_column: Callable[..., None],
    fits_column: FitsColumn | None,
) -> None:
    """Match columns with unknown names by position. This needs as many delivered columns as declared ones, neighbours in the declared
    order, and values that fit."""
    if len(names) != len(table.columns):
        return
    for i in _list_unmatched_positions(names, match):
        column = table.columns[i].name
        if column in open_columns and _is_in_declared_order(i, i, table, match) and (fits_column is None or fits_column(i, column)):
            assign_column(i, column, "file-column-by-position", names[i] or str(i + 1))


def _record_unmatched_names_and_columns(names: list[str], open_columns: dict[str, int], match: HeaderMatch) -> None:
    """Keep each name that matches no column as a column of its own, up to a limit. Record the declared columns that no name matches as
    missing."""
    used = {*match.columns.values(), *open_columns}
    further = _list_unmatched_positions(names, match)
    for i in further[:_MOST_EXTRA]:
        base = names[i].lstrip("_") or f"column {i + 1}"
        name, n = names[i] or base, 1
        while name in used or name.startswith("_"):
            n += 1
            name = f"{base} ({n})"
        used.add(name)
        match.extra[i] = name
        match.findings.append({"rule": "file-column-extra", "field": name})
    if len(further) > _MOST_EXTRA:
        match.findings.append({"rule": "file-column-extra", "detail": f"+ {len(further) - _MOST_EXTRA}"})
    for column in open_columns:
        match.missing.append(column)
        match.findings.append({"rule": "file-column-missing", "field": column})


_TYPE_PATTERNS = {
    "date": r"\d{1,4}[./-].*|\d{4}.*",
    "personal_number": r"[\d .]{5,}",
    "integer": r"-?\d+(\.0+)?",
    **dict.fromkeys(("number", "reference", "article"), r".*\d.*"),
}


def do_values_contradict_column(values: Sequence[str], column: ColumnSpec) -> bool | None:
    """Return whether most of `values` are invalid for a declared column. Return None if this cannot be decided, because any text is valid
    or there are no values."""
    filled = [v.strip() for v in values if v.strip()]
    if not filled:
        return None
    if column.codes:
        known, begun = (
            {normalise_name(code) for code in column.delivered_codes},
            tuple(normalise_name(prefix) for prefix in column.prefixes),
        )
        fitting = sum((name := normalise_name(v)) in known or (bool(begun) and name.startswith(begun)) for v in filled)
    elif (pattern := column.pattern or _TYPE_PATTERNS.get(column.type)) is not None:
        fitting = sum(
            re.search(pattern, v) is not None if column.pattern else re.fullmatch(pattern, v, re.DOTALL) is not None for v in filled
        )
    else:
        return None
    return fitting < len(filled) / 2
