"""Every published table, declared once: SQLAlchemy Core metadata for any database.

Belongs here: names, types and comments of tables and columns, whose rows they are, and giving a frame exactly these columns. Does not
belong here: which role sees what of it (`warehouse/access`), how a figure is counted (`warehouse/count`), how a database is written
(`warehouse/publish`). Names and columns of the first six tables are a contract with outside users (docs/reference/counting-rules.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pandas as pd
import pyarrow as pa
from sqlalchemy import BigInteger, Boolean, Column, Date, Double, MetaData, Table, Text

from warehouse.columns import count as _count
from warehouse.columns import flag as _flag
from warehouse.columns import text as _text

WAREHOUSE = MetaData()
IDENTITY = MetaData()

# Whose rows a table holds, `info` of every table: from it follow grants, row policies and files. A table without is a failing test.
OWN = {"rows": "own"}  # each row is of the one institution that its column `institution` names, and follows from its deliveries alone
SHARED = {"rows": "shared"}  # cases, persons, figures, whatever follows from several institutions' records: for none of them alone
REFERENCE = {"rows": "reference"}  # code lists, definitions: speaks of no case and no person
PERSONAL = {"rows": "personal"}  # names, numbers, the crosswalk: for stewards alone


STATISTICS = Table(
    "statistics",
    WAREHOUSE,
    _text("indicator", "indicator: a code of the table `indicators`"),
    _text("period", "year (2013) or quarter (2013-Q2)"),
    _text("offence_group", "principal offence; total: not broken down (trafficking and related offences)"),
    _text("form", "form of exploitation; total: not broken down"),
    _text("sex", "male, female, unknown; total: not broken down"),
    _text("age_group", "child (under 18 on the day of the event), adult, unknown; total: not broken down"),
    _text("citizenship_group", "domestic (XKX), foreign, unknown; total: not broken down"),
    _count("as_reported", "one per accepted row with the event; null where nothing of any of its institutions could be read"),
    _count("harmonised", "after linkage, once per case or person and period; null where nothing of any of its institutions could be read"),
    _count("quarantined", "quarantined rows in the institutions' deliveries of the period; on grand totals, else null"),
    _flag("incomplete", "a delivery of one of the indicator's institutions is partial, unreadable or missing in the period"),
    _text("missing", "which: institution, quarter and state, comma-separated; null where none"),
    comment="Every figure as reported and harmonised, by indicator, period and dimension",
    info=SHARED,
)
BRIDGE = Table(
    "bridge",
    WAREHOUSE,
    _text("indicator", "indicator"),
    _text("period", "year or quarter"),
    _text("institution", "institution whose record is behind the step"),
    _text("cause", "why the record counts differently; see bridge_causes"),
    _count("n", "added to as_reported; as_reported + sum of n = harmonised"),
    comment="How each total as reported becomes the harmonised one, by cause",
    info=SHARED,
)
COVERAGE = Table(
    "coverage",
    WAREHOUSE,
    _text("institution", "institution"),
    _text("period", "year or quarter"),
    _text("state", "complete, partial, unreadable, missing"),
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
    _text("person_id", "person that the record speaks of; null for cases, and for unknown and legal persons", linked=True),
    _text("delivery", "folder name of the delivery, with _v2"),
    _text("file", "file of the delivery, as the contract calls it; others are numbered: undeclared file 1", coarse="nothing"),
    _text("part", "sheet or table; null where the file has none; others than the contract names: undeclared sheet 1", coarse="nothing"),
    _count("line", "physical line, row of the sheet, line of the XML element; null for database rows", coarse="nothing"),
    _text("status", "accepted, superseded, withdrawn, quarantined"),
    comment="Every record that a delivery held and whose key can be read",
    info=OWN,
)
RECONCILIATION = Table(
    "reconciliation",
    WAREHOUSE,
    _text("step", "police_prosecution, inspectorate_prosecution, prosecution_courts, courts_corrections"),
    _text("period", "quarter of the upstream event, else of the downstream event"),
    _text("case_id", "case"),
    _text("person_id", "person, for courts_corrections; else null"),
    _text("outcome", "matched, missing_downstream, missing_upstream"),
    _text("differs", "on a matched pair: date, offence, person, comma-separated; null where nothing disagrees"),
    _text("detail", "why one side may be absent; null where nothing is to be said"),
    comment="What two neighbouring institutions should both know",
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
    _text("field", "column, as the contract calls it; others: undeclared column 1"),
    _text("rule", "rule of schemas/rules"),
    _text("severity", "reject, error, warning, info"),
    _text("origin", "cause, or consequence of another finding"),
    _text("state", "new, remains, fixed, reopened, accepted_as_is; against the institution's preceding delivery"),
    comment="One row per thing found wrong; no values",
    info=OWN,
)
QUALITY = Table(
    "quality",
    WAREHOUSE,
    _text("institution", "institution that delivered"),
    _text("unit", "station, seat, court and branch, facility; other: names that few records bear; null for the institution as a whole"),
    _text("period", "quarter, one of the last twelve"),
    _text("dimension", "completeness, validity, consistency, uniqueness, timeliness, accuracy"),
    _count("records", "records in the quarter's last readable delivery; 0 where none came"),
    _count("faulty", "of them with a finding of the dimension that is a warning or worse; information never counts"),
    _count("weight", "records, each once and once more for each of the institution's figures in which it counts as reported"),
    _count("weight_faulty", "of that weight at fault"),
    _count("whole", "faults of whole files or the delivery that cost rows or values; on the institution as a whole"),
    _count("score", "share of the weight that is free of faults, in hundredths of a percent; null where nothing was judged"),
    _count("tolerance", "share that may be at fault by the institution's own contract, in hundredths of a percent"),
    _text("state", "within, beyond (its own tolerance), not_applicable (not judged, which is not passed)"),
    _count("before", "mean score of its own earlier quarters among the twelve; null where there is none"),
    _text("trend", "better, same, worse than its own past (by a percent or more); null where there is none"),
    comment="How each institution's deliveries do against its own tolerance and its own past; no comparison between institutions",
    info=OWN,
)
COUNTED = Table(
    "counted",
    WAREHOUSE,
    _text("indicator", "indicator"),
    _text("case_id", "case"),
    _text("person_id", "person; null where cases are counted"),
    Column("day", Date, comment="day on which the unit counts"),
    _flag("estimated", "the day was put right or estimated"),
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
    _text("record_key", "record behind the step", key=True),
    _count("sign", "+1 added, -1 taken away"),
    comment="The records behind each step of the bridge",
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
INDICATORS = Table(
    "indicators",
    WAREHOUSE,
    _text("indicator", "indicator"),
    _count("position", "place in the order of a case's way"),
    _text("published_in", "statistics (with its bridge), further_statistics, or null: no source delivers it"),
    _count("version", "version of its rule; a changed rule is a new version"),
    _text("unit", "case, person or indictment"),
    _text("kind", "flow: what happened in a period; stock: what there was at its end"),
    _text("reference", "event whose date counts"),
    _text("institutions", "institutions, comma-separated"),
    _text("dimensions", "dimensions that apply, comma-separated"),
    *(_text(f"{kind}_{language}", f"{kind}, {language}") for kind in ("title", "definition") for language in ("sq", "sr", "en")),
    *(
        _text(f"not_available_{language}", f"who would have the figures, {language}; null where there are some")
        for language in ("sq", "sr", "en")
    ),
    _text("standards", "items of other statistics that it is nearest to, separated by semicolons"),
    _text("source", "where the rule stands"),
    _text("rule", "digest of what makes its figures"),
    _text("counting", "which records are its rows, and how they become its units, as JSON; null where its SQL defines it"),
    _text("sql_as_reported", "its rows as reported, over the facts; null where it is counted"),
    _text("sql_harmonised", "its units harmonised, over the facts; null where it is counted"),
    comment="What each indicator means, also those that no source delivers",
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
    _text("personal_number", "digits, repaired where certain"),
    Column("birth_date", Date, comment="null where only the year is known"),
    _count("birth_year", "year of birth"),
    _text("sex", "sex"),
    _text("citizenship", "ISO 3166-1 alpha-3 with XKX"),
    comment="Names and numbers behind the accepted person records; for stewards only",
    info=PERSONAL,
)
CROSSWALK = Table(
    "crosswalk",
    IDENTITY,
    _text("institution", "institution of the record"),
    _text("record_key", "the institution's own key of the record", key=True),
    _text("pseudonym", "what analysts see in its place"),
    comment="Which record key is behind a pseudonym; for stewards only",
    info=PERSONAL,
)
CONTRACT = ("statistics", "bridge", "coverage", "lineage", "reconciliation", "findings")


def key_columns(table: Table) -> dict[str, str]:
    """Columns of `table` that hold record keys, each with the column that names whose: analysts see keyed pseudonyms in their place."""
    return {c.name: str(c.info["record_key"]) for c in table.columns if c.info.get("record_key")}


def linked_columns(table: Table) -> set[str]:
    """Columns of `table` whose values depend on other institutions' records: not for the one whose row it is."""
    return {c.name for c in table.columns if c.info.get("linked")}


def narrowed(table: Table, columns: Collection[str]) -> Table:
    """`table` as declared, with these of its columns alone."""
    return Table(table.name, MetaData(), *(c._copy() for c in table.columns if c.name in columns), comment=table.comment, info=table.info)


def stored(metadata: MetaData) -> list[Table]:
    """The tables that hold rows."""
    return [table for table in metadata.sorted_tables if "view" not in table.info]


def views(metadata: MetaData) -> list[Table]:
    """The views as declared: `info["view"]` is the SELECT, for DuckDB and PostgreSQL alike, over tables and views before it."""
    return [table for table in metadata.tables.values() if "view" in table.info]


def makeable(declared: Iterable[Table]) -> list[Table]:
    """The same in the order in which they can be made: tables, then views as declared."""
    return sorted(declared, key=lambda table: list(table.metadata.tables).index(table.name) if "view" in table.info else -1)


def conform(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Give `frame` exactly the columns of `table`, in order and typed (text, Int64, boolean, days); absent columns become null."""
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
    """The explicit Arrow schema of `table`, for loading and for the lake."""
    kinds = {BigInteger: pa.int64(), Boolean: pa.bool_(), Date: pa.date32(), Text: pa.string(), Double: pa.float64()}
    return pa.schema([(c.name, kinds[type(c.type)]) for c in table.columns])


def to_arrow(table: Table, frame: pd.DataFrame) -> pa.Table:
    """`frame`, which has the columns of `table` (`conform`), with the types of `arrow_schema`."""
    return pa.Table.from_pandas(frame, schema=arrow_schema(table), preserve_index=False)
