"""Weights of pairs of person records by Splink on Spark, for histories past one machine: the same model file, another engine.

Belongs here: the exported model in Spark's SQL, a session, the pairs with their weights. Does not belong here: the model as Splink has it
(`splink_export`), cases and clusters: those are decided as ever, from what is compared. Needs the extra `spark` and Java 17.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipelines.errors import HarmoniaError
from pipelines.linkage.model import Model
from pipelines.linkage.score import Frequencies
from pipelines.linkage.splink_export import UNIQUE_ID, splink_records, splink_settings, term_frequencies

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LOCAL = "local[*]"
WEIGHT = "match_weight"


@contextmanager
def session(master: str = LOCAL) -> Iterator[SparkSession]:
    """A session of Spark with Splink's functions. Raises `HarmoniaError` where Spark is not installed or does not start."""
    if find_spec("pyspark") is None or find_spec("splink") is None:
        raise HarmoniaError("linkage on Spark needs an environment with the extra `spark` and Java 17: docs/linkage.md says how")
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
    from splink.internals.spark.jar_location import similarity_jar_location

    told = {"spark.jars": similarity_jar_location(), "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "8"}
    builder = SparkSession.builder.master(master).appName("harmonia")
    for name, value in told.items() if master.startswith("local") else [("spark.jars", told["spark.jars"])]:
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise HarmoniaError(f"Spark at {master} does not start ({type(error).__name__}): is Java 17 there (JAVA_HOME)?") from None
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()


def spark_settings(model: Model, records: int) -> dict[str, Any]:
    """The exported model with its conditions in Spark's SQL."""
    settings = splink_settings(model, records)
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            level["sql_condition"] = _spoken(level["sql_condition"])
    for rule in settings["blocking_rules_to_generate_predictions"]:
        rule["sql_dialect"] = "spark"
    return settings


def _spoken(condition: str) -> str:
    """A condition of DuckDB as Spark says it; similarity is a function of Splink's there."""
    import sqlglot
    from sqlglot import exp

    if condition == "ELSE":
        return condition

    def renamed(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.ArrayOverlaps):
            return exp.Anonymous(this="arrays_overlap", expressions=[node.this, node.expression])
        if isinstance(node, exp.JarowinklerSimilarity):
            return exp.Anonymous(this="jaro_winkler", expressions=[node.this, node.expression])
        return node

    return sqlglot.parse_one(condition, read="duckdb").transform(renamed).sql(dialect="spark")


def weighed(spark: SparkSession, persons: pd.DataFrame, model: Model, known: Frequencies, pairs: pd.DataFrame | None = None) -> DataFrame:
    """Pairs of rows of `persons` (`unique_id_l`, `unique_id_r`) that the blocking keys give, with `match_weight` (bits, prior included).

    known: frequencies of names; pairs: these and no others (`join_key_l`, `join_key_r`)
    """
    import splink
    from splink.backends.spark import SparkAPI

    api = SparkAPI(spark_session=spark, break_lineage_method="persist")
    records = splink_records(persons, model)
    linker = splink.Linker(api.register(_given(spark, records)), spark_settings(model, len(persons)), log_level=None)
    for column, table in term_frequencies(persons, model, known).items():
        linker.table_management.register_term_frequency_lookup(api.register(_given(spark, table)), column)
    if pairs is not None:
        linker.table_management.register_blocked_pairs_for_predict(api.register(_given(spark, pairs.assign(match_key="0"))))
    found: DataFrame = linker.inference.predict(warning_mode="never").as_spark_dataframe()
    return found


def _given(spark: SparkSession, frame: pd.DataFrame) -> DataFrame:
    """A pandas frame for Spark by Arrow, missing values as null."""
    import pyarrow as pa

    made: DataFrame = spark.createDataFrame(pa.Table.from_pandas(frame, preserve_index=False))
    return made


def write(spark: SparkSession, persons: pd.DataFrame, model: Model, known: Frequencies, out: Path) -> int:
    """Write the weighed pairs as Parquet: institution and key of both records, weight. Returns how many. Raises `HarmoniaError`."""
    if out.exists():
        raise HarmoniaError(f"{out} is there already: name a new folder with --out")
    names = persons[["institution", "record_key"]].reset_index(drop=True).rename_axis(UNIQUE_ID).reset_index()
    found = weighed(spark, persons, model, known).select(f"{UNIQUE_ID}_l", f"{UNIQUE_ID}_r", WEIGHT)
    for side, end in (("l", "a"), ("r", "b")):
        own = _given(spark, names.set_axis([f"{UNIQUE_ID}_{side}", f"institution_{end}", f"key_{end}"], axis=1))
        found = found.join(own, f"{UNIQUE_ID}_{side}")
    rows = found.select("institution_a", "key_a", "institution_b", "key_b", WEIGHT).persist()
    rows.write.parquet(str(out))
    return int(rows.count())
