"""Declare the published tables as SQLAlchemy metadata, which can be used with any database.

Belongs here: names, types and comments of tables and columns, who owns the rows, and converting a frame to the declared columns. Does not
belong here: which role sees a table (`warehouse/access`), how a figure is counted (`warehouse/count`), how a database is written
(`warehouse/publish`). Names and columns of the first six tables are a contract with outside users (docs/reference/counting-rules.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pandas as pd
import pyarrow as pa
from sqlalchemy import BigInteger, Boolean, Column, Date, Double, MetaData, Table, Text

from warehouse.columns import count_column as _count
from warehouse.columns import flag_column as _flag
from warehouse.columns import text_column as _text

WAREHOUSE = MetaData()
IDENTITY = MetaData()

# Owner of a table's rows, in `info` of every table: grants, row policies and files are derived from it. A test fails for a table without.
OWN = {"rows": "own"}  # each row belongs to the institution in its column `institution`, and depends only on its deliveries
SHARED = {"rows": "shared"}  # cases, persons, figures, everything that depends on several institutions' records
REFERENCE = {"rows": "reference"}  # code lists, definitions: no data on cases or persons
PERSONAL = {"rows": "personal"}  # names, numbers, the crosswalk: only for stewards


STATISTICS = Table(
    "statistics",
    WAREHOUSE,
    _text("indicator", "indicator: a code of the table `indicators`"),
    _text("period", "year (2013) or quarter (2013-Q2)"),
    _text("offence_group", "principal offence; total: not broken down"),
    _text("form", "form of exploitation; total: not broken down"),
    _text("sex", "male, female, unknown; total: not broken down"),
    _text("age_group", "child (under 18 on the day of the event), adult, unknown; total: not broken down"),
    _text("citizenship_group", "domestic (XKX), foreign, unknown; total: not broken down"),
    _count("as_reported", "one per accepted row with the event; null if nothing could be read from any of its institutions"),
    _count("harmonised", "after linkage, once per case or person and period; null if nothing could be read from any of its institutions"),
    _count("quarantined", "quarantined rows in the institutions' deliveries of the period; on grand totals, else null"),
    _flag("incomplete", "a delivery of one of the indicator's institutions is partial, unreadable or missing in the period"),
    _text("missing", "incomplete deliveries: institution, quarter and state, comma-separated; null if none"),
    _flag(
        "preliminary",
        "a quarter that one of the indicator's institutions delivered is not signed, or was delivered again since it was",
    ),
    comment="Every figure as reported and harmonised, by indicator, period and dimension",
    info=SHARED,
)
BRIDGE = Table(
    "bridge",
    WAREHOUSE,
    _text("indicator", "indicator"),
    _text("period", "year or quarter"),
    _text("institution", "institution of the record"),
    _text("cause", "why the record counts differently; see bridge_causes"),
    _count("n", "added to as_reported; as_reported + sum of n = harmonised"),
    comment="Difference between each total as reported and harmonised, by cause",
    info=SHARED,
)
COVERAGE = Table(
    "coverage",
    WAREHOUSE,
    _text("institution", "institution"),
    _text("period", "year or quarter"),
    _text("state", "complete, partial, unreadable, missing"),
    _text("signature", "of the institution's head: signed, unsigned, reopened (delivered again since); null if nothing was delivered"),
    comment="Which periods are covered by deliveries",
    info=OWN,
)
LINEAGE = Table(
    "lineage",
    WAREHOUSE,
    _text("institution", "institution that delivered the record"),
    _text("entity", "case or person"),
    _text("record_key", "the institution's own key of the record", key=True),
    _text("case_id", "case that the record belongs to", linked=True),
    _text("person_id", "person of the record; null for cases, and for unknown and legal persons", linked=True),
    _text("delivery", "folder name of the delivery, with _v2"),
    _text("file", "file of the delivery, by its name in the contract; others are numbered: undeclared file 1", coarse="nothing"),
    _text("part", "sheet or table; null if the file has none; if not in the contract: undeclared sheet 1", coarse="nothing"),
    _count("line", "physical line, row of the sheet, line of the XML element; null for database rows", coarse="nothing"),
    _text("status", "accepted, superseded, withdrawn, quarantined"),
    comment="Every delivered record with a readable key, and its status",
    info=OWN,
)
RECONCILIATION = Table(
    "reconciliation",
    WAREHOUSE,
    _text(
        "step",
        "police_prosecution, inspectorate_prosecution, prosecution_courts, courts_corrections, police_victim_protection, "
        "victim_protection_social_work",
    ),
    _text("period", "quarter of the upstream event, else of the downstream event"),
    _text("case_id", "case"),
    _text("person_id", "person, for courts_corrections; else null"),
    _text("outcome", "matched, missing_downstream, missing_upstream"),
    _text("differs", "on a matched pair: date, offence, person, comma-separated; null if nothing differs"),
    _text("detail", "why one side may be absent; null if there is nothing to note"),
    comment="Cases and persons that two neighbouring institutions should both know",
    info=SHARED,
)
FINDINGS = Table(
    "findings",
    WAREHOUSE,
    _text("institution", "institution that delivered it"),
    _text("delivery", "folder name of the delivery"),
    _text("file", "file; null for a whole delivery; as in lineage", coarse="nothing"),
    _text("part", "sheet or table", coarse="nothing"),
    _count("line", "physical line, row or element line", coarse="nothing"),
    _text("record_key", "key of the record; null for a file or a line without key", key=True),
    _text("field", "column, by its name in the contract; others: undeclared column 1"),
    _text("rule", "rule of schemas/rules"),
    _text("severity", "reject, error, warning, info"),
    _text("origin", "cause, or consequence of another finding"),
    _text("state", "new, remains, fixed, reopened, accepted_as_is; against the institution's preceding delivery"),
    comment="One row per finding; no values",
    info=OWN,
)
QUALITY = Table(
    "quality",
    WAREHOUSE,
    _text("institution", "institution that delivered"),
    _text("unit", "station, seat, court and branch, facility; other: rare names; null for the institution as a whole"),
    _text("period", "quarter, one of the last twelve"),
    _text("dimension", "completeness, validity, consistency, uniqueness, timeliness, accuracy"),
    _count("records", "records in the quarter's last readable delivery; 0 if there is none"),
    _count("faulty", "of them with a finding of the dimension that is a warning or worse; information never counts"),
    _count(
        "weight", "records, each once and once more for each of the institution's figures in which it counts as reported", coarse="nothing"
    ),
    _count("weight_faulty", "faulty part of that weight", coarse="nothing"),
    _count("whole", "faults of whole files or the delivery that cost rows or values; on the institution as a whole"),
    _count("score", "fault-free share of the weight, in hundredths of a percent; null if nothing was assessed"),
    _count("tolerance", "tolerated faulty share by the institution's contract, in hundredths of a percent"),
    _text("state", "within or beyond (exceeds) its own tolerance, not_applicable (not assessed, which is not within)"),
    _count("before", "mean score of its own earlier quarters among the twelve; null if there is none"),
    _text("trend", "better, same, worse than its own past (by a percent or more); null if there is none"),
    comment="Data quality of each institution against its own tolerance and its own past; no comparison between institutions",
    info=OWN,
)
COUNTED = Table(
    "counted",
    WAREHOUSE,
    _text("indicator", "indicator"),
    _text("case_id", "case"),
    _text("person_id", "person; null if cases are counted"),
    Column("day", Date, comment="day on which the unit counts"),
    _flag("estimated", "the day was imputed"),
    _text("method", "delivered, exchanged (day and month), year (one digit), middle (of the quarter of first appearance)"),
    _text("offence_group", "principal offence at the indicator's stage"),
    _text("form", "form of exploitation"),
    _text("sex", "sex, best supported over the person's records"),
    _text("age_group", "age group on that day"),
    _text("citizenship_group", "citizenship group, best supported"),
    _flag("counts_in_quarter", "counts in its quarter (a person counts once per period)"),
    _flag("counts_in_year", "counts in its year"),
    comment="Every harmonised unit behind the statistics, one per case (and person)",
    info=SHARED,
)
BRIDGE_RECORDS = Table(
    "bridge_records",
    WAREHOUSE,
    _text("indicator", "indicator"),
    _text("period", "year or quarter"),
    _text("institution", "institution of the record"),
    _text("cause", "as in bridge"),
    _text("record_key", "record that causes the difference", key=True),
    _count("sign", "+1 added, -1 removed"),
    comment="The records of each cause of the bridge",
    info=SHARED,
)
BRIDGE_CAUSES = Table(
    "bridge_causes",
    WAREHOUSE,
    _text("cause", "cause of the bridge"),
    _text("text_sq", "what it means, Albanian"),
    _text("text_sr", "what it means, Serbian"),
    _text("text_en", "what it means, English"),
    comment="What each cause of the bridge means",
    info=REFERENCE,
)
YARDSTICK = Table(
    "yardstick",
    WAREHOUSE,
    _text("source", "where it was published, as the file says; for a return of counts: return of counts"),
    _text("kind", "published, or return: counts delivered by an institution"),
    _text("institution", "institution whose figure it is"),
    _text("indicator", "indicator"),
    _text("period", "year or quarter"),
    _text("offence_group", "principal offence; total: not broken down"),
    _text("unit", "case or person"),
    _count("published", "as the institution published it"),
    _count("as_reported", "its part of as_reported in statistics; the whole if it delivers counts only; null if nothing could be read"),
    _count("harmonised", "as in statistics; null if other institutions are counted too, or nothing could be read"),
    _count("gap", "as_reported - published; null if nothing could be read for the period"),
    Column("gap_percent", Double, comment="gap as a percentage of published; null if that is 0, or there is no gap"),
    _flag("incomplete", "a delivery behind as_reported is partial, unreadable or missing: a gap is to be expected"),
    _flag("exceeds_tolerance", "complete, and the gap is larger than the tolerance of warehouse/yardsticks.yaml"),
    comment="Figures that institutions published themselves beside as_reported; no figure depends on them",
    info=SHARED,
)
INDICATORS = Table(
    "indicators",
    WAREHOUSE,
    _text("indicator", "indicator"),
    _count("position", "position in the case flow"),
    _text("published_in", "statistics (with its bridge), further_statistics, or null: no source delivers it"),
    _count("version", "version of its rule; a changed rule has a new version"),
    _text("unit", "case, person or indictment"),
    _text("kind", "flow: events in a period; stock: state at its end"),
    _text("reference", "event whose date counts"),
    _text("institutions", "institutions, comma-separated"),
    _text("dimensions", "dimensions that apply, comma-separated"),
    *(_text(f"{kind}_{language}", f"{kind}, {language}") for kind in ("title", "definition") for language in ("sq", "sr", "en")),
    *(_text(f"not_available_{language}", f"who would have the figures, {language}; null if available") for language in ("sq", "sr", "en")),
    _text("standards", "nearest items of other statistics, separated by semicolons"),
    _text("source", "source of the rule"),
    _text("rule", "digest of everything that determines its figures"),
    _text("counting", "which records are its rows, and how they become its units, as JSON; null if defined by SQL"),
    _text("sql_as_reported", "SQL of its rows as reported, over the facts; null if counted by the models"),
    _text("sql_harmonised", "SQL of its units harmonised, over the facts; null if counted by the models"),
    comment="Definition of each indicator, also of those that no source delivers",
    info=REFERENCE,
)
PERSONS = Table(
    "persons",
    IDENTITY,
    _text("person_id", "person"),
    _text("case_id", "case of the record"),
    _text("institution", "institution that delivered the record"),
    _text("record_key", "key of the record", key=True),
    _text("role", "role in the case"),
    _text("given_name", "as delivered"),
    _text("surname", "as delivered"),
    _text("full_name", "as delivered"),
    _text("parent_name", "as delivered"),
    _text("personal_number", "digits, repaired if certain"),
    Column("birth_date", Date, comment="null if only the year is known"),
    _count("birth_year", "year of birth"),
    _text("sex", "sex"),
    _text("citizenship", "ISO 3166-1 alpha-3 with XKX"),
    comment="Names and numbers of the accepted person records; for stewards only",
    info=PERSONAL,
)
CROSSWALK = Table(
    "crosswalk",
    IDENTITY,
    _text("institution", "institution of the record"),
    _text("record_key", "the institution's own key of the record", key=True),
    _text("pseudonym", "what analysts see instead"),
    comment="The record key of each pseudonym; for stewards only",
    info=PERSONAL,
)
CONTRACT = ("statistics", "bridge", "coverage", "lineage", "reconciliation", "findings")


def key_columns(table: Table) -> dict[str, str]:
    """Return the columns that contain record keys and, for each, the column that names the institution of the keys. Analysts see pseudonyms
    instead of these keys."""
    return {c.name: str(c.info["record_key"]) for c in table.columns if c.info.get("record_key")}


def find_columns_depending_on_linkage(table: Table) -> set[str]:
    """Return the columns whose values depend on records of other institutions. The institution that owns a row cannot see these columns."""
    return {c.name for c in table.columns if c.info.get("linked")}


def copy_table_with_columns(table: Table, columns: Collection[str]) -> Table:
    """Return a declaration of `table` with only these columns."""
    return Table(table.name, MetaData(), *(c._copy() for c in table.columns if c.name in columns), comment=table.comment, info=table.info)


def list_declared_tables_except_views(metadata: MetaData) -> list[Table]:
    """Return the tables that store rows, which are all tables except views."""
    return [table for table in metadata.sorted_tables if "view" not in table.info]


def list_declared_views(metadata: MetaData) -> list[Table]:
    """Return the views in the order of declaration.

    `info["view"]` of a view is its query, for DuckDB and PostgreSQL. It reads tables, and views that are declared before it.
    """
    return [table for table in metadata.tables.values() if "view" in table.info]


def sort_tables_for_creation(declared: Iterable[Table]) -> list[Table]:
    """Sort tables and views so that they can be created one after the other: tables, then views in the order of declaration."""
    return sorted(declared, key=lambda table: list(table.metadata.tables).index(table.name) if "view" in table.info else -1)


def conform_frame(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with exactly the columns of `table`, in order and with their types (text, Int64, boolean, date).

    Columns that `frame` lacks are null.
    """
    out = frame.reindex(columns=[c.name for c in table.columns]).reset_index(drop=True)
    for column in table.columns:
        if isinstance(column.type, BigInteger):
            out[column.name] = out[column.name].astype("Int64")
        elif isinstance(column.type, Boolean):
            out[column.name] = out[column.name].astype("boolean")
        elif isinstance(column.type, Date):
            out[column.name] = pd.to_datetime(out[column.name]).astype("datetime64[s]")
        elif isinstance(column.type, Double):
            out[column.name] = out[column.name].astype("float64")
        else:
            out[column.name] = out[column.name].astype("str")
    return out


def arrow_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of `table`, for loading it and for the lake."""
    kinds = {BigInteger: pa.int64(), Boolean: pa.bool_(), Date: pa.date32(), Text: pa.string(), Double: pa.float64()}
    return pa.schema([(c.name, kinds[type(c.type)]) for c in table.columns])


def convert_frame_to_arrow(table: Table, frame: pd.DataFrame) -> pa.Table:
    """Convert a frame with the columns of `table` (see `conform_frame`) to an Arrow table with the types of `arrow_schema`."""
    return pa.Table.from_pandas(frame, schema=arrow_schema(table), preserve_index=False)
