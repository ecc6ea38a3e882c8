"""Does the model still fit? How records compare, per institution and quarter, against what the model was trained on.

Belongs here: shares of comparison levels among linked records, their distance from the model's `expected` shares, when that is alarming.
Does not belong here: training (`training`), showing it (`pipelines.checks.model`).

A delivery whose birth dates are all shifted, or whose names come in another script, still links, if worse: nothing fails. But its records
then agree with those of other institutions on other levels than they used to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from pipelines.linkage.compare import MISSING
from pipelines.linkage.model import Model
from pipelines.linkage.score import frequencies, likelihoods
from pipelines.linkage.standardise import standardise
from schemas.canonical import conform

COLUMNS = ("institution", "period", "field", "level", "share", "expected", "n", "alarm")
_CELL = ["institution", "period", "field"]
# Larger clusters give no pairs: they are an error of another kind, and their pairs would outweigh all others.
MOST_IN_CLUSTER = 60
# Fewer records than this say nothing; of more, so many standard deviations and this much in share are alarming. Errors come in bunches
# (a person's records share their wrong date), so that a record counts for half.
LEAST_RECORDS = 20
DEVIATIONS = 4.0
LEAST_SHIFT = 0.10
WORTH = 0.5


def comparisons(canonical: Mapping[str, pd.DataFrame], persons: pd.DataFrame, model: Model) -> pd.DataFrame:
    """How many records reach which level: `institution, period, field, level, n`.

    canonical: the tables of `schemas.canonical`. persons: `institution, record_key, cluster` as linked. A record is compared with those of
    other institutions in its cluster, and counts once for each field that it and one of them know, spread over what it reaches. The
    period is the quarter in which it first came.
    """
    records = standardise(canonical).persons
    keys = pd.MultiIndex.from_frame(records[["institution", "record_key"]].astype("str"))
    cluster = pd.Series(persons["cluster"].to_numpy(), index=pd.MultiIndex.from_frame(persons[["institution", "record_key"]].astype("str")))
    rows = pd.DataFrame({"row": np.arange(len(records)), "cluster": cluster.reindex(keys).to_numpy()}).dropna()
    rows = rows[rows.groupby("cluster")["row"].transform("size").between(2, MOST_IN_CLUSTER)]
    pairs = rows.merge(rows, on="cluster")
    institution = records["institution"].to_numpy(dtype=object)
    pairs = pairs[(pairs["row_x"] < pairs["row_y"]) & (institution[pairs["row_x"]] != institution[pairs["row_y"]])]
    left, right = pairs["row_x"].to_numpy("int64"), pairs["row_y"].to_numpy("int64")
    levels = likelihoods(records, left, right, model, frequencies(records, model)).levels
    states = conform("person_records", canonical.get("person_records", pd.DataFrame()))
    states = states.assign(period=states["delivery"].str.split("_").str[0].astype("str"))
    first = states.astype({"institution": "str", "record_key": "str"}).groupby(["institution", "record_key"])["period"].min()
    return _counted(levels, left, right, institution, first.reindex(keys).to_numpy(dtype=object), model)


def _counted(
    levels: pd.DataFrame, left: np.ndarray, right: np.ndarray, institution: np.ndarray, period: np.ndarray, model: Model
) -> pd.DataFrame:
    found: list[pd.DataFrame] = []
    row = np.concatenate([left, right])
    for field in model.fields:
        level = np.tile(levels[field.name].to_numpy(), 2)
        known = level != MISSING
        own = pd.DataFrame({"row": row[known], "level": level[known]})
        own["n"] = 1.0 / own.groupby("row")["row"].transform("size")
        own = own.assign(institution=institution[own["row"]], period=period[own["row"]], field=field.name)
        own["level"] = np.array([spec.name for spec in field.levels], dtype=object)[own["level"].astype("int64")]
        found.append(own.groupby([*_CELL, "level"])["n"].sum().reset_index())
    return pd.concat(found, ignore_index=True)


def expected_shares(counted: Iterable[pd.DataFrame], model: Model) -> dict[str, dict[str, tuple[float, ...]]]:
    """What a model file keeps: share per level, by institution and field, over several sets of `comparisons` taken together."""
    every = pd.concat(list(counted), ignore_index=True)
    out: dict[str, dict[str, tuple[float, ...]]] = {}
    for field in model.fields:
        own = every[every["field"] == field.name]
        table = own.pivot_table(index="institution", columns="level", values="n", aggfunc="sum", fill_value=0.0)
        table = table.reindex(columns=[level.name for level in field.levels], fill_value=0.0)
        for institution, tally in zip(table.index, table.to_numpy("float64"), strict=True):
            shares = (tally + 1.0 / len(tally)) / (tally.sum() + 1.0)
            out.setdefault(str(institution), {})[field.name] = tuple(round(float(share), 6) for share in shares)
    return {name: out[name] for name in sorted(out)}


def drift(counted: pd.DataFrame, model: Model) -> pd.DataFrame:
    """`COLUMNS`, a row a level of each institution, quarter and field: its share of `n` records, what the model expects, and whether
    the difference is alarming.

    counted: `comparisons`. Institutions and fields of which the model expects nothing are left out: a model without `expected` gives
    no row.
    """
    named = [
        (institution, field.name, level.name, share)
        for institution, fields in model.expected.items()
        for field in model.fields
        for level, share in zip(field.levels, fields.get(field.name, ()), strict=False)
    ]
    expected = pd.DataFrame(named, columns=["institution", "field", "level", "expected"])
    n = counted.groupby(_CELL, as_index=False)["n"].sum()
    rows = n.merge(expected, on=["institution", "field"])
    seen = counted.rename(columns={"n": "reached"})
    rows = rows.merge(seen, how="left", on=[*_CELL, "level"])
    rows["share"] = (rows["reached"].fillna(0.0) / rows["n"]).astype("float64")
    rows["alarm"] = _alarming(rows["share"].to_numpy(), rows["expected"].to_numpy("float64"), rows["n"].to_numpy("float64"))
    rows["n"] = rows["n"].round().astype("int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).reset_index(drop=True)


def _alarming(share: np.ndarray, expected: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Whether `expected` lies outside Wilson's interval around `share`, and far enough to matter."""
    size, z2 = np.maximum(n, 1.0) * WORTH, DEVIATIONS**2
    centre = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = DEVIATIONS / (1 + z2 / size) * np.sqrt(share * (1 - share) / size + z2 / (4 * size**2))
    outside = np.abs(expected - centre) > half
    return np.asarray(outside & (np.abs(share - expected) >= LEAST_SHIFT) & (n >= LEAST_RECORDS), dtype=bool)
