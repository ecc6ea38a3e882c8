"""What the tests of this folder share: a run, and what a reader of the warehouse sees."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pandas as pd

from pipelines.resources.workplace import Workplace
from pipelines.run import RunOutcome
from warehouse.tables import CONTRACT


@dataclass(frozen=True)
class Ran:
    """A work place in which a run was made, and what that run made."""

    place: Workplace
    outcome: RunOutcome


def published(place: Workplace) -> dict[str, pd.DataFrame]:
    """The six contract tables as a reader of the warehouse sees them."""
    with duckdb.connect(str(place.home.warehouse), read_only=True) as connection:
        return {name: connection.sql(f'FROM "{name}" ORDER BY ALL').df() for name in CONTRACT}
