"""Provide the inputs of counting (tables of the run, contracts, code lists) as tables that the SQL models can read.

Belongs here: the input tables with their columns and types. Does not belong here: counting rules (`warehouse/models`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import duckdb
import pandas as pd
import pyarrow.dataset as ds

from pipelines.harmonisation import code_lists
from pipelines.resources.lake import Tables
from schemas import canonical, domain, findings
from schemas.topic import NO_FORM, OF_CASE, topic
from sources import contract
from warehouse import tables
from warehouse.count.coverage import (
    compute_coverage_of_periods,
    count_quarantined_rows,
    list_deliveries_that_figures_lack,
    list_years_and_quarters_with_deliveries,
)
from warehouse.count.neutral_names import MIN_UNIT_DELIVERIES, MIN_UNIT_RECORDS, OTHER_UNITS
from warehouse.count.reconciliation_steps import MAX_PENDING_DAYS, list_person_comparisons_between_institutions, list_reconciliation_steps
from warehouse.indicators import DIMENSIONS, Indicator, indicators
from warehouse.loading import Rows
from warehouse.star.tables import CASE_MILESTONES, PERSON_MILESTONES

NAMES = (
    *("given_name", "surname", "full_name", "parent_name", "name_tokens", "given_skeleton", "surname_skeleton", "parent_skeleton"),
    *("personal_number", "number_valid", "birthplace"),
)
"""Columns of person records that counting does not use."""
YEAR_ONLY_PENALTY, TOO_YOUNG_PENALTY = 0.2, 0.5
"""If the records of a person differ in the year of birth, they vote on it. A record has the weight 1. The first number is subtracted if the
record contains only the year of birth, not the date; the second is subtracted if an accused person would be too young by that year."""
QUALITY_QUARTERS = 12
_SQL_TYPES = {"text": "VARCHAR", "date": "DATE", "int": "BIGINT", "bool": "BOOLEAN", "float": "DOUBLE"}


@dataclass(frozen=True)
class CountInputs:
    """Everything that counting reads, as frames or as datasets of Parquet files. The columns of each table are in parentheses.

    canonical    the canonical tables (schemas.canonical.TABLES), with the further column `status`; one row for each delivered state of a
                 record
    cases        the case of each case record (institution, record_key, case_id); a person record names its case record in `case_key`
    persons      the person of each person record (institution, record_key, person_id)
    deliveries   the received deliveries (institution, delivery, period, version, state: complete, partial or unreadable); a missing
                 delivery has no row
    lineage      where each record was delivered (institution, entity, record_key, delivery, file, part, line, status; unit: station, seat
                 or facility, if known)
    quarantined  the number of quarantined rows of each delivery (institution, delivery, rows)
    findings     the findings (columns of schemas.findings; state: see harmonia.feedback.finding_states)
    listed       for records whose key is a position in a list that was reassigned to another person: the person whom each state of the
                 record is about (institution, delivery, record_key, person_key, person_id); None if there is no such record
    successors   the records that were delivered again under new keys (pipelines.crosswalk.SUCCESSOR_COLUMNS); None if there are none
    signatures   the quarters that the heads of institutions signed (from harmonia.signing.list_signature_states); None if there are none
    yardsticks   the figures that institutions published (warehouse.yardsticks.LINE_COLUMNS); None if there are none. No figure depends on
                 them
    """

    canonical: Mapping[str, Rows]
    cases: Rows
    persons: Rows
    deliveries: pd.DataFrame
    lineage: Rows
    quarantined: pd.DataFrame
    findings: Rows
    listed: Rows | None = None
    successors: Rows | None = None
    signatures: pd.DataFrame | None = None
    yardsticks: pd.DataFrame | None = None


def collect_run_inputs(
    canonical_tables: Tables,
    identities: Tables,
    record_status: Tables,
    findings_: Tables,
    signatures: pd.DataFrame | None = None,
    yardsticks: pd.DataFrame | None = None,
) -> CountInputs:
    """Collect the inputs of counting from the outputs of the earlier stages. Large tables are not loaded, but scanned when counting.

    canonical_tables, identities, record_status, findings_: the stored tables of these stages. signatures: from
    `harmonia.signing.list_signature_states`. yardsticks: figures that institutions published (`warehouse.yardsticks.LINE_COLUMNS`).
    """
    quarantined = record_status.select_columns("quarantined", ["institution", "delivery"]).astype("str")
    return CountInputs(
        canonical={name: canonical_tables.open_for_duckdb(name) for name in canonical.TABLES},
        cases=identities.open_for_duckdb("cases"),
        persons=identities.open_for_duckdb("persons"),
        deliveries=record_status["deliveries"],
        lineage=record_status.open_for_duckdb("lineage"),
        quarantined=quarantined.groupby(["institution", "delivery"]).size().rename("rows").reset_index(),
        findings=findings_.open_for_duckdb("findings"),
        listed=identities.open_for_duckdb("listed"),
        successors=canonical_tables.open_for_duckdb("successors"),
        signatures=signatures,
        yardsticks=yardsticks,
    )


_RECORD_KEY = {"institution": "VARCHAR", "record_key": "VARCHAR"}
_RUN_TABLES: dict[str, dict[str, str]] = {
    **{f"keyed_{name}": {c.name: _SQL_TYPES[c.kind] for c in columns if c.name not in NAMES} for name, columns in canonical.TABLES.items()},
    "case_ids": {**_RECORD_KEY, "case_id": "VARCHAR"},
    "person_ids": {**_RECORD_KEY, "person_id": "VARCHAR"},
    "listed_ids": {**_RECORD_KEY, **dict.fromkeys(("delivery", "person_key", "person_id"), "VARCHAR")},
    "successors": dict.fromkeys(("institution", "entity", "old_key", "new_key"), "VARCHAR"),
    "deliveries": {**dict.fromkeys(("institution", "delivery", "period", "state"), "VARCHAR"), "version": "BIGINT"},
    "delivered_records": {
        **dict.fromkeys(("institution", "entity", "record_key", "delivery", "file", "part"), "VARCHAR"),
        "line": "BIGINT",
        "status": "VARCHAR",
        "unit": "VARCHAR",
    },
    "delivered_findings": {
        **{c.name: "BIGINT" if c.name == "line" else "VARCHAR" for c in tables.FINDINGS.columns},
        "detail": "VARCHAR",
    },
}
"""The tables of a run as the SQL models read them: for each table, its columns and their SQL types. Each table also has the column `n`, the
row number. A table `keyed_…` is a canonical table with the record keys as delivered, even if a record later got a new key."""


def create_tables_of_counting_inputs(connection: duckdb.DuckDBPyConnection, inputs: CountInputs) -> None:
    """Create `inputs` and the declarations as tables and views of `connection`, under the names by which the models read them."""
    given: dict[str, Rows | None] = {
        **{f"keyed_{name}": rows for name, rows in inputs.canonical.items()},
        "case_ids": inputs.cases,
        "person_ids": inputs.persons,
        "listed_ids": inputs.listed,
        "successors": inputs.successors,
        "deliveries": inputs.deliveries,
        "delivered_records": inputs.lineage,
        "delivered_findings": inputs.findings,
    }
    for name, columns in _RUN_TABLES.items():
        _create_view(connection, name, columns, given[name])
    for name in canonical.TABLES:
        connection.execute(f'CREATE VIEW "{name}" AS {_make_query_with_newest_record_keys(connection, name)}')
    for name, frame in {**convert_declarations_to_tables(list(indicators().values())), **_make_tables_of_published_periods(inputs)}.items():
        connection.register("declared", frame)
        connection.execute(f"CREATE TABLE {name} AS FROM declared")
        connection.unregister("declared")


def _make_query_with_newest_record_keys(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """Return a query of the canonical table `name`. If a record was delivered again under a new key, the result has its new key."""
    if not connection.execute("FROM successors WHERE old_key IS NOT NULL AND new_key IS NOT NULL LIMIT 1").fetchall():
        return f"FROM keyed_{name}"
    entity = "records.entity" if len(canonical.ENTITY_OF[name]) > 1 else f"'{canonical.ENTITY_OF[name][0]}'"
    return f"""
        WITH replaced AS (
          SELECT institution, entity, old_key, any_value(new_key) AS new_key
          FROM successors WHERE old_key IS NOT NULL AND new_key IS NOT NULL GROUP BY ALL
        )
        SELECT records.* REPLACE (
          coalesce(record.new_key, records.record_key) AS record_key, coalesce(file.new_key, records.case_key) AS case_key
        )
        FROM keyed_{name} AS records
        LEFT JOIN replaced AS record
          ON record.institution = records.institution AND record.entity = {entity} AND record.old_key = records.record_key
        LEFT JOIN replaced AS file
          ON file.institution = records.institution AND file.entity = 'case' AND file.old_key = records.case_key"""


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Rows | None) -> None:
    """Create the view `name` of `rows`. It has the declared `columns` with their types, and the row number `n`. A column that `rows` lacks
    is null."""
    if rows is None:
        nothing = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
        connection.execute(f'CREATE VIEW "{name}" AS SELECT {nothing}, 0::BIGINT AS n LIMIT 0')
        return
    columns_present = rows.schema.names if isinstance(rows, ds.Dataset) else [str(column) for column in rows]  # type: ignore[union-attr]
    typed = ", ".join(f"{column if column in columns_present else 'NULL'}::{kind} AS {column}" for column, kind in columns.items())
    files = list(rows.files) if isinstance(rows, ds.FileSystemDataset) else []
    if files and not any(sign in file for file in files for sign in "*?["):  # which DuckDB would interpret as a pattern
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        of_files = f"read_parquet([{listed}], file_row_number = true)"
        connection.execute(f'CREATE VIEW "{name}" AS SELECT {typed}, file_row_number AS n FROM {of_files}')
        return
    connection.register(f"given_{name}", rows)
    connection.execute(f'CREATE VIEW "{name}" AS SELECT {typed}, row_number() OVER () AS n FROM given_{name}')


@cache
def map_article_numbers_to_offence_groups() -> Mapping[str, str]:
    """Return the offence group of each article number that means the same offence group in every criminal code.

    Laws that apply only if a record names them (`unnamed_by` is empty in `laws.csv`) are ignored.
    """
    rows = code_lists.read_code_list("offences").query("articles != '' and group != 'other'")
    listed = rows[["group", "articles"]].assign(entry=lambda f: f["articles"].str.split("|")).explode("entry")
    laws = code_lists.read_code_list("laws").query("unnamed_by != ''")["code"]
    listed[["law", "number"]] = listed["entry"].str.split(":", n=1, expand=True)
    listed = listed[listed["law"].isin(laws)]
    single = listed.groupby("number")["group"].agg(["nunique", "first"])
    return {str(number): str(group) for number, group in single.loc[single["nunique"] == 1, "first"].items()}


def convert_declarations_to_tables(counted_indicators: Sequence[Indicator]) -> dict[str, pd.DataFrame]:
    """Return what contracts, domain, code lists and the indicators `counted_indicators` declare, as tables by name."""
    contracts = [contract.load(name) for name in contract.institutions()]
    rules, country = findings.rules(), domain.country()
    return {
        "setting": pd.DataFrame(
            {
                "adult": [country.adult],
                "oldest": country.oldest,
                "responsible": country.criminal_responsibility,
                "bare_year": YEAR_ONLY_PENALTY,
                "unlikely": TOO_YOUNG_PENALTY,
                "domestic": country.domestic,
                "unspecified_foreign": canonical.FOREIGN,
                "days_on_the_way": MAX_PENDING_DAYS,
                "quality_quarters": QUALITY_QUARTERS,
                "unit_records": MIN_UNIT_RECORDS,
                "unit_deliveries": MIN_UNIT_DELIVERIES,
                "other_units": OTHER_UNITS,
            }
        ),
        "institution": _make_typed_frame(
            ("institution", "position", "stage", "states_form", "cited_as", "person_key_extends_case_key"),
            [
                (one.institution, position, one.stage, one.states_form, one.cited_as or one.institution, one.person_key_extends_case_key)
                for position, one in enumerate(contracts)
            ],
        ),
        "stage": _make_typed_frame(
            ("stage", "files_state_offence", "one_person_a_file", "form_as_stated"),
            [(name, spec.files_state_offence, spec.one_person_a_file, spec.form_as_stated) for name, spec in domain.stages().items()],
        ),
        "number_kind": _make_typed_frame(("kind", "institution"), contract.institution_by_case_number_kind().items()),
        "record_table": _make_typed_frame(
            ("institution", "part", "table"), [(*part, table) for part, table in contract.record_tables().items()]
        ),
        "stage_distance": _make_typed_frame(
            ("stage", "other", "distance"),
            [(stage, other, distance) for stage, spec in domain.stages().items() for distance, other in enumerate(spec.nearest)],
        ),
        "offence_group": _make_typed_frame(
            ("offence_group", "rank", "form_of_case", "without_form", "fixed_form"),
            [
                (name, rank, group.form == OF_CASE, group.form == NO_FORM, group.form if group.form in canonical.FORMS else None)
                for rank, (name, group) in enumerate(topic().offence_groups.items())
            ],
        ),
        "form": _make_typed_frame(("form", "rank"), [(form, rank) for rank, form in enumerate(canonical.FORMS)]),
        "article_number": _make_typed_frame(("article", "offence_group"), map_article_numbers_to_offence_groups().items()),
        "indicator": pd.DataFrame(
            {
                "indicator": [i.code for i in counted_indicators],
                "unit": [i.unit for i in counted_indicators],
                "institutions": [list(i.institutions) for i in counted_indicators],
                "dimensions": [list(i.dimensions) for i in counted_indicators],
                "record": [i.rows.record for i in counted_indicators],
                "event": [i.rows.event for i in counted_indicators],
                "of_case": [i.rows.of == "case" for i in counted_indicators],
                "roles": [list(i.rows.roles) for i in counted_indicators],
                "outcomes": [list(i.rows.outcomes) for i in counted_indicators],
                "decide": [i.rows.decide for i in counted_indicators],
                "covers_file": [i.rows.covers_file for i in counted_indicators],
                "unless_in_file": [i.rows.unless for i in counted_indicators],
                "after": [i.rows.after for i in counted_indicators],
                "each": [i.rows.each for i in counted_indicators],
                "stage": [i.harmonised.stage for i in counted_indicators],
                "keep": [i.harmonised.day for i in counted_indicators],
                "unless": [i.harmonised.unless for i in counted_indicators],
                "once": [i.harmonised.once for i in counted_indicators],
            }
        ),
        "dimension_value": _make_typed_frame(
            ("dimension", "value"),
            [("total", "total"), *((dimension, value) for dimension, values in DIMENSIONS.items() for value in values)],
        ),
        "step": _make_typed_frame(
            ("step", "upstream", "downstream", "upstream_stage", "downstream_stage", "tolerance_days"),
            [(s.name, s.upstream, s.downstream, *s.stages, s.tolerance_days) for s in list_reconciliation_steps()],
        ),
        "person_step": _make_typed_frame(
            ("step", "role", "side", "institution"),
            [
                (one.step, one.role, side, name)
                for one in list_person_comparisons_between_institutions()
                for side, names in (("upstream", one.upstream), ("downstream", one.downstream))
                for name in names
            ],
        ),
        "case_milestone": _make_typed_frame(("milestone", "indicator"), CASE_MILESTONES.items()),
        "person_milestone": _make_typed_frame(("milestone", "indicator"), [(name, code) for name, (code, _) in PERSON_MILESTONES.items()]),
        "finding_rule": _make_typed_frame(
            ("rule", "dimension", "whole"), [(code, rule.dimension, rule.whole) for code, rule in rules.items()]
        ),
        "quality_dimension": _make_typed_frame(("dimension",), [(name,) for name in findings.DIMENSIONS]),
    }


def _make_tables_of_published_periods(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """Return the tables about published periods by name: `published_period`, `gap` (deliveries that figures lack), `quarantined_rows`."""
    every, deliveries = dict(indicators()), inputs.deliveries
    periods = list_years_and_quarters_with_deliveries(deliveries)
    return {
        "published_period": pd.DataFrame({"period": periods}, dtype="str"),
        "gap": list_deliveries_that_figures_lack(every, compute_coverage_of_periods(deliveries, inputs.signatures), periods),
        "quarantined_rows": count_quarantined_rows(every, deliveries, inputs.quarantined),
    }


def _make_typed_frame(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))
