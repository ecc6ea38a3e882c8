"""The canonical schema: the common tables into which `pipelines.harmonisation` converts deliveries, and which all later stages read.

Belongs here: names, types and meaning of canonical columns, and the lists of all permitted values. Does not belong here: the terms of an
institution (`sources/`), counting rules (`warehouse/`).

Each canonical table contains **every delivered state of a record** with its record status (column `status`). A state is identified by the
columns `institution`, `delivery` and `record_key`. Only `accepted` states count; the other states are evidence for linkage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd
import pyarrow as pa

from schemas.topic import topic

Kind = Literal["text", "date", "int", "bool", "float"]

Stage = Literal["registration", "prosecution", "courts", "corrections", "protection"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""The stages of a criminal case in the order in which a case passes through them; then victim protection, which is beside this order. The
contract of an institution names its stage."""
STATUSES = ("accepted", "superseded", "withdrawn", "quarantined")
OFFENCE_GROUPS = tuple(topic().offence_groups)  # most serious first
FORMS = topic().forms
SEXES = ("male", "female", "unknown")
AGE_GROUPS = ("child", "adult", "unknown")
FOREIGN = "XXF"  # foreign citizenship, country unknown
CITIZENSHIP_GROUPS = ("domestic", "foreign", "unknown")
ROLES = ("suspect", "victim", "witness", "defendant", "prisoner")
AGE_CLASSES = ("child", "adult")  # on the day of the event
PERSON_KINDS = ("natural", "legal", "unknown")  # unknown: the row has no name; only natural persons are linked and have an id
VICTIM_STATUSES = ("presumed", "identified", "not_confirmed")
SERVICES = ("legal", "medical", "psychosocial", "financial", "return", "reintegration")  # null: of unknown kind
CASE_STATES = ("investigating", "sent", "closed", "merged", "suspended", "dismissed", "indicted", "terminated", "cancelled")
EVENTS = (
    "reported",  # case: report date (police, inspectorate)
    "offence",  # case: day of the offence (police)
    "sent",  # case: sent to the prosecution (police, inspectorate)
    "arrested",  # person: arrest (police)
    "received",  # case: received by the prosecution, by the court
    "investigation_opened",  # decisions of the prosecution; person set where the decision names one
    "dismissed",
    "indicted",
    "terminated",
    "separated",
    "judged",  # person: judgment of a court; `outcome` convicted, acquitted, rejected
    "final",  # person: that judgment became final; same `outcome`
    "detained",  # person: admission of a register row as a detainee
    "imprisoned",  # person: admission of a register row as a convict
    "released",  # person: end of a register row; `outcome`: the reason by the contract's codes
    "supported",  # person: victim protection opened its file
    "referred",  # person: referral of a victim to victim protection; `outcome`: by whom
    "presumed",  # person: an entry of the history of a victim's status
    "identified",
    "not_confirmed",
    "assisted",  # person: a service given to a victim; `outcome`: one of SERVICES
    "sheltered",  # person: beginning of a victim's stay in a shelter
    "left_shelter",  # person: its end
    "represented",  # person: a hearing that the victim's advocate attended
)


CONFIDENTIAL_EVENTS = ("sheltered", "left_shelter")
"""Events whose days are never shown outside the confidential warehouse."""


def remove_confidential_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `events` whose days may be shown outside the confidential warehouse. `events` has the column `event`."""
    return events[~events["event"].isin(CONFIDENTIAL_EVENTS)]


@dataclass(frozen=True)
class Column:
    """A column of a canonical table.

    kind: the type of its values. meaning: a description for the documentation. personal: whether it may contain personal data. values: the
    permitted values; empty if every value is permitted. Null is always permitted.
    """

    name: str
    kind: Kind
    meaning: str
    personal: bool = False
    values: tuple[str, ...] = ()


def _list_columns_with_keys(extra: list[Column]) -> tuple[Column, ...]:
    """Return the columns that all canonical tables have, followed by the columns `extra` of one table."""
    return (
        Column("institution", "text", "short name of the institution"),
        Column("delivery", "text", "folder name, with _v2"),
        Column("status", "text", f"record status: {', '.join(STATUSES)}"),
        Column("record_key", "text", "key of the record (docs/reference/counting-rules.md, `lineage`)"),
        Column("case_key", "text", "record key of the case that the record belongs to (corrections: the record itself)"),
        *extra,
    )


TABLES: dict[str, tuple[Column, ...]] = {
    "case_records": _list_columns_with_keys(
        [
            Column("number", "text", "own case number in normal form (see pipelines.harmonisation.case_numbers)"),
            Column("seat", "text", "seat of court, prosecution or police region, a code of schemas/codes/seats.csv"),
            Column("municipality", "text", "municipality of the offence, a code of schemas/codes/municipalities.csv"),
            Column("state", "text", f"one of {', '.join(CASE_STATES)}", values=CASE_STATES),
            Column("source", "text", "prosecution: who sent it: police, inspectorate, other"),
            Column("merged_into", "text", "number, in normal form, of the case of the same institution into which this one was merged"),
            Column("former_number", "text", "number, in normal form, that the case had at the same institution before this record"),
            Column("form", "text", "form of exploitation as the police state it; null where unstated"),
            Column("offence_date", "date", "day of the offence, as delivered"),
            Column("law", "text", "law, named or derived: KPK2003, KPRK2012, KPRK2019, LRQP2009"),
            Column("article", "text", "article number, as text"),
            Column("article_group", "text", "offence group by article; null if unknown or not in force"),
            Column("words_group", "text", "offence group by the institution's wording; null if there is none"),
            Column("offence_group", "text", "group as reported: article first, else words, else `other`"),
            Column("period", "text", "period of the delivery, 2013-Q2 (or 2013-04, 2013-H1, 2013)"),
        ]
    ),
    "person_records": _list_columns_with_keys(
        [
            Column("place", "text", "position in the case's list if the key contains it; null if a key stays with its person"),
            Column("role", "text", f"one of {', '.join(ROLES)}", values=ROLES),
            Column("kind", "text", f"one of {', '.join(PERSON_KINDS)}", values=PERSON_KINDS),
            Column("given_name", "text", "as delivered; null if the source has one field", personal=True),
            Column("surname", "text", "as delivered; null if the source has one field", personal=True),
            Column("full_name", "text", "given name and surname, or the one field, as delivered", personal=True),
            Column("parent_name", "text", "as delivered", personal=True),
            Column("name_tokens", "text", "skeletons of all name tokens (not parent), space-separated, sorted", True),
            Column("given_skeleton", "text", "skeleton of the given name; null where the source has one field", True),
            Column("surname_skeleton", "text", "skeleton of the surname; null where the source has one field", True),
            Column("parent_skeleton", "text", "skeleton of the parent's name, also if delivered within the name", True),
            Column("personal_number", "text", "repaired to ten digits if that is certain, else the digits", True),
            Column("number_valid", "bool", "ten digits and a correct check digit"),
            Column("birth_date", "date", "null where only the year, or nothing, is known", personal=True),
            Column("birth_year", "int", "year of birth", personal=True),
            Column("birth_precision", "text", "day, year (also 1 January), or null"),
            Column("birth_stated", "date", "the day as delivered if it is possible, also 1 January: the age as reported", personal=True),
            Column(
                "age_class",
                "text",
                f"{', '.join(AGE_CLASSES)}, as delivered in place of a birth date; or null",
                values=(*AGE_CLASSES, "unknown"),
            ),
            Column("sex", "text", "male, female, or null", values=SEXES),
            Column("citizenship", "text", "ISO 3166-1 alpha-3 with XKX; XXF: foreign, country unknown; or null"),
            Column("municipality", "text", "of residence, code"),
            Column("birthplace", "text", "skeleton of the birth place", personal=True),
            Column("register_id", "text", "corrections: number of the person in the register (`ID`)"),
            Column("rank", "text", "inspectorate: rank of the officer"),
            Column("sentence_months", "int", "corrections and courts: imprisonment in months"),
            Column("victim_status", "text", f"victim protection: current status of the victim: {', '.join(VICTIM_STATUSES)}; or null"),
            Column("period", "text", "period of the delivery"),
        ]
    ),
    "charges": _list_columns_with_keys(
        [
            Column("law", "text", "as in case_records"),
            Column("article", "text", "article number"),
            Column("paragraph", "text", "paragraph"),
            Column("article_group", "text", "offence group by article in force; else null"),
            Column("words_group", "text", "offence group by words; else null"),
            Column("offence_group", "text", "group as reported: article first, else words, else `other`"),
            Column("form", "text", "form of exploitation (prosecution); null where unstated"),
            Column("principal", "bool", "marked as principal charge"),
        ]
    ),
    "events": _list_columns_with_keys(
        [
            Column("entity", "text", "case or person: what record_key names"),
            Column("event", "text", f"one of {', '.join(EVENTS)}", values=EVENTS),
            Column("date", "date", "as delivered, the 15th if only the month was; null if unreadable or impossible"),
            Column("date_precision", "text", "day or month; null if no date was delivered"),
            Column("unreadable", "bool", "the delivered value is not a date (31.02., text)"),
            Column("present", "bool", "the record says that the event took place, with or without a readable date"),
            Column(
                "outcome",
                "text",
                "convicted, acquitted, rejected; reason of a release; number of an indictment; kind of a service",
            ),
            Column("entry", "text", "what identifies an entry among several of one record with this event; null if there is one"),
            Column("period", "text", "period of the delivery"),
        ]
    ),
    "sentences": _list_columns_with_keys(
        [
            Column("kind", "text", "imprisonment, fine, suspended, measure: of the deciding judgment in the file"),
            Column("months", "int", "imprisonment in months"),
            Column("euros", "int", "fine in euros"),
        ]
    ),
    "references": _list_columns_with_keys(
        [
            Column("kind", "text", "kind of number: `cited_as` of a contract, or other"),
            Column("number", "text", "number in normal form, comparable with case_records.number"),
            Column("seat", "text", "seat of the institution that has the number; null if unknown"),
        ]
    ),
}

ENTITY_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("case_records", "references"), ("case",)),
    **dict.fromkeys(("person_records", "charges", "sentences"), ("person",)),
    "events": ("case", "person"),  # as the column `entity` says
}
"""For each canonical table, whether the column `record_key` names a case or a person."""

_ARROW: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "date": pa.timestamp("s"),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "float": pa.float64(),
}
_PANDAS: dict[Kind, str] = {
    "text": "str",
    "date": "datetime64[s]",
    "int": "Int64",
    "bool": "boolean",
    "float": "float64",
}


def arrow_schema(table: str) -> pa.Schema:
    """Return the Arrow schema of a canonical table."""
    return pa.schema([(c.name, _ARROW[c.kind]) for c in TABLES[table]])


def conform(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with exactly the columns that the canonical table `table` declares, in their order and with their types. A column that
    `frame` lacks is null in the result.

    Raises `KeyError` if `frame` has a column that `table` does not declare.
    """
    declared = {c.name: _PANDAS[c.kind] for c in TABLES[table]}
    unknown = [c for c in frame.columns if c not in declared]
    if unknown:
        raise KeyError(f"canonical table {table!r} does not declare {unknown}; add them to schemas/canonical.py")
    out = frame.reindex(columns=list(declared))
    return out.astype(declared).reset_index(drop=True)
