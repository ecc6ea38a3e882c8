"""From cases and persons to figures: every finding with its life, and the tables that are published."""

from typing import Any

import dagster as dg
import pandas as pd

from pipelines.assets.counting_apart import MOST, count_apart, forget
from pipelines.assets.counting_inputs import Before
from pipelines.assets.describing import careful, say, table
from pipelines.assets.following import follow_all
from pipelines.feedback.answers import read
from pipelines.registry import open_registry
from pipelines.resources import parquet
from pipelines.resources.lake import Kept, Tables
from pipelines.resources.workplace import Workplace
from warehouse.star.build import everything
from warehouse.stores import secret

_DIMENSIONS = ["offence_group", "form", "sex", "age_group", "citizenship_group"]


@dg.asset(
    group_name="counting",
    kinds={"pandas", "parquet"},
    description="Everything found wrong, and whether it is new, remains or was fixed.",
)
def findings(
    context: dg.AssetExecutionContext,
    standing: Tables,
    comparison: Tables,
    workplace: dg.ResourceParam[Workplace],
) -> Kept:
    """`findings`: `pipelines.feedback.life.LIVED`, and what was answered (`answer`, `answer_id`)."""
    with careful(workplace, "following the findings"):
        registry = open_registry(workplace.registry)
        try:
            answers = read(registry)
        finally:
            registry.close()
        made, counts = follow_all(workplace, standing, comparison, answers, secret(workplace.home.root))
    say(context, int(counts["findings"].sum()), {"by institution, severity and state": table(counts)})
    return made


def totals(statistics: pd.DataFrame) -> pd.DataFrame:
    """The grand totals by year: indicator, period, as_reported, harmonised. All offence groups: trafficking and related offences."""
    grand = (statistics[_DIMENSIONS] == "total").all(axis=1) & (statistics["period"].str.len() == 4)
    return statistics.loc[grand, ["indicator", "period", "as_reported", "harmonised"]]


def made(workplace: Workplace, before: Before) -> Kept | dict[str, pd.DataFrame]:
    """Every table of the warehouse by its name: of a long history counted in pieces, else at once."""
    if before.rows() > MOST:
        return count_apart(workplace, before)
    forget(workplace)
    return everything(before.inputs())


@dg.asset(
    group_name="counting",
    kinds={"pandas", "parquet"},
    description="The published tables: every figure as reported and harmonised, why the two differ, and the facts behind them.",
)
def statistics(
    context: dg.AssetExecutionContext,
    canonical: Tables,
    identities: Tables,
    standing: Tables,
    findings: Tables,
    workplace: dg.ResourceParam[Workplace],
) -> Any:  # of one shape for whoever reads it, whether it was written piece by piece or is given to be written
    """Every table of the warehouse by its name."""
    before = Before(canonical, identities, standing, findings)
    with careful(workplace, "counting"):
        tables = made(workplace, before)
    figures = parquet.read_table(tables.folder / "statistics.parquet") if isinstance(tables, Kept) else tables["statistics"]
    say(context, len(figures), {"yearly totals (trafficking and related offences)": table(totals(figures))})
    return tables
