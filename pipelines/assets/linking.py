"""Cases and persons from records: record linkage, and ids that do not change from run to run."""

from collections.abc import Callable

import dagster as dg
import pandas as pd
from sqlalchemy import func, select

from harmonia.registry import open_registry
from harmonia.registry.identity import assign
from harmonia.registry.tables import Entity, Judgement, Membership
from harmonia.review.following import current_verdicts
from harmonia.review.pairs import pair_ids
from pipelines.assets.versions import stage
from pipelines.crosswalk import with_old_keys
from pipelines.describing import redact_stage_errors, say, table
from pipelines.linkage import Linked, link, load_model
from pipelines.linkage.model import named_model
from pipelines.linkage.places import listed, with_first_keys
from pipelines.linkage.spark import Spark
from pipelines.linkage.standardise import INPUT
from pipelines.linkage.standardise import read as states
from pipelines.resources import bounded
from pipelines.resources.lake import Tables
from pipelines.resources.workplace import Workplace


def _stewards_said(workplace: Workplace, places: pd.DataFrame) -> pd.DataFrame:
    """The judgements that stand. places: of `pipelines.linkage.places.listed`."""
    registry = open_registry(workplace.registry)
    try:
        return current_verdicts(registry, places)
    finally:
        registry.close()


def _worth_a_look(judged: pd.DataFrame) -> pd.DataFrame:
    """Judgements that do not hold, or hold against a rule: pair, verdict, outcome."""
    odd = judged[judged["outcome"] != "holds"]
    return odd.assign(pair=pair_ids(odd))[["pair", "verdict", "outcome"]]


def _judged(workplace: Workplace) -> object:
    """What stewards decided, and the model and engine that score pairs."""
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            rows = session.execute(select(Judgement.__table__).order_by(Judgement.id)).all()
    finally:
        registry.close()
    return [[list(row) for row in rows], str(Spark.from_environment()), named_model()]


def _registered(workplace: Workplace) -> object:
    """What the register of identities holds."""
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            memberships = session.execute(select(func.count(), func.max(Membership.sequence), func.count(Membership.until))).one()
            entities = session.execute(select(func.count(), func.max(Entity.number), func.count(Entity.redirect_to))).one()
    finally:
        registry.close()
    return [list(memberships), list(entities)]


@stage(
    also=_judged,
    group_name="link",
    kinds={"python", "parquet"},
    description="Record linkage: which records are of the same person, and which of the same case.",
)
def links(context: dg.AssetExecutionContext, canonical: Tables, workplace: dg.ResourceParam[Workplace]) -> Linked:
    """Clusters of person and case records, as stewards' judgements demand."""
    with redact_stage_errors(workplace, "linking"):
        bounded.stop_processes()  # every delivery is harmonised
        model, tables, spark = load_model(), canonical.restricted_to(INPUT), Spark.from_environment()
        places = listed(states({name: tables[name] for name in ("person_records", "successors")})["person_records"], model)
        said = _stewards_said(workplace, places)
        linked = link(tables, model, said, workplace.home.lake / "linkage_memory", places, spark)
    say(
        context,
        len(linked.persons) + len(linked.cases),
        {"person records": len(linked.persons), "case records": len(linked.cases), **linked.statistics}
        | {"candidate pairs scored": f"by Splink on Spark ({spark.master})" if spark else "in process"}
        | {"judgements that do not hold, or hold against a rule": table(_worth_a_look(linked.judged))},
    )
    return linked


@stage(
    also=_registered,
    writes=True,
    group_name="link",
    kinds={"sqlite", "parquet"},
    description="Ids of cases and persons that do not change from run to run.",
)
def identities(
    context: dg.AssetExecutionContext, links: Linked, canonical: Tables, workplace: dg.ResourceParam[Workplace]
) -> dict[str, pd.DataFrame]:
    """`cases` and `persons`: institution, record_key, and `case_id` or `person_id`, also of replaced records. `listed`: of
    `pipelines.linkage.places`, with `person_id`."""
    with redact_stage_errors(workplace, "assigning ids", context):
        registry = open_registry(workplace.registry)
        try:
            successors = canonical["successors"]
            cases = assign(registry, "case", with_old_keys(links.cases, successors, "case")).rename(columns={"entity_id": "case_id"})
            persons = _by_first_key(links, successors, lambda partition: assign(registry, "person", partition))
        finally:
            registry.close()
    sizes = persons.groupby("person_id").size().value_counts().sort_index().rename_axis("records").rename("persons").reset_index()
    say(
        context,
        len(cases) + len(persons),
        {"cases": cases["case_id"].nunique(), "persons": persons["person_id"].nunique(), "persons by number of records": table(sizes)},
    )
    listed = links.listed.merge(persons.rename(columns={"record_key": "person_key"}), on=["institution", "person_key"], how="left")
    return {"cases": cases, "persons": persons, "listed": listed}


def _by_first_key(links: Linked, successors: pd.DataFrame, assign_: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """`links.persons`, and replaced records, with `person_id`; the register knows a listed person by the key that stays."""
    persons = with_old_keys(links.persons, successors, "person")
    ids = assign_(with_first_keys(persons, links.listed))
    return ids.assign(record_key=persons["record_key"].array).rename(columns={"entity_id": "person_id"})
