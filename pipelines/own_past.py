"""Find deliveries that are unlike earlier deliveries of the same institution: in the number of records, the shares of codes and units,
missing values, days, or the share of records that were delivered before.

Belongs here: what is counted, the statistical tests, the findings (docs/reference/completeness.md, "Unlike the own past"). Does not belong
here: the limits of the tests and the smallest deviations that are reported (`own_past.yaml`), texts (`schemas/rules/past.yaml`). A
deviation is reported; the delivery is never refused because of it.

The probability of a deviation is two-sided. It comes from the negative binomial distribution for numbers of records, and from the
beta-binomial distribution for shares. How much they vary beyond chance is estimated from the earlier deliveries. Probabilities are
multiplied by the number of tests of the same rule in the delivery (Bonferroni correction).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from pipelines.harmonisation import code_lists
from schemas.yaml_declarations import read_declaration
from sources import periods
from sources.completeness_states import COMPLETE
from sources.contract import Contract, TableSpec

RULES = ("cross-volume-unusual", "cross-codes-unusual", "cross-missing-unusual", "cross-days-unusual", "cross-repeated-unusual")
VOLUME, CODES, MISSING, DAYS, REPEATED = RULES
_TYPES_WITH_FEW_VALUES = (
    "code",
    "seat",
    "municipality",
    "country",
    "article",
    "offence_words",
    "form_words",
)  # types of columns with few distinct values
_RARE_SHARE = 0.02  # values with a smaller share, both in earlier deliveries and now, are counted together
_OTHER_VALUES = "…"
_MAX_EXACT_COUNT = 50_000  # up to this number, probabilities are computed exactly; beyond it, by a normal distribution


@dataclass(frozen=True)
class _PriorDispersion:
    """How much numbers and shares vary beyond chance, assumed before any delivery was seen. It counts as much as `periods` periods."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    periods: int
    volume: float
    share: float


@dataclass(frozen=True)
class OwnPastSettings:
    """The content of `own_past.yaml`."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    periods: int
    enough: int
    records: int
    false_alarms: float
    prior: _PriorDispersion
    rules: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class _PastComparison:
    """A comparison of a delivery with earlier deliveries.

    `probability` is the probability of a deviation as large as this one if the delivery is like the earlier ones. `large` is true if the
    deviation is at least as large as the rule requires.
    """

    rule: str
    delivery: str
    table: str
    column: str | None
    value: str | None
    detail: str
    probability: float
    large: bool


@cache
def read_own_past_settings() -> OwnPastSettings:
    """Return the content of `own_past.yaml`. Raises `DeclarationError` if the file is invalid."""
    return read_declaration(OwnPastSettings, Path(__file__).with_suffix(".yaml"))


def find_deviations_from_past(
    contract: Contract, tables: Mapping[str, pd.DataFrame], deliveries: pd.DataFrame, only_delivery: str | None = None
) -> list[dict[str, Any]]:
    """Return findings on deliveries of an institution that are unlike earlier ones, as rows for `schemas.findings.build_findings`.

    `tables` has the typed rows of all deliveries (`pipelines.validation.ValidatedDeliveries`). `deliveries` has the columns delivery,
    period, version and state. If `only_delivery` names a delivery, only this delivery is tested. If several values of a column deviate
    under the same rule, only the least probable one is reported.
    """
    complete = _order_complete_deliveries(deliveries)
    complete = complete.assign(judged=complete["delivery"].eq(only_delivery) if only_delivery else True)
    if complete["period"].nunique() <= read_own_past_settings().enough:
        return []
    tests = [
        test
        for name, spec in contract.tables.items()
        if spec.key and not spec.crosswalk and len(tables[name])
        for test in _compare_table_with_past(name, spec, contract, tables[name], complete)
    ]
    tests_by_rule = pd.Series([(test.delivery, test.rule) for test in tests], dtype="object").value_counts().to_dict()
    significant = [
        test
        for test in tests
        if test.large and test.probability * tests_by_rule[test.delivery, test.rule] <= read_own_past_settings().false_alarms
    ]
    significant.sort(key=lambda test: test.probability)
    least_probable = {(test.delivery, test.rule, test.table, test.column): test for test in reversed(significant)}
    file = {name: frame.drop_duplicates("_delivery").set_index("_delivery")["_file"] for name, frame in tables.items()}
    return [
        {
            "delivery": test.delivery,
            "file": file[test.table].get(test.delivery),
            "field": test.column,
            "rule": test.rule,
            "value": test.value,
            "detail": f"{test.table}: {test.detail}",
        }
        for test in sorted(
            least_probable.values(), key=lambda finding: (finding.delivery, finding.rule, finding.table, finding.column or "")
        )
    ]


def list_columns_compared_with_past(spec: TableSpec, units: Collection[str] = ()) -> set[str]:
    """Return the columns of a typed table whose values `find_deviations_from_past` compares.

    `units` has the names of the columns that say to which unit of the institution a row belongs.
    """
    listed = {column.name for column in spec.columns if column.type in _TYPES_WITH_FEW_VALUES or column.name in units}
    days = {column.name for column in spec.columns if column.type == "date" and column.event}
    return listed | days | {f"{name}:precision" for name in days}


def _order_complete_deliveries(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return the complete deliveries, ordered by period and version.

    Columns: delivery, period, place (the rank of the period), counts (whether this is the last version for its period), laws (the number of
    laws that came into force before the period ended).
    """
    complete = deliveries[deliveries["state"] == COMPLETE].assign(end=lambda d: d["period"].map(periods.last_day))
    complete = complete.sort_values(["end", "version"], ignore_index=True)
    starts = pd.to_datetime(code_lists.read_code_list("laws")["valid_from"], format="ISO8601", errors="coerce").dropna().sort_values()
    return complete.assign(
        place=complete["end"].rank(method="dense").astype(int),
        counts=~complete.duplicated("period", keep="last"),
        laws=starts.searchsorted(pd.to_datetime(complete["end"]), side="right"),
    )


def _compare_table_with_past(
    table_name: str, spec: TableSpec, contract: Contract, frame: pd.DataFrame, complete_deliveries: pd.DataFrame
) -> Iterator[_PastComparison]:
    """Compare a table of each delivery with earlier deliveries. `complete_deliveries` comes from `_order_complete_deliveries`."""
    rows = frame.merge(complete_deliveries[["delivery", "place"]], left_on="_delivery", right_on="delivery", how="inner")
    if rows.empty:
        return
    is_new = rows["place"] == rows.groupby("_key")["place"].transform("min")
    yield from _compare_number_of_new_records_with_past(table_name, rows[is_new], complete_deliveries) if spec.entity else ()
    yield from (
        _compare_shares_with_past(REPEATED, table_name, None, rows, is_new.map({True: "new", False: "repeated"}), complete_deliveries)
        if spec.entity
        else ()
    )
    new_rows = rows[is_new]
    units = contract.units.columns if contract.units and contract.units.table == table_name else ()
    compared = list_columns_compared_with_past(spec, units)
    for column in spec.columns:
        if column.key:
            continue
        is_filled = new_rows[f"{column.name}:given"].astype(bool)
        yield from _compare_shares_with_past(
            MISSING, table_name, column.name, new_rows, is_filled.map({True: "given", False: "missing"}), complete_deliveries
        )
        if column.name in compared and column.type != "date":
            values = new_rows[column.name].astype("str")
            yield from _compare_shares_with_past(
                CODES, table_name, column.name, new_rows, values, complete_deliveries, same_laws_only=column.type == "article"
            )
        elif column.name in compared:
            for classes in _classify_days(new_rows, column.name):
                yield from _compare_shares_with_past(DAYS, table_name, column.name, new_rows, classes, complete_deliveries)


def _classify_days(rows: pd.DataFrame, column: str) -> Iterator[pd.Series]:
    """Yield two classifications of the dates in `column`. Each is a text for every row.

    The first is the weekday. The second is the month of the delivered period in which the date lies ("month 1", …), or "before" or "after"
    if the date lies outside the period.
    """
    day = rows[column].where(rows[f"{column}:precision"] == "day")
    yield day.dt.day_name().astype("str")
    period_names = rows["_period"].unique()
    first, last = (
        rows["_period"].map({p: pd.Timestamp(day_of(p)) for p in period_names}) for day_of in (periods.first_day, periods.last_day)
    )
    month = (rows[column].dt.year - first.dt.year) * 12 + rows[column].dt.month - first.dt.month
    position = (
        ("month " + (month + 1).astype("Int64").astype("str")).mask(rows[column] < first, "before").mask(rows[column] > last, "after")
    )
    yield position.where(rows[column].notna()).astype("str")


def _compare_number_of_new_records_with_past(
    table_name: str, new_records: pd.DataFrame, complete_deliveries: pd.DataFrame
) -> Iterator[_PastComparison]:
    """Compare the number of new records in each delivery with the numbers in earlier periods. Yield one comparison for each delivery.

    A record is new if it was not delivered for an earlier period. The first period is not compared with if there are enough others, since
    the first delivery contains all pending cases, which are new only to Harmonia.
    """
    level, least = read_own_past_settings(), read_own_past_settings().rules[VOLUME]
    counts = complete_deliveries["delivery"].map(new_records["_delivery"].value_counts()).fillna(0).to_numpy("int64")
    place = complete_deliveries["place"].to_numpy()
    for position, past in _pair_deliveries_with_past(complete_deliveries):
        after_first = past[place[past] > place.min()]
        usual = counts[after_first if len(after_first) >= level.enough else past]
        mean = float(usual.mean())
        spread = float(((usual - mean) ** 2).sum() / max(mean, 1e-9))  # about the number of periods minus 1, if numbers vary by chance
        weight = level.prior.periods
        index = (spread + weight * (1 + mean * level.prior.volume**2)) / (len(usual) - 1 + weight)
        expected = max(mean, 0.5)
        probability = _compute_two_sided_probability(
            _compute_negative_binomial_tails(expected, max(index, 1.0) * (1 + 1 / len(usual)), int(counts[position]))
        )
        ratio = counts[position] / expected
        detail = f"{counts[position]} ≠ {mean:.0f}"
        yield _PastComparison(
            VOLUME,
            complete_deliveries["delivery"][position],
            table_name,
            None,
            None,
            detail,
            probability,
            not least["below"] < ratio < least["above"],
        )


def _compare_shares_with_past(
    rule: str,
    table_name: str,
    column: str | None,
    rows: pd.DataFrame,
    values_of_rows: pd.Series,
    complete_deliveries: pd.DataFrame,
    same_laws_only: bool = False,
) -> Iterator[_PastComparison]:
    """Compare the share of each value with its share in earlier periods. Yield a comparison for each delivery and value.

    `values_of_rows` has the value of each row; a row without a value is ignored. If `same_laws_only` is true, periods before the newest law
    came into force are ignored, since its articles have other numbers.
    """
    level, least = read_own_past_settings(), read_own_past_settings().rules[rule]["difference"]
    table = pd.crosstab(rows["_delivery"], values_of_rows.to_numpy(), dropna=True).reindex(complete_deliveries["delivery"], fill_value=0)
    if table.shape[1] == 0:
        return
    counts, values = table.to_numpy("int64"), [str(value) for value in table.columns]
    for position, past in _pair_deliveries_with_past(complete_deliveries, same_laws_only):
        usual, now = counts[past], counts[position]
        usual = usual[usual.sum(axis=1) > 0]
        total, size = int(usual.sum()), int(now.sum())
        if len(usual) < level.enough or min(total, size) < level.records:
            continue
        share = usual.sum(axis=0) / total
        frequent = (share >= _RARE_SHARE) | (now / size >= _RARE_SHARE)
        usual, now, share = (_combine_rare_values(part, frequent) for part in (usual, now, share))
        tested_values = [*(value for value, is_frequent in zip(values, frequent, strict=True) if is_frequent), _OTHER_VALUES]
        tested = [n for n in range(len(tested_values)) if share[n] > 0 or now[n] > 0]
        for n in tested[:1] if len(tested) == 2 else tested:  # if there are two values, the share of one follows from the other
            probability = _compute_share_probability(usual[:, n], usual.sum(axis=1), int(now[n]), size)
            detail = f"{now[n] / size:.0%} ≠ {share[n]:.0%}"
            large = abs(now[n] / size - share[n]) >= least
            yield _PastComparison(
                rule, complete_deliveries["delivery"][position], table_name, column, tested_values[n], detail, probability, large
            )


def _combine_rare_values(values: np.ndarray, frequent: np.ndarray) -> np.ndarray:
    """Return the counts of the frequent values (along the last axis), followed by the sum of the counts of all other values."""
    return np.append(values[..., frequent], values[..., ~frequent].sum(axis=-1, keepdims=True), axis=-1)


def _pair_deliveries_with_past(complete_deliveries: pd.DataFrame, same_laws_only: bool = False) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the position of each tested delivery, together with the positions of the deliveries with which it is compared.

    These are the last versions for the latest earlier periods, at most as many as the setting `periods` says. A delivery with fewer than
    `enough` of them is not tested.
    """
    place, counts, laws = (complete_deliveries[name].to_numpy() for name in ("place", "counts", "laws"))
    for position in np.flatnonzero(complete_deliveries["judged"]).tolist():
        past = np.flatnonzero((place < place[position]) & counts & ((laws == laws[position]) | (not same_laws_only)))[
            -read_own_past_settings().periods :
        ]
        if len(past) >= read_own_past_settings().enough:
            yield position, past


def _compute_share_probability(counts: np.ndarray, totals: np.ndarray, count: int, size: int) -> float:
    """Return the two-sided probability of a share of `count` in `size`, if the shares in earlier periods were `counts` in `totals`."""
    prior = read_own_past_settings().prior
    total = int(totals.sum())
    share = (counts.sum() + 0.5) / (total + 1)
    spread = float(((counts - totals * share) ** 2 / (totals * share * (1 - share))).sum())
    freedom = len(counts) - 1
    between = max(0.0, (spread / freedom - 1) / max(float(totals.mean()) - 1, 1.0)) if freedom else 0.0
    correlation = (freedom * between + prior.periods * prior.share) / (freedom + prior.periods)
    correlation = min(correlation * (1 + 1 / len(counts)) + 1 / total, 0.9)  # more, as the share itself is an estimate
    return _compute_two_sided_probability(_compute_beta_binomial_tails(size, share, correlation, count))


def _compute_two_sided_probability(tails: tuple[float, float]) -> float:
    """Return the two-sided probability, given the probabilities of a number at most as large and at least as large."""
    return min(1.0, 2 * min(tails))


def _compute_negative_binomial_tails(mean: float, index: float, count: int) -> tuple[float, float]:
    """Return P(X <= count) and P(X >= count) for a negative binomial distribution with this mean and with the variance mean × index.

    With an index of 1 it is a Poisson distribution.
    """
    index = max(index, 1.001)
    size = mean / (index - 1)
    if max(mean, count) > _MAX_EXACT_COUNT:
        return _compute_normal_tails(count, mean, mean * index)
    k = np.arange(count)
    logs = np.concatenate([[0.0], np.cumsum(np.log(size + k) - np.log(k + 1) + math.log(1 - 1 / index))]) - size * math.log(index)
    return _sum_tails(np.exp(logs))


def _compute_beta_binomial_tails(size: int, share: float, correlation: float, count: int) -> tuple[float, float]:
    """Return P(X <= count) and P(X >= count) for a beta-binomial distribution of `size` draws. `share` is the expected share.

    `correlation` is the correlation between two draws.
    """
    if size > _MAX_EXACT_COUNT:
        return _compute_normal_tails(count, size * share, size * share * (1 - share) * (1 + (size - 1) * correlation))
    a, b = (part * (1 / correlation - 1) for part in (share, 1 - share))
    k = np.arange(count)
    first = math.lgamma(b + size) - math.lgamma(b) + math.lgamma(a + b) - math.lgamma(a + b + size)
    steps = np.log(size - k) + np.log(a + k) - np.log(k + 1) - np.log(b + size - k - 1)
    return _sum_tails(np.exp(np.concatenate([[0.0], np.cumsum(steps)]) + first))


def _sum_tails(probabilities: np.ndarray) -> tuple[float, float]:
    """Return P(X <= n) and P(X >= n), given the probabilities of 0, 1, 2, …, n."""
    low = float(probabilities.sum())
    return min(low, 1.0), max(1.0 - low, 0.0) + float(probabilities[-1])


def _compute_normal_tails(count: float, mean: float, variance: float) -> tuple[float, float]:
    """Return P(X <= count) and P(X >= count) for a normal distribution with this mean and variance."""
    z = (count - mean) / math.sqrt(variance)
    return 0.5 * math.erfc(-z / math.sqrt(2)), 0.5 * math.erfc(z / math.sqrt(2))
