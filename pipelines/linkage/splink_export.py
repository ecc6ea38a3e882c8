"""The frozen persons model as settings for Splink 5, so that Splink can check, chart or run it.

Belongs here: levels as SQL (DuckDB), m and u, term frequencies, prior odds, blocking rules, and the columns that these need.
Does not belong here: use of Splink (`tests`, `benchmarks`), cases, clusters.

Exported: every level of every field as SQL, with `m` and `u`, the share of the term-frequency adjustment, and the prior odds
of two records of different cases. Name frequencies differ by citizenship: pairs of one citizenship, or of one that is missing on a
side, look up their frequency by citizenship and value in an additional column (`given_here`), in additional Splink levels with the
same m and u. Fields that run in families are no evidence if first names differ: additional levels with m equal to u.

Candidate pairs are those of `blocking`, including narrowed and refused values: a record has the numbers of its blocks, and the single
blocking rule of Splink joins them.

Not exported, because Splink does not support it: the prior odds within a case, and swapped names. The comparison `EXCHANGED` has no weight
and marks the pairs whose given names and surnames may be swapped; for all others Splink's match weight without its prior equals that of
`score`. DuckDB counts edits over bytes and allows swapped letters to be edited again; on skeletons (ASCII) with one edit the result is the
same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.linkage.model import Field, Level, Model
from pipelines.linkage.score import FIRST_NAME, GROUP, Frequencies, exchanged_fields
from pipelines.linkage.sharing import Groups
from pipelines.resources.integer_arrays import run_starts

HERE = "_here"
UNIQUE_ID = "unique_id"
BLOCKS = "blocks"
EXCHANGED = "exchanged_names"
Sql = Callable[..., str]


def splink_settings(model: Model, records: int) -> dict[str, Any]:
    """Settings of Splink 5 (`dedupe_only`, DuckDB) for `records` person records with the columns of `splink_records`."""
    odds = model.persons["again"] / (max(records, model.persons["least_records"]) / 2)
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": UNIQUE_ID,
        "probability_two_random_records_match": odds / (1 + odds),
        "comparisons": [
            *(splink_comparison(field, GROUP, first_names_differ(model)) for field in model.fields),
            *_exchanged_comparison(model),
        ],
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": f"l.{BLOCKS} = r.{BLOCKS}", "sql_dialect": "duckdb", "arrays_to_explode": [BLOCKS]}
        ],
        "retain_intermediate_calculation_columns": True,
        "retain_matching_columns": True,
    }


def splink_records(persons: pd.DataFrame, model: Model, blocks: Groups) -> pd.DataFrame:
    """`persons` as input of Splink: `unique_id` (the row), compared columns, `<field>_here` per field with term frequencies, and the
    numbers of the record's `blocks` (from `blocking.group_by_keys`)."""
    columns = sorted({column for field in model.fields for column in field.columns} | {GROUP, "birth_year", "birth_date"})
    frame = persons[columns].reset_index(drop=True)
    for column in columns:
        frame[column] = _plain_column(frame[column])
    for field in _with_frequencies(model):
        if field.name != GROUP:
            frame[field.columns[0] + HERE] = frame[GROUP].fillna("") + "|" + frame[field.columns[0]]
    frame.insert(0, UNIQUE_ID, np.arange(len(frame)))
    order = np.argsort(blocks.row, kind="stable")
    ends = run_starts(np.bincount(blocks.row, minlength=len(frame)))
    frame[BLOCKS] = pa.ListArray.from_arrays(pa.array(ends, type=pa.int32()), pa.array(blocks.of_entries[order])).to_pandas()
    return frame


def term_frequencies(persons: pd.DataFrame, model: Model, known: Frequencies) -> dict[str, pd.DataFrame]:
    """Lookup per column with term frequencies, for Splink's `register_term_frequency_lookup`: `<column>`, `tf_<column>`."""
    found = {}
    for field in _with_frequencies(model):
        column = field.columns[0]
        frame = pd.DataFrame({column: _plain_column(persons[column]), GROUP: _plain_column(persons[GROUP])}).dropna(subset=[column])
        found[column] = _frequency_lookup(frame[column], frame[column], known, field, np.full(len(frame), ""))
        if field.name != GROUP:
            group = frame[GROUP].fillna("")
            here = (group + "|" + frame[column]).rename(column + HERE)
            found[column + HERE] = _frequency_lookup(here, frame[column], known, field, group.to_numpy(dtype=object))
    return found


def _frequency_lookup(keys: pd.Series, values: pd.Series, known: Frequencies, field: Field, group: np.ndarray) -> pd.DataFrame:
    share = known.of(field.name, values.to_numpy(dtype=object), group)
    return pd.DataFrame({keys.name: keys, f"tf_{keys.name}": share}).drop_duplicates(str(keys.name)).reset_index(drop=True)


def _with_frequencies(model: Model) -> list[Field]:
    return [field for field in model.fields if any(level.frequency for level in field.levels)]


def _plain_column(column: pd.Series) -> pd.Series:
    """Days as text `yyyymmdd`, numbers and booleans unchanged, everything else as text; null if missing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.strftime("%Y%m%d").astype("str")
    return column if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column) else column.astype("str")


def first_names_differ(model: Model) -> str | None:
    """The condition that first names differ: both are present, and reach only the last level."""
    field = next((field for field in model.fields if field.name == FIRST_NAME), None)
    if field is None:
        return None
    known = " AND ".join(f'"{field.columns[0]}_{side}" IS NOT NULL' for side in ("l", "r"))
    alike = " OR ".join(f"({SQL[level.test](field.columns, **level.args)})" for level in field.levels[:-1])
    return f"{known} AND NOT ({alike})"


def _rename_column(condition: str, own: str, place: str, one: str, other: str) -> str:
    """`condition` on column `own` of both sides, rewritten to `own` of side `one` and `place` of side `other`."""
    columns = {f'"{own}_l"': f'"{own}_{one}"', f'"{own}_r"': f'"{place}_{other}"'}
    return re.sub(r'"\w+"', lambda found: columns[found.group()], condition)


def _exchanged_comparison(model: Model) -> list[dict[str, Any]]:
    """The comparison `EXCHANGED`: level 1 if both names reach a level of similarity when swapped. It has no weight."""
    fields = exchanged_fields(model)
    sides = []
    for one, other in (("l", "r"), ("r", "l")):
        both = []
        for field, place in zip(fields, reversed(fields), strict=True):
            alike = " OR ".join(f"({SQL[level.test](field.columns, **level.args)})" for level in field.levels[:-1])
            both.append(_rename_column(alike, field.columns[0], place.columns[0], one, other))
        sides.append(" AND ".join(f"({alike})" for alike in both))
    nothing = {"m_probability": 0.5, "u_probability": 0.5}
    absent = " OR ".join(f'"{field.columns[0]}_{side}" IS NULL' for field in fields for side in "lr")
    levels = [
        {"sql_condition": absent, "label_for_charts": "missing", "is_null_level": True},
        {"sql_condition": " OR ".join(f"({side})" for side in sides), "label_for_charts": "exchanged", **nothing},
        {"sql_condition": "ELSE", "label_for_charts": "in their places", **nothing},
    ]
    return [{"output_column_name": EXCHANGED, "comparison_levels": levels}] if fields else []


def splink_comparison(field: Field, group: str | None = None, differ: str | None = None) -> dict[str, Any]:
    """`field` as a comparison of Splink; `group`: the column with separate frequencies per value, if any; `differ`: condition under which
    agreement in a field that runs in families is no evidence."""
    kinds = [column for column in field.columns if column not in QUALIFIERS]
    absent = [" AND ".join(f'"{column}_{side}" IS NULL' for column in kinds) for side in ("l", "r")]
    missing = {"sql_condition": " OR ".join(f"({side})" for side in absent), "label_for_charts": "missing", "is_null_level": True}
    levels = [level for _, level in _all_levels(field, group, differ)]
    return {"output_column_name": field.name, "comparison_levels": [missing, *levels]}


def gamma_levels(field: Field, model: Model) -> np.ndarray:
    """Number of the level of `field` by Splink's gamma, which counts from the last level; gamma -1 (missing) picks the appended -1."""
    numbers = [number for number, _ in _all_levels(field, GROUP, first_names_differ(model))]
    return np.array([*reversed(numbers), -1], dtype="int8")


def _all_levels(field: Field, group: str | None, differ: str | None) -> list[tuple[int, dict[str, Any]]]:
    """Every level of `splink_comparison` except the missing one, with the number of the corresponding level of `field`."""
    levels: list[tuple[int, dict[str, Any]]] = []
    for number, level in enumerate(field.levels):
        if field.family and differ and level.test != "else":
            condition = f"({differ}) AND ({SQL[level.test](field.columns, **level.args)})"
            shares = {"m_probability": level.u, "u_probability": level.u}
            levels.append((number, {"sql_condition": condition, "label_for_charts": f"{level.name}, as in a family", **shares}))
        levels.extend((number, own) for own in _splink_levels(field, level, group))
    return levels


def _splink_levels(field: Field, level: Level, group: str | None) -> list[dict[str, Any]]:
    """The Splink levels of `level`: if it has term frequencies in groups, first those for pairs of one group or of an unknown one."""
    condition = "ELSE" if level.test == "else" else SQL[level.test](field.columns, **level.args)
    plain = {"sql_condition": condition, "label_for_charts": level.name, "m_probability": level.m, "u_probability": level.u}
    if not level.frequency:
        return [plain]
    column = field.columns[0]
    plain |= {"tf_adjustment_column": column, "tf_adjustment_weight": level.frequency}
    if group is None or field.name == group:
        return [plain]
    equal_here = SQL["equal"]((column + HERE,))
    unknown = f'("{group}_l" IS NULL OR "{group}_r" IS NULL)'
    one_group = equal_here if level.test == "equal" else f"({condition}) AND {SQL['equal']((group,))}"
    kinds = {f"one {group}": one_group, f"{group} missing": f"({condition}) AND {unknown}"}
    here = [{"sql_condition": sql, "label_for_charts": f"{level.name}, {kind}"} for kind, sql in kinds.items()]
    return [*({**plain, **own, "tf_adjustment_column": column + HERE} for own in here), plain]


# Boolean columns only qualify another: they are ignored when deciding whether a field is missing.
QUALIFIERS = frozenset({"valid"})


def _side_columns(columns: tuple[str, ...], which: float = 0) -> tuple[str, str]:
    column = columns[int(which)]
    return f'"{column}_l"', f'"{column}_r"'


def _equal_sql(columns: tuple[str, ...]) -> str:
    left, right = _side_columns(columns)
    return f"{left} = {right}"


def _equal_and_sql(columns: tuple[str, ...]) -> str:
    left, right = _side_columns(columns, 1)
    return f"{_equal_sql(columns)} AND {left} AND {right}"


def _different_and_sql(columns: tuple[str, ...]) -> str:
    (a, b), (left, right) = _side_columns(columns), _side_columns(columns, 1)
    return f"{a} <> {b} AND {left} AND {right}"


def _edits_sql(columns: tuple[str, ...], most: float, length: float = 4) -> str:
    left, right = _side_columns(columns)
    return f"damerau_levenshtein({left}, {right}) <= {most:g} AND greatest(length({left}), length({right})) >= {length:g}"


def _jaro_winkler_sql(columns: tuple[str, ...], least: float) -> str:
    left, right = _side_columns(columns)
    return f"jaro_winkler_similarity({left}, {right}) >= {least!r}"


def _shared_token_sql(columns: tuple[str, ...]) -> str:
    left, right = _side_columns(columns)
    tokens = [f"list_filter(string_split({side}, ' '), lambda t: length(t) > 1)" for side in (left, right)]
    return f"({left} LIKE '% %' OR {right} LIKE '% %') AND list_has_any({tokens[0]}, {tokens[1]})"


def _near_token_sql(columns: tuple[str, ...], least: float) -> str:
    left, right = ([f"split_part({side}, ' ', {end})" for end in (1, -1)] for side in _side_columns(columns))
    return " OR ".join(f"jaro_winkler_similarity({a}, {b}) >= {least!r}" for a in left for b in right)


def _initial_sql(columns: tuple[str, ...]) -> str:
    left, right = _side_columns(columns)
    return f"left({left}, 1) = left({right}, 1) AND least(length({left}), length({right})) = 1"


def _stem_sql(columns: tuple[str, ...], letters: float) -> str:
    left, right = _side_columns(columns)
    n = f"{letters:g}"
    contained = (
        f"(length({short}) <= length({full}) AND length(rtrim({short}, 'aeiou')) >= {n} AND contains({full}, rtrim({short}, 'aeiou')))"
        for short, full in ((left, right), (right, left))
    )
    return f"least(length({left}), length({right})) >= {n} AND (left({left}, {n}) = left({right}, {n}) OR {' OR '.join(contained)})"


def _day_month_swapped_sql(columns: tuple[str, ...]) -> str:
    left, right = _side_columns(columns)
    return f"left({left}, 4) = left({right}, 4) AND substr({left}, 5, 2) = substr({right}, 7) AND substr({left}, 7) = substr({right}, 5, 2)"


def _other_century_sql(columns: tuple[str, ...]) -> str:
    left, right = _side_columns(columns)
    return f"substr({left}, 3) = substr({right}, 3)"


def _other_year_sql(columns: tuple[str, ...]) -> str:
    left, right = _side_columns(columns)
    return f"substr({left}, 5) = substr({right}, 5)"


def _same_number_sql(columns: tuple[str, ...], column: float) -> str:
    (a, b), (left, right) = _side_columns(columns), _side_columns(columns, column)
    return f"{left} = {right} AND ({a} IS NULL OR {b} IS NULL)"


def _numbers_within_sql(columns: tuple[str, ...], column: float, most: float) -> str:
    left, right = _side_columns(columns, column)
    return f"abs({left} - {right}) <= {most:g}"


SQL: dict[str, Sql] = {
    "equal": _equal_sql,
    "equal_and": _equal_and_sql,
    "different_and": _different_and_sql,
    "edits": _edits_sql,
    "jaro_winkler": _jaro_winkler_sql,
    "shared_token": _shared_token_sql,
    "near_token": _near_token_sql,
    "initial": _initial_sql,
    "stem": _stem_sql,
    "day_month_swapped": _day_month_swapped_sql,
    "other_century": _other_century_sql,
    "other_year": _other_year_sql,
    "same_number": _same_number_sql,
    "numbers_within": _numbers_within_sql,
}
