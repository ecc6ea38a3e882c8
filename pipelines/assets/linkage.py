"""Record linkage: find out which records belong to one case or person, and give each an id that stays the same in later runs."""

from collections.abc import Callable

import dagster as dg
import pandas as pd
from sqlalchemy import func, select

from harmonia.registry import open_registry
from harmonia.registry.identity import assign_ids
from harmonia.registry.tables import Entity, Judgement, Membership
from harmonia.review.following import read_current_verdicts
from harmonia.review.pairs import compute_pair_ids
from pipelines.asset_helpers import add_counts_to_asset_metadata, make_metadata_table, redact_stage_errors
from pipelines.assets.versions import versioned_asset
from pipelines.crosswalk import add_rows_for_old_keys
from pipelines.linkage import LinkageResult, link_records, load_linkage_model
from pipelines.linkage.list_positions import find_keys_of_listed_persons, replace_record_keys_by_first_keys
from pipelines.linkage.model import read_model_named_in_environment
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import INPUT_COLUMNS
from pipelines.linkage.standardise import read_linkage_columns as states
from pipelines.resources import bounded
from pipelines.resources.lake import Tables
from pipelines.resources.workplace import Workplace


def _read_current_judgements(workplace: Workplace, list_positions: pd.DataFrame) -> pd.DataFrame:
    """Read the judgements of stewards that are in force.

    `list_positions` comes from `pipelines.linkage.list_positions.find_keys_of_listed_persons`.
    """
    registry = open_registry(workplace.registry)
    try:
        return read_current_verdicts(registry, list_positions)
    finally:
        registry.close()


def _select_judgements_with_problems(judgements: pd.DataFrame) -> pd.DataFrame:
    """Return the judgements that linkage did not follow, or that it followed although they break a rule.

    Columns: pair, verdict, outcome.
    """
    unmet = judgements[judgements["outcome"] != "holds"]
    return unmet.assign(pair=compute_pair_ids(unmet))[["pair", "verdict", "outcome"]]


def _read_judgements_and_model(workplace: Workplace) -> object:
    """Return all judgements of stewards, the settings of Spark if it scores the pairs, and the linkage model, as plain values."""
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            rows = session.execute(select(Judgement.__table__).order_by(Judgement.id)).all()
    finally:
        registry.close()
    return [[list(row) for row in rows], str(SplinkOnSpark.from_environment()), read_model_named_in_environment()]


def _read_identity_register_version(workplace: Workplace) -> object:
    """Return numbers that change whenever the register of ids changes: counts and newest numbers of its entries."""
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            memberships = session.execute(select(func.count(), func.max(Membership.sequence), func.count(Membership.until))).one()
            entities = session.execute(select(func.count(), func.max(Entity.number), func.count(Entity.redirect_to))).one()
    finally:
        registry.close()
    return [list(memberships), list(entities)]


@versioned_asset(
    other_inputs=_read_judgements_and_model,
    group_name="link",
    kinds={"python", "parquet"},
    description="Record linkage: which records are of the same person, and which of the same case.",
)
def links(context: dg.AssetExecutionContext, canonical: Tables, workplace: dg.ResourceParam[Workplace]) -> LinkageResult:
    """Group the records of persons and the records of cases into clusters. Linkage must follow the judgements of stewards."""
    with redact_stage_errors(workplace, "linking"):
        bounded.stop_processes()  # all deliveries are harmonised, so the processes that read them are no longer needed
        model, tables, spark = load_linkage_model(), canonical.restrict_to_columns(INPUT_COLUMNS), SplinkOnSpark.from_environment()
        list_positions = find_keys_of_listed_persons(
            states({name: tables[name] for name in ("person_records", "successors")})["person_records"], model
        )
        judgements = _read_current_judgements(workplace, list_positions)
        linked = link_records(tables, model, judgements, workplace.home.lake / "linkage_memory", list_positions, spark)
    add_counts_to_asset_metadata(
        context,
        len(linked.persons) + len(linked.cases),
        {"person records": len(linked.persons), "case records": len(linked.cases), **linked.statistics}
        | {"candidate pairs scored": f"by Splink on Spark ({spark.master})" if spark else "in process"}
        | {"judgements that do not hold, or hold against a rule": make_metadata_table(_select_judgements_with_problems(linked.judged))},
    )
    return linked


@versioned_asset(
    other_inputs=_read_identity_register_version,
    changes_inputs=True,
    group_name="link",
    kinds={"sqlite", "parquet"},
    description="Ids of cases and persons that do not change from run to run.",
)
def identities(
    context: dg.AssetExecutionContext, links: LinkageResult, canonical: Tables, workplace: dg.ResourceParam[Workplace]
) -> dict[str, pd.DataFrame]:
    """Assign ids to cases and persons.

    The output has the tables `cases` and `persons` (institution, record_key, and `case_id` or `person_id`; replaced records are included),
    and `listed`, the persons in lists (see `pipelines.linkage.list_positions`) with their `person_id`.
    """
    with redact_stage_errors(workplace, "assigning ids", context):
        registry = open_registry(workplace.registry)
        try:
            successors = canonical["successors"]
            cases = assign_ids(registry, "case", add_rows_for_old_keys(links.cases, successors, "case")).rename(
                columns={"entity_id": "case_id"}
            )
            persons = _assign_person_ids(links, successors, lambda partition: assign_ids(registry, "person", partition))
        finally:
            registry.close()
    sizes = persons.groupby("person_id").size().value_counts().sort_index().rename_axis("records").rename("persons").reset_index()
    add_counts_to_asset_metadata(
        context,
        len(cases) + len(persons),
        {
            "cases": cases["case_id"].nunique(),
            "persons": persons["person_id"].nunique(),
            "persons by number of records": make_metadata_table(sizes),
        },
    )
    listed = links.listed.merge(persons.rename(columns={"record_key": "person_key"}), on=["institution", "person_key"], how="left")
    return {"cases": cases, "persons": persons, "listed": listed}


def _assign_person_ids(
    links: LinkageResult, successors: pd.DataFrame, assign_person_ids: Callable[[pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    """Return all records of persons, including replaced ones, with their `person_id`.

    The register of ids knows a person in a list by a key that stays the same even if the person's position in the list changes.
    """
    persons = add_rows_for_old_keys(links.persons, successors, "person")
    assigned = assign_person_ids(replace_record_keys_by_first_keys(persons, links.listed))
    return assigned.assign(record_key=persons["record_key"].array).rename(columns={"entity_id": "person_id"})
