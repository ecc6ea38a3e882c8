"""Declare the fact tables and dimension tables: names, types, comments, and the dimension table to which a column refers.

Belongs here: the tables of the star schema. Does not belong here: its views (`views`), computing rows. The tables contain no names,
personal numbers or birth dates. A person's age is given only as an age group, and in full years on the day of an event and of the offence.
Columns that end in `_reported` contain the value in the institution's own record; the same columns without it, the harmonised value.
"""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.schema import SchemaItem

from schemas.canonical import CONFIDENTIAL_EVENTS, STAGES
from warehouse.columns import count_column, day_column, flag_column, text_column
from warehouse.tables import OWN, REFERENCE, SHARED, WAREHOUSE


def _declare_label_columns() -> list[SchemaItem]:
    return [
        text_column(f"label_{code}", f"name, {language}") for code, language in (("sq", "Albanian"), ("sr", "Serbian"), ("en", "English"))
    ]


def _declare_dimension_table(name: str, comment: str, *columns: SchemaItem) -> Table:
    return Table(name, WAREHOUSE, *columns, comment=comment, info=REFERENCE)


def _declare_fact_table(name: str, comment: str, *columns: SchemaItem, has_institution: bool) -> Table:
    return Table(name, WAREHOUSE, *columns, comment=comment, info=OWN if has_institution else SHARED)


def _declare_record_columns() -> list[SchemaItem]:
    """Declare the first columns of every fact table of an institution's own records."""
    return [
        text_column("institution", "institution that delivered the record", of="dim_institution.institution"),
        text_column("record_key", "the institution's own key of the record", key=True),
        text_column("file_key", "key of the file that the record belongs to", key=True),
        text_column("case_id", "case", of="fact_case.case_id", linked=True),
    ]


def _declare_person_columns() -> list[SchemaItem]:
    return [
        text_column("sex", "best supported value over all of the person's records", of="dim_sex.sex"),
        text_column(
            "citizenship", "country of citizenship, best supported; null where unknown", of="dim_country.country", coarse="domestic"
        ),
        text_column("citizenship_group", "domestic, foreign, unknown"),
    ]


DIM_TIME = _declare_dimension_table(
    "dim_time",
    "Every day from the first to the last day of a fact, and every day that was delivered",
    day_column("day", "the day"),
    text_column("year", "year, 2013"),
    text_column("quarter", "quarter, 2013-Q2"),
    text_column("month", "month, 2013-05"),
    count_column("weekday", "1 Monday to 7 Sunday"),
    text_column("law", "criminal code in force on that day", of="dim_law.law"),
)
DIM_PERIOD = _declare_dimension_table(
    "dim_period",
    "Every year from the first to the last delivery, and its quarters",
    text_column("period", "2013, or 2013-Q2"),
    text_column("kind", "year or quarter"),
    text_column("year", "its year"),
    day_column("first_day", "first day"),
    day_column("last_day", "last day"),
    flag_column("published", "at least one institution delivered for it"),
)
DIM_INSTITUTION = _declare_dimension_table(
    "dim_institution",
    "The institutions that deliver, in the order of the case flow",
    text_column("institution", "short name"),
    count_column("position", "position in the case flow"),
    text_column("stage", f"one of {', '.join(STAGES)}"),
    *_declare_label_columns(),
)
DIM_OFFENCE_GROUP = _declare_dimension_table(
    "dim_offence_group",
    "Groups of offences, most serious first",
    text_column("offence_group", "group"),
    count_column("position", "1: most serious; a case counts under its most serious offence"),
    flag_column("minor", "a minor offence, published as a separate block"),
    *_declare_label_columns(),
)
DIM_LAW = _declare_dimension_table(
    "dim_law",
    "Criminal codes and laws with the time in which they were in force",
    text_column("law", "code of the law"),
    day_column("valid_from", "first day in force; null: before all deliveries"),
    day_column("valid_to", "last day in force; null: still in force"),
    *_declare_label_columns(),
)
DIM_OFFENCE = _declare_dimension_table(
    "dim_offence",
    "Articles of the codes with their group; also charged articles that are not listed",
    text_column("offence", "law and article, KPRK2012:171; ?:171 if the law is not known"),
    text_column("law", "code of the law; null where unknown", of="dim_law.law"),
    text_column("article", "article"),
    text_column(
        "offence_group",
        "group of the article alone; other if it is not listed; the group of a record (offence_group of the facts) can differ",
        of="dim_offence_group.offence_group",
    ),
    *_declare_label_columns(),
)
DIM_FORM = _declare_dimension_table(
    "dim_form",
    "Forms of exploitation",
    text_column("form", "form"),
    count_column("position", "order of the list"),
    *_declare_label_columns(),
)
DIM_SEX = _declare_dimension_table("dim_sex", "Sexes as recorded", text_column("sex", "sex"), *_declare_label_columns())
DIM_AGE = _declare_dimension_table(
    "dim_age",
    "Full years of age with the groups that standards require",
    count_column("age", "full years"),
    text_column("age_group", "child: under 18; adult"),
    text_column("band", "ten bands of criminal statistics: 0-13 (not responsible), 14-15, 16-17, 18-20, 21-24, 25-34 … 65+"),
    text_column("band_ctdc", "age bands of the CTDC data set: 0-8, 9-17, 18-20, 21-23, 24-26, 27-29, 30-38, 39-47, 48+"),
)
DIM_COUNTRY = _declare_dimension_table(
    "dim_country",
    "Countries: ISO 3166-1 alpha-3 with XKX, and when they were members of the European Union",
    text_column("country", "code"),
    flag_column("domestic", "the country of this warehouse"),
    day_column("eu_from", "first day as a member of the European Union; null: never"),
    day_column("eu_to", "last day as a member; null: still, or never"),
    *_declare_label_columns(),
)
DIM_MUNICIPALITY = _declare_dimension_table(
    "dim_municipality",
    "Municipalities with district, court seat and branch: three geographies that do not coincide",
    text_column("municipality", "code"),
    text_column("district", "district of statistics"),
    text_column("seat", "seat of the basic court", of="dim_seat.seat"),
    text_column("branch", "branch of that court; empty: the seat itself"),
    *_declare_label_columns(),
)
DIM_SEAT = _declare_dimension_table(
    "dim_seat", "Seats of basic courts and prosecution offices", text_column("seat", "code"), *_declare_label_columns()
)
DIM_EVENT = _declare_dimension_table(
    "dim_event", "What happens to cases and persons", text_column("event", "event"), *_declare_label_columns()
)

FACT_CASE_RECORD = _declare_fact_table(
    "fact_case_record",
    "A file of an institution, current state; several files can be one case",
    *_declare_record_columns(),
    text_column("seat", "seat of court, prosecution or police region", of="dim_seat.seat", coarse="nothing"),
    text_column("municipality", "municipality of the offence, by the file", of="dim_municipality.municipality", coarse="nothing"),
    text_column("state", "state of the file: investigating, sent, closed, merged, suspended, dismissed, indicted, terminated"),
    text_column("sender", "prosecution: who sent it: police, inspectorate, other"),
    flag_column("merged", "the file was merged into another one"),
    text_column("offence_reported", "article that the file names", of="dim_offence.offence"),
    text_column("offence_group_reported", "most serious offence of the file, as reported", of="dim_offence_group.offence_group"),
    text_column("form_reported", "form of exploitation stated with it; unknown if none", of="dim_form.form"),
    day_column("opened_reported", "first day reported or received, as delivered", of="dim_time.day"),
    day_column("opened", "the same, imputed if wrong", of="dim_time.day", linked=True),
    day_column("resolved_reported", "day of the last decision that ends the file, as delivered; null while it is open", of="dim_time.day"),
    day_column("resolved", "the same, imputed if wrong", of="dim_time.day", linked=True),
    has_institution=True,
)
FACT_PERSON_RECORD = _declare_fact_table(
    "fact_person_record",
    "A person in a file of an institution, current state; several such records can be one person",
    *_declare_record_columns(),
    text_column("person_id", "person; null for a legal or unknown one", linked=True),
    text_column("role", "suspect, victim, witness, defendant, prisoner"),
    text_column("kind", "natural, legal, unknown (N.N.: the record has no name)"),
    text_column("sex_reported", "by the record", of="dim_sex.sex"),
    text_column("citizenship_reported", "by the record; null if it has none", of="dim_country.country", coarse="domestic"),
    text_column("residence", "municipality of residence", of="dim_municipality.municipality", coarse="nothing"),
    has_institution=True,
)
FACT_CHARGE = _declare_fact_table(
    "fact_charge",
    "An offence of which a file or a person in it is accused",
    *_declare_record_columns(),
    text_column("person_id", "person; null if the charge is of the whole file", linked=True),
    text_column("offence", "article charged; null if none is named", of="dim_offence.offence"),
    text_column("paragraph", "paragraph of the article"),
    flag_column("principal", "marked as the principal charge"),
    text_column("form_reported", "form stated in the charge; null if none", of="dim_form.form"),
    text_column("offence_group_reported", "group by the institution's own record", of="dim_offence_group.offence_group"),
    text_column("offence_group", "group harmonised", of="dim_offence_group.offence_group", linked=True),
    has_institution=True,
)
FACT_EVENT = _declare_fact_table(
    "fact_event",
    "Events of a file (subject case) or of a person in it (subject person), on which counting is based",
    count_column("event_id", "running number; for events on one day the order in which they were recorded", coarse="rank"),
    text_column("subject", "case: of the file; person: of a person in it"),
    *_declare_record_columns(),
    text_column("person_id", "person; null for subject case, and for an unknown person"),
    text_column("role", "role of the person; null for subject case"),
    text_column("event", "what happened", of="dim_event.event"),
    text_column("scope", "level of the event: own (the record), file (its file as a whole), case (another file of its case)"),
    text_column("outcome", "judgment: convicted, acquitted, rejected; release: its reason, as of fact_stay.ended_by"),
    text_column("indictment_number", "number of the indictment stated in the event; null if none", key=True),
    text_column(
        "service", "kind of a service to a victim: legal, medical, psychosocial, financial, return, reintegration; null: unknown, or none"
    ),
    flag_column("readable", "the record that it belongs to could be read; else it is known only from the event"),
    flag_column("inferred", "no record of the event: the case or person was delivered, the day is estimated from the delivery"),
    day_column("date_reported", "day as delivered, the 15th if only the month was; null if unreadable", of="dim_time.day"),
    day_column(
        "day",
        "day on which it counts, imputed if the delivered one is wrong; null: not known, or of an unknown person",
        of="dim_time.day",
    ),
    text_column(
        "method", "how the day was determined: delivered, exchanged (day and month), year (one digit), middle (of the quarter of delivery)"
    ),
    text_column(
        "date_problem",
        "why the day is not the delivered one: missing (or unreadable), after_delivery, too_early, before_… and after_… with the event "
        "that contradicts it; null if it is",
    ),
    day_column("order_day", "day by which events are ordered: an estimate in the middle of a delivered period comes last in it"),
    text_column("offence_group_reported", "principal offence by the record's own charges", of="dim_offence_group.offence_group"),
    text_column("offence_group", "principal offence of the case or person at this stage, harmonised", of="dim_offence_group.offence_group"),
    text_column("form_reported", "form by the record's own charges", of="dim_form.form"),
    text_column("form", "form of the case, harmonised", of="dim_form.form"),
    text_column("sex_reported", "by the record", of="dim_sex.sex"),
    *_declare_person_columns(),
    text_column("citizenship_region", "domestic, eu, other on that day, unknown"),
    text_column("citizenship_group_reported", "domestic, foreign, unknown by the record"),
    text_column("age_group_reported", "child, adult, unknown on date_reported by the record's own birth date"),
    text_column("age_group", "child, adult, unknown on that day"),
    count_column("age", "full years on that day; null if the day of birth is not known", of="dim_age.age", coarse="adult"),
    count_column("age_at_offence", "full years on the day of the offence", of="dim_age.age", coarse="adult"),
    has_institution=False,
)
FACT_SENTENCE = _declare_fact_table(
    "fact_sentence",
    "A sentence of a current judgment; one judgment can have several",
    *_declare_record_columns(),
    text_column("person_id", "person; null for an unknown one", linked=True),
    text_column("kind", "imprisonment, fine, suspended, measure"),
    count_column("months", "imprisonment in months; null for others"),
    count_column("euros", "fine in euros; null for others"),
    day_column("judged", "day of the judgment, imputed if wrong", of="dim_time.day", linked=True),
    day_column("final", "day on which it became final; null while an appeal is open", of="dim_time.day", linked=True),
    text_column("offence_group", "principal offence at the courts", of="dim_offence_group.offence_group", linked=True),
    has_institution=True,
)
FACT_STAY = _declare_fact_table(
    "fact_stay",
    "A row of the register of prisoners: a stay in one facility; moves between facilities make a chain",
    *_declare_record_columns(),
    text_column("person_id", "person; null for an unknown one", linked=True),
    text_column("kind", "detained or imprisoned"),
    day_column("admitted", "first day", of="dim_time.day", linked=True),
    day_column("released", "last day; null while it lasts", of="dim_time.day", linked=True),
    text_column(
        "ended_by",
        "transfer, served, conditional_release, court_decision, house_arrest, sentence_begun, detention_ended, other",
    ),
    count_column(
        "chain", "running number of the stay that the row belongs to; rows joined by transfers share it", linked=True, coarse="number"
    ),
    flag_column("first_of_chain", "the row that begins the stay", linked=True),
    count_column("months", "sentence to be served in months, by the register"),
    has_institution=True,
)
FACT_REFERENCE = _declare_fact_table(
    "fact_reference",
    "A file cites another institution's number for the same matter",
    *_declare_record_columns(),
    text_column("cited", "kind of number: police, inspectorate, prosecution, court, other"),
    flag_column("found", "a file of that institution with that number was delivered"),
    flag_column("same_case", "that file belongs to the same case"),
    has_institution=False,
)
MILESTONES = {
    "registered": "first report at police or inspectorate",
    "referred": "first sent to the prosecution",
    "received_prosecution": "first received by the prosecution",
    "investigated": "investigation opened",
    "dismissed": "report dismissed, if no file of the case led to an indictment",
    "indicted": "first indictment",
    "resolved_prosecution": "last decision that ends the prosecution's files; null while one is open",
    "received_court": "first received by a court",
    "resolved_court": "last of the first judgments of all defendants; null while one awaits judgment",
    "convicted": "first conviction",
    "convicted_final": "first conviction that became final",
    "imprisoned": "first admission of a convict",
    "closed": "day on which nothing was left open at the stage that the case had reached",
}
CASE_MILESTONES = {
    "registered": "cases_registered",
    "referred": "cases_referred",
    "received_prosecution": "cases_received_prosecution",
    "dismissed": "cases_dismissed",
    "received_court": "cases_received_court",
}
"""The milestones of a case whose day is the day on which the case counts in an indicator, with the code of the indicator."""
FACT_CASE = _declare_fact_table(
    "fact_case",
    "A case with its milestones from report to prison",
    text_column("case_id", "case"),
    text_column(
        "municipality",
        "municipality of the offence, from the first file that names one",
        of="dim_municipality.municipality",
        coarse="nothing",
    ),
    text_column("seat", "seat responsible for it: court, else prosecution, else police region", of="dim_seat.seat", coarse="nothing"),
    day_column("offence_day", "day of the offence; null where unknown", of="dim_time.day"),
    *(text_column(f"offence_{stage}", f"principal offence at {stage}", of="dim_offence_group.offence_group") for stage in STAGES),
    text_column("form", "form of exploitation stated for the case", of="dim_form.form"),
    text_column("form_prosecution", "form that goes with the offence at the prosecution", of="dim_form.form"),
    count_column("files", "files of all institutions"),
    count_column("suspects", "persons registered as suspects"),
    count_column("victims", "persons registered as victims, by any institution"),
    count_column("defendants", "persons prosecuted or before a court"),
    day_column("first_day", "earliest of its days", of="dim_time.day"),
    *(day_column(name, meaning, of="dim_time.day") for name, meaning in MILESTONES.items()),
    text_column("stage", "stage reached: registration, prosecution, courts"),
    flag_column("open", "pending at that stage, as of the last delivery"),
    has_institution=False,
)
PERSON_MILESTONES = {
    "registered": ("suspects_registered", "report date of the case in which the person is a suspect"),
    "identified": ("victims_identified", "report date of the first case that names the person as victim"),
    "arrested": ("persons_arrested", "arrest"),
    "reported": ("persons_reported", "the prosecution received the case"),
    "indicted": ("persons_indicted", "first indictment in the case"),
    "acquitted": ("persons_acquitted", "acquittal, with no conviction in the case"),
    "convicted": ("persons_convicted", "conviction"),
    "convicted_final": ("persons_convicted_final", "the conviction became final"),
    "detained": ("persons_detained", "first admission as a detainee for the case"),
    "imprisoned": ("persons_admitted_sentence", "first admission as a convict for the case"),
}
FACT_PERSON = _declare_fact_table(
    "fact_person",
    "A person in a case with the person's milestones",
    text_column("case_id", "case", of="fact_case.case_id"),
    text_column("person_id", "person"),
    *(flag_column(role, f"the person is a {role} in the case") for role in ("suspect", "victim", "witness", "defendant", "prisoner")),
    *_declare_person_columns(),
    count_column("age_at_offence", "full years on the day of the offence", of="dim_age.age", coarse="adult"),
    *(
        text_column(f"offence_{stage}", f"principal offence of the person at {stage}", of="dim_offence_group.offence_group")
        for stage in STAGES
    ),
    text_column("form", "form of exploitation stated for the case", of="dim_form.form"),
    *(day_column(name, meaning, of="dim_time.day") for name, (_, meaning) in PERSON_MILESTONES.items()),
    has_institution=False,
)
VICTIM_STEPS = {
    "identified": "first report of a case that names the person as victim, or first entry of the status identified",
    "referred": "first referral to victim protection",
    "assisted": "first service",
    "sheltered": "first day in a shelter",
    "represented": "first hearing that a victim advocate attended",
    "reintegrated": "first service of reintegration",
}
FACT_VICTIM = _declare_fact_table(
    "fact_victim",
    "The pathway of a victim in a case: a person whom the police or victim protection know as victim and who was not found to be none",
    text_column("case_id", "case", of="fact_case.case_id"),
    text_column("person_id", "person"),
    text_column(
        "offence_group",
        "principal offence, of the case at the prosecution, else at registration, else by the files",
        of="dim_offence_group.offence_group",
    ),
    text_column("form", "form of exploitation", of="dim_form.form"),
    *_declare_person_columns(),
    text_column("age_group", "child, adult, unknown on the first day"),
    flag_column("registration", "named as victim by an institution that registers cases"),
    flag_column("file", "victim protection has a file"),
    *(
        day_column(name, meaning, of="dim_time.day", coarse="nothing" if name in CONFIDENTIAL_EVENTS else None)
        for name, meaning in VICTIM_STEPS.items()
    ),
    has_institution=False,
)
FACT_CASE_SNAPSHOT = _declare_fact_table(
    "fact_case_snapshot",
    "The state of a case at the end of each published quarter, from its first day to the quarter in which it was closed",
    text_column("case_id", "case", of="fact_case.case_id"),
    text_column("quarter", "quarter", of="dim_period.period"),
    text_column("stage", "stage reached: registration, prosecution, courts"),
    flag_column("open", "pending at the end of the quarter"),
    count_column(
        "days_open", "days from the first day of the case to the end of the quarter, or to the day on which it was closed", coarse="nothing"
    ),
    has_institution=False,
)
FURTHER_STATISTICS = Table(
    "further_statistics",
    WAREHOUSE,
    text_column("indicator", "an indicator not in `statistics`", of="indicators.indicator"),
    text_column("period", "year (2013) or quarter (2013-Q2)", of="dim_period.period"),
    *(
        text_column(name, "as in statistics; total: not broken down")
        for name in ("offence_group", "form", "sex", "age_group", "citizenship_group")
    ),
    count_column("as_reported", "by the institutions' own records; null if nothing could be read from any of its institutions"),
    count_column("harmonised", "after linkage; null if nothing could be read from any of its institutions"),
    flag_column("incomplete", "a delivery of one of the indicator's institutions is partial, unreadable or missing in the period"),
    text_column("missing", "incomplete deliveries: institution, quarter and state, comma-separated; null if none"),
    flag_column(
        "preliminary",
        "a quarter that one of the indicator's institutions delivered is not signed, or was delivered again since it was",
    ),
    comment="Figures of the indicators defined by SQL only, without a bridge from reported to harmonised",
    info=SHARED,
)
