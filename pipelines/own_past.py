"""Is a delivery unlike its institution's own past? Records, shares of codes and units, missing values, days, records delivered before.

Belongs here: what is counted, the tests, the findings (docs/reference/completeness.md, "Unlike the own past"). Does not belong here: levels
and least deviations (`own_past.yaml`), texts (`schemas/rules/past.yaml`). A deviation is reported; the delivery is never refused.

The tests are two-sided tails of the negative binomial distribution (numbers of records) and of the beta-binomial (shares), whose spread
beyond chance is estimated from the past, Bonferroni over all tests of a rule in a delivery.
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

from pipelines.harmonisation import codes
from schemas.declared import read_checked
from sources import periods
from sources.contract import Contract, TableSpec
from sources.states import COMPLETE

RULES = ("cross-volume-unusual", "cross-codes-unusual", "cross-missing-unusual", "cross-days-unusual", "cross-repeated-unusual")
VOLUME, CODES, MISSING, DAYS, REPEATED = RULES
_LISTED = ("code", "seat", "municipality", "country", "article", "offence_words", "form_words")  # types of few distinct values
_RARE = 0.02  # a value with a smaller share, in the past and now, is counted with others
_REST = "…"
_LARGE = 50_000  # up to this number tails are summed exactly; beyond it they are normal


@dataclass(frozen=True)
class _Prior:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    periods: int
    volume: float
    share: float


@dataclass(frozen=True)
class Settings:
    """The content of `own_past.yaml`."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    periods: int
    enough: int
    records: int
    false_alarms: float
    prior: _Prior
    rules: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class _Test:
    """One comparison: how improbable the delivery is as one more of its past, and whether it deviates as much as the rule asks."""

    rule: str
    delivery: str
    table: str
    column: str | None
    value: str | None
    detail: str
    probability: float
    large: bool


@cache
def settings() -> Settings:
    """The declared levels. Raises `DeclarationError` if the file is invalid."""
    return read_checked(Settings, Path(__file__).with_suffix(".yaml"))


def findings_of(
    contract: Contract, tables: Mapping[str, pd.DataFrame], deliveries: pd.DataFrame, only: str | None = None
) -> list[dict[str, Any]]:
    """Findings on the deliveries of one institution, as rows for `schemas.findings.frame`.

    In: the typed tables of all deliveries (`pipelines.validation.Validated`), `deliveries` (delivery, period, version, state); `only`: the
    the delivery that is checked. For each delivery, rule and column the least probable value is reported.
    """
    complete = _in_order(deliveries)
    complete = complete.assign(judged=complete["delivery"].eq(only) if only else True)
    if complete["period"].nunique() <= settings().enough:
        return []
    tests = [
        test
        for name, spec in contract.tables.items()
        if spec.key and not spec.crosswalk and len(tables[name])
        for test in _of_table(name, spec, contract, tables[name], complete)
    ]
    number = pd.Series([(test.delivery, test.rule) for test in tests], dtype="object").value_counts().to_dict()
    told = [test for test in tests if test.large and test.probability * number[test.delivery, test.rule] <= settings().false_alarms]
    told.sort(key=lambda test: test.probability)
    first = {(test.delivery, test.rule, test.table, test.column): test for test in reversed(told)}
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
        for test in sorted(first.values(), key=lambda one: (one.delivery, one.rule, one.table, one.column or ""))
    ]


def columns_compared(spec: TableSpec, units: Collection[str] = ()) -> set[str]:
    """The columns of a typed table whose values `findings_of` reads. units: columns that name a unit of the institution."""
    listed = {column.name for column in spec.columns if column.type in _LISTED or column.name in units}
    days = {column.name for column in spec.columns if column.type == "date" and column.event}
    return listed | days | {f"{name}:precision" for name in days}


def _in_order(deliveries: pd.DataFrame) -> pd.DataFrame:
    """The complete deliveries with the place of their period: delivery, period, place, counts (the last version of a period), laws (how
    many had begun)."""
    complete = deliveries[deliveries["state"] == COMPLETE].assign(end=lambda d: d["period"].map(periods.last_day))
    complete = complete.sort_values(["end", "version"], ignore_index=True)
    starts = pd.to_datetime(codes.read_code_list("laws")["valid_from"], format="ISO8601", errors="coerce").dropna().sort_values()
    return complete.assign(
        place=complete["end"].rank(method="dense").astype(int),
        counts=~complete.duplicated("period", keep="last"),
        laws=starts.searchsorted(pd.to_datetime(complete["end"]), side="right"),
    )


def _of_table(name: str, spec: TableSpec, contract: Contract, frame: pd.DataFrame, complete: pd.DataFrame) -> Iterator[_Test]:
    rows = frame.merge(complete[["delivery", "place"]], left_on="_delivery", right_on="delivery", how="inner")
    if rows.empty:
        return
    new = rows["place"] == rows.groupby("_key")["place"].transform("min")
    yield from _volume(name, rows[new], complete) if spec.entity else ()
    yield from _shares(REPEATED, name, None, rows, new.map({True: "new", False: "repeated"}), complete) if spec.entity else ()
    fresh = rows[new]
    units = contract.units.columns if contract.units and contract.units.table == name else ()
    compared = columns_compared(spec, units)
    for column in spec.columns:
        if column.key:
            continue
        given = fresh[f"{column.name}:given"].astype(bool)
        yield from _shares(MISSING, name, column.name, fresh, given.map({True: "given", False: "missing"}), complete)
        if column.name in compared and column.type != "date":
            values = fresh[column.name].astype("str")
            yield from _shares(CODES, name, column.name, fresh, values, complete, one_law=column.type == "article")
        elif column.name in compared:
            for what in _of_days(fresh, column.name):
                yield from _shares(DAYS, name, column.name, fresh, what, complete)


def _of_days(rows: pd.DataFrame, column: str) -> Iterator[pd.Series]:
    """Of each date: its weekday; in which month of the delivered period it lies, or that it lies before or after it."""
    day = rows[column].where(rows[f"{column}:precision"] == "day")
    yield day.dt.day_name().astype("str")
    named = rows["_period"].unique()
    first, last = (rows["_period"].map({p: pd.Timestamp(of(p)) for p in named}) for of in (periods.first_day, periods.last_day))
    month = (rows[column].dt.year - first.dt.year) * 12 + rows[column].dt.month - first.dt.month
    place = ("month " + (month + 1).astype("Int64").astype("str")).mask(rows[column] < first, "before").mask(rows[column] > last, "after")
    yield place.where(rows[column].notna()).astype("str")


def _volume(name: str, new: pd.DataFrame, complete: pd.DataFrame) -> Iterator[_Test]:
    """Records that no earlier period had, against those of earlier periods."""
    level, least = settings(), settings().rules[VOLUME]
    counts = complete["delivery"].map(new["_delivery"].value_counts()).fillna(0).to_numpy("int64")
    for at, past in _with_past(complete):
        usual = counts[past]
        mean = float(usual.mean())
        spread = float(((usual - mean) ** 2).sum() / max(mean, 1e-9))  # about one a degree of freedom if the counts are Poisson
        weight = level.prior.periods
        index = (spread + weight * (1 + mean * level.prior.volume**2)) / (len(usual) - 1 + weight)
        expected = max(mean, 0.5)
        probability = _two_sided(_negative_binomial(expected, max(index, 1.0) * (1 + 1 / len(usual)), int(counts[at])))
        ratio = counts[at] / expected
        detail = f"{counts[at]} ≠ {mean:.0f}"
        yield _Test(VOLUME, complete["delivery"][at], name, None, None, detail, probability, not least["below"] < ratio < least["above"])


def _shares(
    rule: str, name: str, column: str | None, rows: pd.DataFrame, what: pd.Series, complete: pd.DataFrame, one_law: bool = False
) -> Iterator[_Test]:
    """Shares of values among the rows that have one, against those of earlier periods. `what`: the value of each row; null: none.

    one_law: periods before a law began are no past, as its articles have other numbers.
    """
    level, least = settings(), settings().rules[rule]["difference"]
    table = pd.crosstab(rows["_delivery"], what.to_numpy(), dropna=True).reindex(complete["delivery"], fill_value=0)
    if table.shape[1] == 0:
        return
    counts, values = table.to_numpy("int64"), [str(value) for value in table.columns]
    for at, past in _with_past(complete, one_law):
        usual, now = counts[past], counts[at]
        usual = usual[usual.sum(axis=1) > 0]
        total, size = int(usual.sum()), int(now.sum())
        if len(usual) < level.enough or min(total, size) < level.records:
            continue
        share = usual.sum(axis=0) / total
        kept = (share >= _RARE) | (now / size >= _RARE)
        usual, now, share = (_with_rest(part, kept) for part in (usual, now, share))
        of = [*(value for value, keep in zip(values, kept, strict=True) if keep), _REST]
        tested = [n for n in range(len(of)) if share[n] > 0 or now[n] > 0]
        for n in tested[:1] if len(tested) == 2 else tested:  # of two values one says it all
            probability = _share_probability(usual[:, n], usual.sum(axis=1), int(now[n]), size)
            detail = f"{now[n] / size:.0%} ≠ {share[n]:.0%}"
            large = abs(now[n] / size - share[n]) >= least
            yield _Test(rule, complete["delivery"][at], name, column, of[n], detail, probability, large)


def _with_rest(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The kept values of the last axis, and the sum of the others behind them."""
    return np.append(values[..., kept], values[..., ~kept].sum(axis=-1, keepdims=True), axis=-1)


def _with_past(complete: pd.DataFrame, one_law: bool = False) -> Iterator[tuple[int, np.ndarray]]:
    """The position of each delivery and the positions of its past: the last version of each of the latest earlier periods."""
    place, counts, laws = (complete[name].to_numpy() for name in ("place", "counts", "laws"))
    for at in np.flatnonzero(complete["judged"]).tolist():
        past = np.flatnonzero((place < place[at]) & counts & ((laws == laws[at]) | (not one_law)))[-settings().periods :]
        if len(past) >= settings().enough:
            yield at, past


def _share_probability(usual: np.ndarray, of: np.ndarray, now: int, size: int) -> float:
    """Two-sided tail of `now` of `size`, given `usual` of `of` in earlier periods."""
    prior = settings().prior
    total = int(of.sum())
    share = (usual.sum() + 0.5) / (total + 1)
    spread = float(((usual - of * share) ** 2 / (of * share * (1 - share))).sum())
    freedom = len(usual) - 1
    between = max(0.0, (spread / freedom - 1) / max(float(of.mean()) - 1, 1.0)) if freedom else 0.0
    correlation = (freedom * between + prior.periods * prior.share) / (freedom + prior.periods)
    correlation = min(correlation * (1 + 1 / len(usual)) + 1 / total, 0.9)  # the share itself is estimated from the past
    return _two_sided(_beta_binomial(size, share, correlation, now))


def _two_sided(tails: tuple[float, float]) -> float:
    return min(1.0, 2 * min(tails))


def _negative_binomial(mean: float, index: float, count: int) -> tuple[float, float]:
    """P(X <= count) and P(X >= count) of a negative binomial distribution with this mean and variance mean × index; Poisson for index 1."""
    index = max(index, 1.001)
    size = mean / (index - 1)
    if max(mean, count) > _LARGE:
        return _normal(count, mean, mean * index)
    k = np.arange(count)
    logs = np.concatenate([[0.0], np.cumsum(np.log(size + k) - np.log(k + 1) + math.log(1 - 1 / index))]) - size * math.log(index)
    return _tails(np.exp(logs))


def _beta_binomial(size: int, share: float, correlation: float, count: int) -> tuple[float, float]:
    """P(X <= count) and P(X >= count) of a beta-binomial distribution: `size` draws, mean share, correlation between draws."""
    if size > _LARGE:
        return _normal(count, size * share, size * share * (1 - share) * (1 + (size - 1) * correlation))
    a, b = (part * (1 / correlation - 1) for part in (share, 1 - share))
    k = np.arange(count)
    first = math.lgamma(b + size) - math.lgamma(b) + math.lgamma(a + b) - math.lgamma(a + b + size)
    steps = np.log(size - k) + np.log(a + k) - np.log(k + 1) - np.log(b + size - k - 1)
    return _tails(np.exp(np.concatenate([[0.0], np.cumsum(steps)]) + first))


def _tails(probabilities: np.ndarray) -> tuple[float, float]:
    """Both tails, both with the last of the probabilities of 0, 1, 2, … given."""
    low = float(probabilities.sum())
    return min(low, 1.0), max(1.0 - low, 0.0) + float(probabilities[-1])


def _normal(count: float, mean: float, variance: float) -> tuple[float, float]:
    z = (count - mean) / math.sqrt(variance)
    return 0.5 * math.erfc(-z / math.sqrt(2)), 0.5 * math.erfc(z / math.sqrt(2))
