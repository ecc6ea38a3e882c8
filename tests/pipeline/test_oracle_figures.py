"""`statistics` is what one plain statement an indicator gives from the published facts."""

from __future__ import annotations

import duckdb
import pandas as pd
from pipeline_world import Ran

from tests.oracle.figures import DIMENSIONS, figures

CELL = ["indicator", "period", *DIMENSIONS]


def different(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """The figures in which `statistics` and the oracle differ; a figure of which nothing is known is none."""
    published = connection.execute("FROM statistics").df().dropna(subset=["as_reported"])
    found = figures(connection)
    assert len(found) > 500
    both = published.merge(found, on=CELL, how="outer", suffixes=("", "_oracle"), indicator="where")
    unknown = connection.execute("SELECT DISTINCT indicator, period FROM statistics WHERE as_reported IS NULL").df()
    known = ~pd.MultiIndex.from_frame(both[CELL[:2]]).isin(pd.MultiIndex.from_frame(unknown))
    values = both.loc[known].fillna(dict.fromkeys(("as_reported", "harmonised", "as_reported_oracle", "harmonised_oracle"), 0))
    return values[(values["as_reported"] != values["as_reported_oracle"]) | (values["harmonised"] != values["harmonised_oracle"])]


def test_every_counted_figure_is_the_oracles(ran: Ran) -> None:
    with duckdb.connect(str(ran.place.home.warehouse), read_only=True) as connection:
        assert different(connection).empty
