"""Candidate pairs of person records, generated and scored by Splink on Spark, for histories that are too large for one machine. The
model file is the same as for linkage on one machine.

Belongs here: the setting that names the Spark cluster, the exported model in Spark SQL, the Spark session, the scored pairs. Does not
belong here: the Splink settings of the model (`splink_export`); cases, clusters and ids, which are decided in the same way with and without
Spark. This module needs the optional dependencies `spark` of this package, and Java 17.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from harmonia.errors import HarmoniaError
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.row_groups import RowGroups
from pipelines.linkage.score import Likelihoods, PairScorer, TokenFrequencies
from pipelines.linkage.splink_export import (
    EXCHANGED_COMPARISON,
    UNIQUE_ID,
    build_splink_records,
    build_splink_settings,
    build_term_frequencies,
    map_splink_gammas_to_levels,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SETTING = "HARMONIA_SPARK"
WEIGHT_COLUMN = "match_weight"
FRESH_COLUMN = "fresh"
# Splink adds prior odds to every weight. A prior probability of one half adds nothing.
EVEN_ODDS = 0.5


@dataclass(frozen=True)
class SplinkOnSpark:
    """Splink on the Spark cluster whose address is `master` (`local[2]`, `spark://host:7077`, …)."""

    master: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> SplinkOnSpark | None:
        """Return the Spark cluster that the environment variable `HARMONIA_SPARK` names.

        Return None if the variable is not set; then pairs are generated and scored without Spark.
        """
        return cls.for_master(environment[SETTING]) if environment.get(SETTING) else None

    @classmethod
    def for_master(cls, master: str) -> SplinkOnSpark:
        """Return the Spark cluster at `master`. Raises `HarmoniaError` if PySpark or Splink is not installed."""
        if find_spec("pyspark") is None or find_spec("splink") is None:
            raise HarmoniaError(
                f"pairs cannot be scored on Spark at {master}: this environment has no PySpark; install the extra `spark` and Java 17 "
                f"(docs/explanation/linkage.md says how), or leave out --spark and {SETTING} to score pairs in process"
            )
        return cls(master)

    def score_pairs(
        self, persons: pd.DataFrame, blocking_groups: RowGroups, model: LinkageModel, scorer: PairScorer
    ) -> tuple[np.ndarray, np.ndarray, Likelihoods]:
        """Return all pairs of rows of `persons` that are together in one of `blocking_groups` (`left` < `right`), sorted, and their levels,
        bits and weights.
        """
        names = [field.name for field in model.fields]
        parts = [f"{kind}_{name}" for name in names for kind in ("mw", "mw_tf_adj")]
        predictions = self._predict_pairs(
            persons, blocking_groups, model, scorer.token_frequencies, ["gamma_" + name for name in names] + parts
        )
        left, right = predictions["left"].to_numpy(), predictions["right"].to_numpy()
        levels = {
            field.name: map_splink_gammas_to_levels(field, model)[predictions[f"gamma_{field.name}"].to_numpy("int64")]
            for field in model.fields
        }
        bits = {
            name: sum(
                (predictions[part].to_numpy("float64") for part in (f"mw_{name}", f"mw_tf_adj_{name}") if part in predictions),
                np.zeros(len(predictions)),
            )
            for name in names
        }
        weight = predictions[WEIGHT_COLUMN].to_numpy("float64", copy=True)
        rows = np.flatnonzero(predictions[EXCHANGED_COMPARISON])
        likelihoods = scorer.compute_likelihoods_of_pairs(left[rows], right[rows])
        weight[rows] = likelihoods.weight
        frames = pd.DataFrame(levels), pd.DataFrame(bits).astype("float32")
        for frame, own_values in zip(frames, (likelihoods.levels, likelihoods.bits), strict=True):
            frame.iloc[rows] = own_values[names].to_numpy()
        return left, right, Likelihoods(*frames, weight)

    def find_pairs_above_weight(
        self,
        persons: pd.DataFrame,
        blocking_groups: RowGroups,
        model: LinkageModel,
        scorer: PairScorer,
        min_weight: float = -np.inf,
        is_new: np.ndarray | None = None,
    ) -> pd.DataFrame:
        """Return the pairs of rows of `persons` that are together in one of `blocking_groups` and weigh at least `min_weight` bits.

        Columns: left, right, weight. is_new: for each row, whether it is new; if it is given, only pairs with at least one new row are
        returned.
        """
        predictions = self._predict_pairs(persons, blocking_groups, model, scorer.token_frequencies, [], min_weight, is_new)
        rows, weight = np.flatnonzero(predictions[EXCHANGED_COMPARISON]), predictions[WEIGHT_COLUMN].to_numpy("float64", copy=True)
        weight[rows] = scorer.compute_likelihoods_of_pairs(
            predictions["left"].to_numpy()[rows], predictions["right"].to_numpy()[rows]
        ).weight
        return predictions[["left", "right"]].assign(weight=weight)[weight >= min_weight].reset_index(drop=True)

    def _predict_pairs(
        self,
        persons: pd.DataFrame,
        blocking_groups: RowGroups,
        model: LinkageModel,
        token_frequencies: TokenFrequencies,
        columns: list[str],
        min_weight: float = -np.inf,
        is_new: np.ndarray | None = None,
    ) -> pd.DataFrame:
        """Return the pairs that Splink scored, sorted.

        Columns: left, right (`left` < `right`), `WEIGHT_COLUMN`, `EXCHANGED_COMPARISON` (whether names may be swapped, so that the pair
        must be scored again without Splink, whatever its weight), and those of `columns` that Splink returns.
        """
        if not len(blocking_groups.row):
            nothing = pd.DataFrame(dict.fromkeys(["left", "right", *(c for c in columns if c.startswith("gamma_"))], np.empty(0, "int64")))
            return nothing.assign(**{WEIGHT_COLUMN: 0.0, EXCHANGED_COMPARISON: False})
        with open_spark_session(self.master) as spark:
            pairs = predict_pairs_with_splink(spark, persons, blocking_groups, model, token_frequencies, is_new)
            marked = f"gamma_{EXCHANGED_COMPARISON} = 1" if f"gamma_{EXCHANGED_COMPARISON}" in pairs.columns else "false"
            if np.isfinite(min_weight):
                pairs = pairs.where(f"{WEIGHT_COLUMN} >= {min_weight!r} OR {marked}")
            chosen = [f"{UNIQUE_ID}_l AS l", f"{UNIQUE_ID}_r AS r", WEIGHT_COLUMN, f"{marked} AS {EXCHANGED_COMPARISON}"]
            table = pairs.selectExpr(*chosen, *(column for column in columns if column in pairs.columns)).toArrow()
        predictions = table.drop_columns(["l", "r"]).to_pandas()
        first, second = (table[side].to_numpy().astype("int64") for side in "lr")
        predictions.insert(0, "left", np.minimum(first, second))
        predictions.insert(1, "right", np.maximum(first, second))
        return predictions.iloc[np.lexsort((predictions["right"], predictions["left"]))].reset_index(drop=True)


@contextmanager
def open_spark_session(master: str) -> Iterator[SparkSession]:
    """Open a Spark session with the additional SQL functions of Splink. Raises `HarmoniaError` if Spark does not start."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
    from splink.internals.spark.jar_location import similarity_jar_location

    settings = {
        "spark.jars": similarity_jar_location(),
        "spark.driver.maxResultSize": "0",
        "spark.log.level": "FATAL",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if master.startswith("local"):
        settings["spark.sql.shuffle.partitions"] = "8"
    builder = SparkSession.builder.master(master).appName("harmonia")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise HarmoniaError(f"Spark at {master} does not start ({type(error).__name__}): is Java 17 there (JAVA_HOME)?") from None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
            yield spark
    finally:
        spark.stop()


def predict_pairs_with_splink(
    spark: SparkSession,
    persons: pd.DataFrame,
    blocking_groups: RowGroups,
    model: LinkageModel,
    token_frequencies: TokenFrequencies,
    is_new: np.ndarray | None = None,
    pairs: pd.DataFrame | None = None,
) -> DataFrame:
    """Return Splink's results for the pairs of rows of `persons` that are together in one of `blocking_groups`.

    The column `match_weight` has the weight in bits, without prior odds. is_new: see `SplinkOnSpark.find_pairs_above_weight`. pairs: if it
    is given, only these pairs are scored; its columns `join_key_l` and `join_key_r` have the two rows of each pair.
    """
    import splink
    from splink.backends.spark import SparkAPI

    api = SparkAPI(spark_session=spark, break_lineage_method="persist")
    records = build_splink_records(persons, model, blocking_groups)
    if is_new is not None:
        records[FRESH_COLUMN] = is_new
    linker = splink.Linker(
        api.register(_convert_to_spark_frame(spark, records)), build_spark_settings(model, is_new is not None), log_level=None
    )
    for column, table in build_term_frequencies(persons, model, token_frequencies).items():
        linker.table_management.register_term_frequency_lookup(api.register(_convert_to_spark_frame(spark, table)), column)
    if pairs is not None:
        linker.table_management.register_blocked_pairs_for_predict(
            api.register(_convert_to_spark_frame(spark, pairs.assign(match_key="0")))
        )
    predictions: DataFrame = linker.inference.predict(warning_mode="never").as_spark_dataframe()
    return predictions


def build_spark_settings(model: LinkageModel, only_new_pairs: bool = False) -> dict[str, Any]:
    """Return the model as settings of Splink, with conditions in Spark SQL.

    only_new_pairs: whether only pairs with at least one new record are generated.
    """
    settings = build_splink_settings(model, 0) | {"probability_two_random_records_match": EVEN_ODDS}
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            level["sql_condition"] = _translate_to_spark_sql(level["sql_condition"])
    for rule in settings["blocking_rules_to_generate_predictions"]:
        rule["sql_dialect"] = "spark"
        rule["blocking_rule"] += f" AND (l.{FRESH_COLUMN} OR r.{FRESH_COLUMN})" if only_new_pairs else ""
    return settings


def _translate_to_spark_sql(condition: str) -> str:
    """Translate an SQL condition for DuckDB to Spark SQL. The function for the similarity of texts is one that Splink adds to Spark."""
    import sqlglot
    from sqlglot import exp

    if condition == "ELSE":
        return condition

    def rename_similarity_function(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.ArrayOverlaps):
            return exp.Anonymous(this="arrays_overlap", expressions=[node.this, node.expression])
        if isinstance(node, exp.JarowinklerSimilarity):
            return exp.Anonymous(this="jaro_winkler", expressions=[node.this, node.expression])
        return node

    return sqlglot.parse_one(condition, read="duckdb").transform(rename_similarity_function).sql(dialect="spark")


def _convert_to_spark_frame(spark: SparkSession, frame: pd.DataFrame) -> DataFrame:
    """Convert a pandas frame to a Spark frame. Missing values become null."""
    converted: DataFrame = spark.createDataFrame(pa.Table.from_pandas(frame, preserve_index=False))
    return converted
