"""From records to cases and persons: who is who, and the ids that stay."""

import dagster as dg
import pandas as pd

from pipelines.assets.describing import careful, say, table
from pipelines.linkage import Linked, link
from pipelines.linkage.standardise import READ
from pipelines.registry import open_registry
from pipelines.registry.identity import assign
from pipelines.resources.lake import Tables
from pipelines.resources.workplace import Workplace
from pipelines.review.judgements import effective, read
from pipelines.review.pairs import pair_ids


def _stewards_said(workplace: Workplace) -> pd.DataFrame:
    """The judgements that stand."""
    registry = open_registry(workplace.registry)
    try:
        return effective(read(registry))
    finally:
        registry.close()


def _worth_a_look(judged: pd.DataFrame) -> pd.DataFrame:
    """Judgements that do not hold, or hold against a rule: pair, verdict, outcome."""
    odd = judged[judged["outcome"] != "holds"]
    return odd.assign(pair=pair_ids(odd))[["pair", "verdict", "outcome"]]


@dg.asset(
    group_name="linking", kinds={"python", "parquet"}, description="Which records speak of the same person, and which of the same case."
)
def links(context: dg.AssetExecutionContext, canonical: Tables, workplace: dg.ResourceParam[Workplace]) -> Linked:
    """Clusters of person and case records, as stewards' judgements demand."""
    with careful(workplace, "linking"):
        linked = link(canonical.only(READ), judgements=_stewards_said(workplace), memory=workplace.home.lake / "linkage_memory")
    say(
        context,
        len(linked.persons) + len(linked.cases),
        {"person records": len(linked.persons), "case records": len(linked.cases), **linked.statistics}
        | {"judgements that do not hold, or hold against a rule": table(_worth_a_look(linked.judged))},
    )
    return linked


@dg.asset(group_name="linking", kinds={"sqlite", "parquet"}, description="The ids of cases and persons, the same from run to run.")
def identities(context: dg.AssetExecutionContext, links: Linked, workplace: dg.ResourceParam[Workplace]) -> dict[str, pd.DataFrame]:
    """`cases` and `persons`: institution, record_key, and `case_id` or `person_id`."""
    with careful(workplace, "giving ids", context):
        registry = open_registry(workplace.registry)
        try:
            cases = assign(registry, "case", links.cases).rename(columns={"entity_id": "case_id"})
            persons = assign(registry, "person", links.persons).rename(columns={"entity_id": "person_id"})
        finally:
            registry.close()
    sizes = persons.groupby("person_id").size().value_counts().sort_index().rename_axis("records").rename("persons").reset_index()
    say(
        context,
        len(cases) + len(persons),
        {"cases": cases["case_id"].nunique(), "persons": persons["person_id"].nunique(), "persons by number of records": table(sizes)},
    )
    return {"cases": cases, "persons": persons}
