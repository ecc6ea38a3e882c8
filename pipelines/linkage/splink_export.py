"""The model of persons as settings for Splink 5 (a program for record linkage), so that Splink can check, chart or run it.

Belongs here: comparison levels as SQL (for DuckDB), their shares m and u, the frequencies of names, prior odds, the blocking rule, and the
columns that these need. Does not belong here: use of Splink (`spark`, `tests`, `benchmarks`), cases, clusters.

Every level of every field is exported as SQL with its shares `m` and `u` and the degree to which its weight depends on the frequency of a
name. The prior odds of two records of different cases are exported too. Two things need additional levels in Splink:

- Names have different frequencies in each citizenship. If two records have the same citizenship, or one of them has none, the frequency of
  a name is looked up by citizenship and name, in an additional column (such as `given_here`). The additional levels have the same m and u.
- In some fields members of a family agree. These fields are no evidence if given names differ, so they have additional levels in which m
  equals u.

Candidate pairs are those that `blocking` finds: each record has a column with the numbers of its blocking groups, and the only blocking
rule of Splink pairs records with a number in common.

The prior odds within a case, and swapped names, are not exported, because Splink does not support them. The comparison
`EXCHANGED_COMPARISON` has no weight. It marks the pairs whose given names and surnames may be swapped. For all other pairs, Splink's match
weight without its prior odds equals the weight that `score` computes. DuckDB counts edits in a slightly different way (over bytes, and
swapped letters may be edited again), but for skeletons, which are ASCII, the result is the same for one edit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.linkage.model import ComparedField, ComparisonLevel, LinkageModel
from pipelines.linkage.row_groups import RowGroups
from pipelines.linkage.score import FIRST_NAME_FIELD, GROUP_FIELD, TokenFrequencies, find_swappable_name_fields
from pipelines.resources.integer_arrays import compute_group_starts

WITHIN_GROUP_SUFFIX = "_here"
UNIQUE_ID = "unique_id"
BLOCKS_COLUMN = "blocks"
EXCHANGED_COMPARISON = "exchanged_names"
Sql = Callable[..., str]


def build_splink_settings(model: LinkageModel, record_count: int) -> dict[str, Any]:
    """Return the model as settings of Splink 5, for linking `record_count` person records with each other in DuckDB.

    The records have the columns that `build_splink_records` returns. The prior odds depend on `record_count`.
    """
    odds = model.persons["again"] / (max(record_count, model.persons["least_records"]) / 2)
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": UNIQUE_ID,
        "probability_two_random_records_match": odds / (1 + odds),
        "comparisons": [
            *(build_splink_comparison(field, GROUP_FIELD, write_sql_for_different_first_names(model)) for field in model.fields),
            *_build_comparison_of_swapped_names(model),
        ],
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": f"l.{BLOCKS_COLUMN} = r.{BLOCKS_COLUMN}", "sql_dialect": "duckdb", "arrays_to_explode": [BLOCKS_COLUMN]}
        ],
        "retain_intermediate_calculation_columns": True,
        "retain_matching_columns": True,
    }


def build_splink_records(persons: pd.DataFrame, model: LinkageModel, blocking_groups: RowGroups) -> pd.DataFrame:
    """Return `persons` as input of Splink.

    The columns are `unique_id` (the row number), the compared columns, `<column>_here` (citizenship and value) for each column whose weight
    depends on the frequency of its values, and `blocks` (the numbers of the `blocking_groups` that contain the record). blocking_groups:
    the groups from `blocking.group_records_by_blocking_keys`.
    """
    columns = sorted({column for field in model.fields for column in field.columns} | {GROUP_FIELD, "birth_year", "birth_date"})
    frame = persons[columns].reset_index(drop=True)
    for column in columns:
        frame[column] = _convert_column(frame[column])
    for field in _select_fields_with_frequencies(model):
        if field.name != GROUP_FIELD:
            frame[field.columns[0] + WITHIN_GROUP_SUFFIX] = frame[GROUP_FIELD].fillna("") + "|" + frame[field.columns[0]]
    frame.insert(0, UNIQUE_ID, np.arange(len(frame)))
    order = np.argsort(blocking_groups.row, kind="stable")
    ends = compute_group_starts(np.bincount(blocking_groups.row, minlength=len(frame)))
    frame[BLOCKS_COLUMN] = pa.ListArray.from_arrays(
        pa.array(ends, type=pa.int32()), pa.array(blocking_groups.group_of_entries[order])
    ).to_pandas()
    return frame


def build_term_frequencies(persons: pd.DataFrame, model: LinkageModel, token_frequencies: TokenFrequencies) -> dict[str, pd.DataFrame]:
    """Return a table of the frequencies of values for each column that needs one, as Splink's `register_term_frequency_lookup` expects it.

    A table has the columns `<column>` (a value) and `tf_<column>` (its frequency).
    """
    lookups = {}
    for field in _select_fields_with_frequencies(model):
        column = field.columns[0]
        frame = pd.DataFrame({column: _convert_column(persons[column]), GROUP_FIELD: _convert_column(persons[GROUP_FIELD])}).dropna(
            subset=[column]
        )
        lookups[column] = _build_frequency_lookup(frame[column], frame[column], token_frequencies, field, np.full(len(frame), ""))
        if field.name != GROUP_FIELD:
            group = frame[GROUP_FIELD].fillna("")
            group_and_value = (group + "|" + frame[column]).rename(column + WITHIN_GROUP_SUFFIX)
            lookups[column + WITHIN_GROUP_SUFFIX] = _build_frequency_lookup(
                group_and_value, frame[column], token_frequencies, field, group.to_numpy(dtype=object)
            )
    return lookups


def _build_frequency_lookup(
    keys: pd.Series, values: pd.Series, token_frequencies: TokenFrequencies, field: ComparedField, group: np.ndarray
) -> pd.DataFrame:
    """Return a table with the frequency of each of `values` within its citizenship in `group`, under its key in `keys`."""
    share = token_frequencies.look_up_frequencies(field.name, values.to_numpy(dtype=object), group)
    return pd.DataFrame({keys.name: keys, f"tf_{keys.name}": share}).drop_duplicates(str(keys.name)).reset_index(drop=True)


def _select_fields_with_frequencies(model: LinkageModel) -> list[ComparedField]:
    """Return the fields with a level whose weight depends on the frequency of the value."""
    return [field for field in model.fields if any(level.frequency for level in field.levels)]


def _convert_column(column: pd.Series) -> pd.Series:
    """Convert a column to the form that Splink compares: days become texts `yyyymmdd`, and numbers and booleans are unchanged.

    All other values become texts, and missing values stay missing.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.strftime("%Y%m%d").astype("str")
    return column if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column) else column.astype("str")


def write_sql_for_different_first_names(model: LinkageModel) -> str | None:
    """Return the SQL condition that the given names of two records differ: both records have one, and the pair reaches only the last level.

    Return None if the model has no given names.
    """
    field = next((field for field in model.fields if field.name == FIRST_NAME_FIELD), None)
    if field is None:
        return None
    known = " AND ".join(f'"{field.columns[0]}_{side}" IS NOT NULL' for side in ("l", "r"))
    alike = " OR ".join(f"({SQL_BY_TEST[level.test](field.columns, **level.args)})" for level in field.levels[:-1])
    return f"{known} AND NOT ({alike})"


def _rewrite_condition_for_columns(condition: str, column: str, other_column: str, side: str, other_side: str) -> str:
    """Rewrite an SQL condition that compares `column` of both records of a pair, so that it compares two different columns.

    The new condition compares `column` of the record `side` with `other_column` of the record `other_side`. The sides are `l` and `r`.
    """
    columns = {f'"{column}_l"': f'"{column}_{side}"', f'"{column}_r"': f'"{other_column}_{other_side}"'}
    return re.sub(r'"\w+"', lambda match: columns[match.group()], condition)


def _build_comparison_of_swapped_names(model: LinkageModel) -> list[dict[str, Any]]:
    """Return the Splink comparison `EXCHANGED_COMPARISON`, which has no weight. A pair reaches its level 1 if both names are similar when
    given name and surname of one record are swapped.

    Return an empty list if the model has no given name or no surname.
    """
    fields = find_swappable_name_fields(model)
    sides = []
    for one, other in (("l", "r"), ("r", "l")):
        both = []
        for field, other_field in zip(fields, reversed(fields), strict=True):
            alike = " OR ".join(f"({SQL_BY_TEST[level.test](field.columns, **level.args)})" for level in field.levels[:-1])
            both.append(_rewrite_condition_for_columns(alike, field.columns[0], other_field.columns[0], one, other))
        sides.append(" AND ".join(f"({alike})" for alike in both))
    nothing = {"m_probability": 0.5, "u_probability": 0.5}
    absent = " OR ".join(f'"{field.columns[0]}_{side}" IS NULL' for field in fields for side in "lr")
    levels = [
        {"sql_condition": absent, "label_for_charts": "missing", "is_null_level": True},
        {"sql_condition": " OR ".join(f"({side})" for side in sides), "label_for_charts": "exchanged", **nothing},
        {"sql_condition": "ELSE", "label_for_charts": "in their places", **nothing},
    ]
    return [{"output_column_name": EXCHANGED_COMPARISON, "comparison_levels": levels}] if fields else []


def build_splink_comparison(field: ComparedField, group: str | None = None, first_names_differ: str | None = None) -> dict[str, Any]:
    """Return `field` as a comparison of Splink.

    group: the column (citizenship) for each value of which names have separate frequencies, if any. first_names_differ: the SQL condition
    that given names differ; then agreement in a field in which families agree is no evidence.
    """
    kinds = [column for column in field.columns if column not in QUALIFYING_COLUMNS]
    absent = [" AND ".join(f'"{column}_{side}" IS NULL' for column in kinds) for side in ("l", "r")]
    missing = {"sql_condition": " OR ".join(f"({side})" for side in absent), "label_for_charts": "missing", "is_null_level": True}
    levels = [level for _, level in _build_all_splink_levels(field, group, first_names_differ)]
    return {"output_column_name": field.name, "comparison_levels": [missing, *levels]}


def map_splink_gammas_to_levels(field: ComparedField, model: LinkageModel) -> np.ndarray:
    """Return the number of the level of `field` for each level number (gamma) of Splink, which numbers levels from the last to the first.

    Gamma -1 means a missing value, and selects the -1 that is appended to the result.
    """
    numbers = [number for number, _ in _build_all_splink_levels(field, GROUP_FIELD, write_sql_for_different_first_names(model))]
    return np.array([*reversed(numbers), -1], dtype="int8")


def _build_all_splink_levels(field: ComparedField, group: str | None, first_names_differ: str | None) -> list[tuple[int, dict[str, Any]]]:
    """Return every Splink level for `field`, except that for missing values, with the number of the level of `field` that it belongs to."""
    levels: list[tuple[int, dict[str, Any]]] = []
    for number, level in enumerate(field.levels):
        if field.family and first_names_differ and level.test != "else":
            condition = f"({first_names_differ}) AND ({SQL_BY_TEST[level.test](field.columns, **level.args)})"
            shares = {"m_probability": level.u, "u_probability": level.u}
            levels.append((number, {"sql_condition": condition, "label_for_charts": f"{level.name}, as in a family", **shares}))
        levels.extend((number, splink_level) for splink_level in _build_splink_levels(field, level, group))
    return levels


def _build_splink_levels(field: ComparedField, level: ComparisonLevel, group: str | None) -> list[dict[str, Any]]:
    """Return the Splink levels that together stand for the comparison level `level`.

    If names have separate frequencies in each citizenship, the first levels are for pairs of the same citizenship, and for pairs in which a
    citizenship is not known.
    """
    condition = "ELSE" if level.test == "else" else SQL_BY_TEST[level.test](field.columns, **level.args)
    plain = {"sql_condition": condition, "label_for_charts": level.name, "m_probability": level.m, "u_probability": level.u}
    if not level.frequency:
        return [plain]
    column = field.columns[0]
    plain |= {"tf_adjustment_column": column, "tf_adjustment_weight": level.frequency}
    if group is None or field.name == group:
        return [plain]
    equal_within_group = SQL_BY_TEST["equal"]((column + WITHIN_GROUP_SUFFIX,))
    unknown = f'("{group}_l" IS NULL OR "{group}_r" IS NULL)'
    one_group = equal_within_group if level.test == "equal" else f"({condition}) AND {SQL_BY_TEST['equal']((group,))}"
    kinds = {f"one {group}": one_group, f"{group} missing": f"({condition}) AND {unknown}"}
    within_group = [{"sql_condition": sql, "label_for_charts": f"{level.name}, {kind}"} for kind, sql in kinds.items()]
    return [
        *({**plain, **level_within_group, "tf_adjustment_column": column + WITHIN_GROUP_SUFFIX} for level_within_group in within_group),
        plain,
    ]


# Boolean columns that only say something about another column. They are ignored when deciding whether a field has a value.
QUALIFYING_COLUMNS = frozenset({"valid"})


def _write_columns_of_both_sides(columns: tuple[str, ...], position: float = 0) -> tuple[str, str]:
    """Return the SQL names of the column at `position` of `columns`, for the left and the right record of a pair."""
    column = columns[int(position)]
    return f'"{column}_l"', f'"{column}_r"'


def _write_sql_for_equal_values(columns: tuple[str, ...]) -> str:
    left, right = _write_columns_of_both_sides(columns)
    return f"{left} = {right}"


def _write_sql_for_equal_values_and_true(columns: tuple[str, ...]) -> str:
    left, right = _write_columns_of_both_sides(columns, 1)
    return f"{_write_sql_for_equal_values(columns)} AND {left} AND {right}"


def _write_sql_for_different_values_and_true(columns: tuple[str, ...]) -> str:
    (a, b), (left, right) = _write_columns_of_both_sides(columns), _write_columns_of_both_sides(columns, 1)
    return f"{a} <> {b} AND {left} AND {right}"


def _write_sql_for_edits(columns: tuple[str, ...], most: float, length: float = 4) -> str:
    left, right = _write_columns_of_both_sides(columns)
    return f"damerau_levenshtein({left}, {right}) <= {most:g} AND greatest(length({left}), length({right})) >= {length:g}"


def _write_sql_for_jaro_winkler(columns: tuple[str, ...], least: float) -> str:
    left, right = _write_columns_of_both_sides(columns)
    return f"jaro_winkler_similarity({left}, {right}) >= {least!r}"


def _write_sql_for_shared_token(columns: tuple[str, ...]) -> str:
    left, right = _write_columns_of_both_sides(columns)
    tokens = [f"list_filter(string_split({side}, ' '), lambda t: length(t) > 1)" for side in (left, right)]
    return f"({left} LIKE '% %' OR {right} LIKE '% %') AND list_has_any({tokens[0]}, {tokens[1]})"


def _write_sql_for_similar_token(columns: tuple[str, ...], least: float) -> str:
    left, right = ([f"split_part({side}, ' ', {end})" for end in (1, -1)] for side in _write_columns_of_both_sides(columns))
    return " OR ".join(f"jaro_winkler_similarity({a}, {b}) >= {least!r}" for a in left for b in right)


def _write_sql_for_initial(columns: tuple[str, ...]) -> str:
    left, right = _write_columns_of_both_sides(columns)
    return f"left({left}, 1) = left({right}, 1) AND least(length({left}), length({right})) = 1"


def _write_sql_for_stem(columns: tuple[str, ...], letters: float) -> str:
    left, right = _write_columns_of_both_sides(columns)
    n = f"{letters:g}"
    contained = (
        f"(length({short}) <= length({full}) AND length(rtrim({short}, 'aeiou')) >= {n} AND contains({full}, rtrim({short}, 'aeiou')))"
        for short, full in ((left, right), (right, left))
    )
    return f"least(length({left}), length({right})) >= {n} AND (left({left}, {n}) = left({right}, {n}) OR {' OR '.join(contained)})"


def _write_sql_for_swapped_day_and_month(columns: tuple[str, ...]) -> str:
    left, right = _write_columns_of_both_sides(columns)
    return f"left({left}, 4) = left({right}, 4) AND substr({left}, 5, 2) = substr({right}, 7) AND substr({left}, 7) = substr({right}, 5, 2)"


def _write_sql_for_dates_in_other_century(columns: tuple[str, ...]) -> str:
    left, right = _write_columns_of_both_sides(columns)
    return f"substr({left}, 3) = substr({right}, 3)"


def _write_sql_for_dates_in_other_year(columns: tuple[str, ...]) -> str:
    left, right = _write_columns_of_both_sides(columns)
    return f"substr({left}, 5) = substr({right}, 5)"


def _write_sql_for_same_number(columns: tuple[str, ...], column: float) -> str:
    (a, b), (left, right) = _write_columns_of_both_sides(columns), _write_columns_of_both_sides(columns, column)
    return f"{left} = {right} AND ({a} IS NULL OR {b} IS NULL)"


def _write_sql_for_numbers_within(columns: tuple[str, ...], column: float, most: float) -> str:
    left, right = _write_columns_of_both_sides(columns, column)
    return f"abs({left} - {right}) <= {most:g}"


SQL_BY_TEST: dict[str, Sql] = {
    "equal": _write_sql_for_equal_values,
    "equal_and": _write_sql_for_equal_values_and_true,
    "different_and": _write_sql_for_different_values_and_true,
    "edits": _write_sql_for_edits,
    "jaro_winkler": _write_sql_for_jaro_winkler,
    "shared_token": _write_sql_for_shared_token,
    "near_token": _write_sql_for_similar_token,
    "initial": _write_sql_for_initial,
    "stem": _write_sql_for_stem,
    "day_month_swapped": _write_sql_for_swapped_day_and_month,
    "other_century": _write_sql_for_dates_in_other_century,
    "other_year": _write_sql_for_dates_in_other_year,
    "same_number": _write_sql_for_same_number,
    "numbers_within": _write_sql_for_numbers_within,
}
