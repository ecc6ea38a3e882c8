"""Declare views over the star schema: cohorts and how many of them reach each step, durations, pending cases.

Belongs here: the SQL of the views, for DuckDB and PostgreSQL, and a comment on every column. Does not belong here: facts (`tables`).

If nothing could be read from any institution of a stage for a quarter, the figures of that quarter are null, not 0. If not all of these
institutions delivered completely, the figures are `incomplete`.
"""

from __future__ import annotations

from sqlalchemy import Double, Table
from sqlalchemy.schema import Column, SchemaItem

from schemas.canonical import CONFIDENTIAL_EVENTS
from warehouse.columns import count_column, flag_column, text_column
from warehouse.star import tables as star
from warehouse.tables import SHARED, WAREHOUSE

CASE_STEPS = (
    "referred",
    "received_prosecution",
    "indicted",
    "received_court",
    "resolved_court",
    "convicted",
    "convicted_final",
    "imprisoned",
)
PERSON_STEPS = ("arrested", "detained", "reported", "indicted", "acquitted", "convicted", "convicted_final", "imprisoned")
DURATIONS = (
    ("report to referral", "registered", "referred"),
    ("referral to prosecution", "referred", "received_prosecution"),
    ("prosecution to indictment", "received_prosecution", "indicted"),
    ("indictment to court", "indicted", "received_court"),
    ("court to last judgment", "received_court", "resolved_court"),
    ("report to final conviction", "registered", "convicted_final"),
)
_STEP_DURATIONS = " UNION ALL ".join(
    f"SELECT registered, {place} AS place, {later} - {earlier} AS days FROM fact_case WHERE {later} >= {earlier}"
    for place, (_, earlier, later) in enumerate(DURATIONS)
)
# None begins or ends with a stay in a shelter: its days leave the confidential warehouse for nobody.
VICTIM_DURATIONS = (
    ("identification to referral", "identified", "referred"),
    ("referral to first service", "referred", "assisted"),
    ("referral to represented hearing", "referred", "represented"),
    ("first service to reintegration", "assisted", "reintegrated"),
)
FEWEST_VICTIMS = 5  # a duration of fewer victims is not shown, since it would reveal the days of one
_FIRST_KNOWN = "least(f.identified, f.referred, f.assisted, f.represented)"
_VICTIM_YEARS = """(
  SELECT left(period, 4) AS year, bool_and(state IN ('missing', 'unreadable')) AS silent, bool_or(state <> 'complete') AS gap
  FROM period_coverage WHERE stage IN ('registration', 'protection') GROUP BY left(period, 4)
)"""
PENDING_STAGES = ("registration", "prosecution", "courts")


def _declare_view(name: str, comment: str, sql: str, *columns: SchemaItem) -> Table:
    """Declare a view. It is shared with all roles: a view reads with the rights of its owner, so that row policies do not apply to it."""
    return Table(name, WAREHOUSE, *columns, comment=comment, info={**SHARED, "view": sql.strip()})


def _make_sql_of_stage_completeness(stage: str) -> str:
    """Return the SQL for the completeness of a stage by quarter. Columns: gap (not all institutions of the stage delivered completely) and
    silent (nothing could be read from any of them)."""
    return f"""(
  SELECT period, bool_and(state IN ('missing', 'unreadable')) AS silent, bool_or(state <> 'complete') AS gap
  FROM period_coverage WHERE stage = '{stage}' GROUP BY period
)"""


def _make_sql_of_cohort_view(fact: str, where: str, steps: tuple[str, ...], pending: str) -> str:
    step_columns = "".join(
        f",\n  CASE WHEN bool_or(d.silent) THEN NULL ELSE CAST(coalesce(sum(c.{step}), 0) AS bigint) END AS {step}"
        for step in ("registered", *steps)
    )
    sums = ", ".join(f"count(f.{step}) AS {step}" for step in steps)
    pending_sum = f", {pending} AS open" if pending else ""
    pending_column = (
        ",\n  CASE WHEN bool_or(d.silent) THEN NULL ELSE CAST(coalesce(sum(c.open), 0) AS bigint) END AS open" if pending else ""
    )
    return f"""
SELECT p.period AS cohort, g.offence_group{step_columns}{pending_column},
  bool_or(d.gap) AS incomplete
FROM dim_period p CROSS JOIN dim_offence_group g
LEFT JOIN (
  SELECT t.quarter, f.offence_registration AS offence_group, count(*) AS registered, {sums}{pending_sum}
  FROM {fact} f JOIN dim_time t ON t.day = f.registered{where}
  GROUP BY t.quarter, f.offence_registration
) c ON c.quarter = p.period AND c.offence_group = g.offence_group
LEFT JOIN {_make_sql_of_stage_completeness("registration")} d ON d.period = p.period
WHERE p.kind = 'quarter' AND p.published
GROUP BY p.period, g.offence_group, g.position
ORDER BY p.period, g.position"""


def _make_sql_of_quantile(share: float, column: str) -> str:
    """Return the SQL for a quantile in days. It is rounded to a tenth, since DuckDB and PostgreSQL differ in the last digits."""
    return f"CAST(round(CAST(percentile_cont({share}) WITHIN GROUP (ORDER BY {column}) AS numeric(18, 6)), 1) AS float8)"


def _make_sql_of_median_and_ninth_decile(column: str) -> str:
    return f"{_make_sql_of_quantile(0.5, column)} AS median_days, {_make_sql_of_quantile(0.9, column)} AS ninth_decile_days"


def _make_sql_of_victim_cohorts() -> str:
    steps = ("victims", *star.VICTIM_STEPS)
    columns = ", ".join(
        f"CASE WHEN bool_or(d.silent) THEN NULL ELSE CAST(coalesce(sum(c.{name}), 0) AS bigint) END AS {name}" for name in steps
    )
    counts = ", ".join(f"count(f.{step}) AS {step}" for step in star.VICTIM_STEPS)
    return f"""
SELECT p.period AS cohort, g.offence_group, {columns}, coalesce(bool_or(d.gap), false) AS incomplete
FROM dim_period p CROSS JOIN dim_offence_group g
LEFT JOIN (
  SELECT t.year, f.offence_group, count(*) AS victims, {counts}
  FROM fact_victim f JOIN dim_time t ON t.day = {_FIRST_KNOWN}
  GROUP BY t.year, f.offence_group
) c ON c.year = p.period AND c.offence_group = g.offence_group
LEFT JOIN {_VICTIM_YEARS} d ON d.year = p.period
WHERE p.kind = 'year' AND p.published
GROUP BY p.period, g.offence_group, g.position
ORDER BY p.period, g.position"""


def _make_sql_of_victim_durations() -> str:
    taken = " UNION ALL ".join(
        f"SELECT {_FIRST_KNOWN} AS known, {place} AS place, f.{later} - f.{earlier} AS days"
        f" FROM fact_victim f WHERE f.{later} >= f.{earlier}"
        for place, (_, earlier, later) in enumerate(VICTIM_DURATIONS)
    )
    names = ", ".join(f"('{step}', {place})" for place, (step, _, _) in enumerate(VICTIM_DURATIONS))
    return f"""
SELECT p.period AS cohort, s.step, CASE WHEN d.silent THEN NULL ELSE coalesce(f.victims, 0) END AS victims,
  CASE WHEN f.victims >= {FEWEST_VICTIMS} THEN f.median_days END AS median_days,
  CASE WHEN f.victims >= {FEWEST_VICTIMS} THEN f.ninth_decile_days END AS ninth_decile_days, coalesce(d.gap, false) AS incomplete
FROM dim_period p CROSS JOIN (VALUES {names}) AS s(step, place)
LEFT JOIN (
  SELECT t.year, taken.place, count(*) AS victims, {_make_sql_of_median_and_ninth_decile("days")}
  FROM ({taken}) AS taken JOIN dim_time t ON t.day = taken.known
  GROUP BY t.year, taken.place
) f ON f.place = s.place AND f.year = p.period
LEFT JOIN {_VICTIM_YEARS} d ON d.year = p.period
WHERE p.kind = 'year' AND p.published
ORDER BY p.period, s.place"""


def _declare_step_count_columns(names: tuple[str, ...], meanings: dict[str, str]) -> list[SchemaItem]:
    return [count_column(name, f"of them: {meanings[name]}", coarse="nothing" if name in CONFIDENTIAL_EVENTS else None) for name in names]


def _double_column(name: str, comment: str) -> Column[float]:
    return Column(name, Double, comment=comment)


PERIOD_COVERAGE = _declare_view(
    "period_coverage",
    "State of the deliveries of every institution for every quarter of the published years, also for quarters without a delivery",
    """
SELECT p.period, i.institution, i.stage, coalesce(c.state, 'missing') AS state
FROM dim_period p CROSS JOIN dim_institution i
LEFT JOIN coverage c ON c.period = p.period AND c.institution = i.institution
WHERE p.kind = 'quarter'""",
    text_column("period", "quarter"),
    text_column("institution", "institution"),
    text_column("stage", "its stage"),
    text_column("state", "complete, partial, unreadable, missing"),
)
EVERY_STATISTIC = _declare_view(
    "every_statistic",
    "The figures of all indicators in one: statistics and further_statistics",
    """
SELECT indicator, period, offence_group, form, sex, age_group, citizenship_group, as_reported, harmonised, incomplete, missing, preliminary
FROM statistics
UNION ALL
SELECT indicator, period, offence_group, form, sex, age_group, citizenship_group, as_reported, harmonised, incomplete, missing, preliminary
FROM further_statistics""",
    text_column("indicator", "indicator"),
    text_column("period", "year or quarter"),
    *(
        text_column(name, "as in statistics; total: not broken down")
        for name in ("offence_group", "form", "sex", "age_group", "citizenship_group")
    ),
    count_column("as_reported", "as in statistics"),
    count_column("harmonised", "as in statistics"),
    flag_column("incomplete", "a delivery of one of the indicator's institutions is partial, unreadable or missing in the period"),
    text_column("missing", "incomplete deliveries: institution, quarter and state, comma-separated; null if none"),
    flag_column(
        "preliminary",
        "a quarter that one of the indicator's institutions delivered is not signed, or was delivered again since it was",
    ),
)
FLOW_CASES = _declare_view(
    "flow_cases",
    "Cohorts of cases by the quarter of their first report and their offence then: how many reached each step by the last delivery",
    _make_sql_of_cohort_view("fact_case", "", CASE_STEPS, "count(CASE WHEN f.open THEN 1 END)"),
    text_column("cohort", "quarter of the first report"),
    text_column("offence_group", "principal offence as registered"),
    count_column("registered", "cases registered in that quarter; null if nothing could be read from police and inspectorate"),
    *_declare_step_count_columns(CASE_STEPS, star.MILESTONES),
    count_column("open", "of them: pending at the stage that they reached"),
    flag_column("incomplete", "the quarter of police or inspectorate is partial, unreadable or missing"),
)
FLOW_PERSONS = _declare_view(
    "flow_persons",
    "Cohorts of suspects by the quarter in which their case was reported: how many reached each step by the last delivery",
    _make_sql_of_cohort_view("fact_person", " WHERE f.suspect", PERSON_STEPS, ""),
    text_column("cohort", "quarter of the report"),
    text_column("offence_group", "principal offence as registered"),
    count_column(
        "registered", "suspects registered in that quarter, once per case; null if nothing could be read from police and inspectorate"
    ),
    *_declare_step_count_columns(PERSON_STEPS, {name: meaning for name, (_, meaning) in star.PERSON_MILESTONES.items()}),
    flag_column("incomplete", "the quarter of police or inspectorate is partial, unreadable or missing"),
)
FLOW_DURATIONS = _declare_view(
    "flow_durations",
    "Duration in days of the steps of a case, by the quarter of its first report; cases that took the step by the last delivery",
    f"""
SELECT p.period AS cohort, s.step, CASE WHEN d.silent THEN NULL ELSE coalesce(f.cases, 0) END AS cases,
  f.median_days, f.ninth_decile_days, coalesce(d.gap, false) AS incomplete
FROM dim_period p CROSS JOIN (VALUES {", ".join(f"('{step}', {n})" for n, (step, _, _) in enumerate(DURATIONS))}) AS s(step, place)
LEFT JOIN (
  SELECT t.quarter, taken.place, count(*) AS cases, {_make_sql_of_median_and_ninth_decile("days")}
  FROM ({_STEP_DURATIONS}) AS taken
  JOIN dim_time t ON t.day = taken.registered
  GROUP BY t.quarter, taken.place
) f ON f.place = s.place AND f.quarter = p.period
LEFT JOIN {_make_sql_of_stage_completeness("registration")} d ON d.period = p.period
WHERE p.kind = 'quarter' AND p.published
ORDER BY p.period, s.place""",
    text_column("cohort", "quarter of the first report"),
    text_column("step", "first and last day of the step"),
    count_column("cases", "cases that took the step; null if nothing could be read from police and inspectorate"),
    _double_column("median_days", "half of them took at most this number of days"),
    _double_column("ninth_decile_days", "nine of ten took at most this number of days"),
    flag_column("incomplete", "the quarter of police or inspectorate is partial, unreadable or missing"),
)
FLOW_VICTIMS = _declare_view(
    "flow_victims",
    "Cohorts of victims by the year in which police or victim protection first knew them: how many reached each step by the last delivery",
    _make_sql_of_victim_cohorts(),
    text_column("cohort", "year in which the victim was first identified, referred or assisted"),
    text_column("offence_group", "as in fact_victim"),
    count_column(
        "victims", "victims of that year, once per case; null if nothing could be read from police, inspectorate and victim protection"
    ),
    *_declare_step_count_columns(tuple(star.VICTIM_STEPS), star.VICTIM_STEPS),
    flag_column("incomplete", "a quarter of police, inspectorate or victim protection is partial, unreadable or missing"),
)
FLOW_VICTIM_DURATIONS = _declare_view(
    "flow_victim_durations",
    "Duration in days of the steps of a victim, by year as in flow_victims; none of a stay in a shelter",
    _make_sql_of_victim_durations(),
    text_column("cohort", "year in which the victim was first identified, referred or assisted"),
    text_column("step", "first and last day of the step"),
    count_column("victims", "victims who took the step; null if nothing could be read from police, inspectorate and victim protection"),
    _double_column("median_days", f"half of them took at most this number of days; null of fewer than {FEWEST_VICTIMS}"),
    _double_column("ninth_decile_days", f"nine of ten took at most this number of days; null of fewer than {FEWEST_VICTIMS}"),
    flag_column("incomplete", "a quarter of police, inspectorate or victim protection is partial, unreadable or missing"),
)
FLOW_OPEN = _declare_view(
    "flow_open",
    "Cases pending at the end of each quarter, by the stage that they had reached",
    f"""
SELECT p.period AS quarter, s.stage, CASE WHEN d.silent THEN NULL ELSE coalesce(f.cases, 0) END AS open,
  f.median_days_open, coalesce(d.gap, false) AS incomplete
FROM dim_period p CROSS JOIN (VALUES {", ".join(f"('{stage}', {n})" for n, stage in enumerate(PENDING_STAGES))}) AS s(stage, place)
LEFT JOIN (
  SELECT quarter, stage, count(*) AS cases, {_make_sql_of_quantile(0.5, "days_open")} AS median_days_open
  FROM fact_case_snapshot WHERE open GROUP BY quarter, stage
) f ON f.quarter = p.period AND f.stage = s.stage
LEFT JOIN (
  SELECT period, stage, bool_and(state IN ('missing', 'unreadable')) AS silent, bool_or(state <> 'complete') AS gap
  FROM period_coverage GROUP BY period, stage
) d ON d.period = p.period AND d.stage = s.stage
WHERE p.kind = 'quarter' AND p.published
ORDER BY p.period, s.place""",
    text_column("quarter", "quarter"),
    text_column("stage", "stage reached"),
    count_column("open", "cases; null if no institution of the stage delivered the quarter"),
    _double_column("median_days_open", "half of them had been open for at most this number of days"),
    flag_column("incomplete", "the quarter of an institution of the stage is partial, unreadable or missing"),
)
VICTIMS_BY_AGE = _declare_view(
    "victims_by_age",
    "Victims by year of identification, age on the day of the offence, sex and form; each once, in the case that names them first",
    """
SELECT t.year, coalesce(a.band, 'unknown') AS age_band, p.sex, p.form, count(*) AS victims
FROM fact_person p JOIN dim_time t ON t.day = p.identified LEFT JOIN dim_age a ON a.age = p.age_at_offence
GROUP BY t.year, coalesce(a.band, 'unknown'), p.sex, p.form""",
    text_column("year", "year"),
    text_column("age_band", "as dim_age.band; unknown"),
    text_column("sex", "sex"),
    text_column("form", "form of exploitation stated for the case"),
    count_column("victims", "victims"),
)
CASES_BY_PLACE = _declare_view(
    "cases_by_place",
    "Registered cases by municipality of the offence and principal offence as registered, over all years",
    """
SELECT m.district, m.municipality, c.offence_registration AS offence_group, count(*) AS cases
FROM fact_case c JOIN dim_municipality m ON m.municipality = c.municipality
WHERE c.registered IS NOT NULL
GROUP BY m.district, m.municipality, c.offence_registration""",
    text_column("district", "district of statistics"),
    text_column("municipality", "municipality"),
    text_column("offence_group", "principal offence as registered"),
    count_column("cases", "cases"),
)
STAYS_BY_YEAR = _declare_view(
    "stays_by_year",
    "Stays that have ended, by the year of admission; rows of the register that transfers join are one stay",
    f"""
SELECT t.year, s.kind, count(*) AS stays, {_make_sql_of_median_and_ninth_decile("s.days")}
FROM (
  SELECT chain, kind, min(admitted) AS admitted, max(released) - min(admitted) AS days
  FROM fact_stay GROUP BY chain, kind HAVING count(released) = count(*)
) AS s JOIN dim_time t ON t.day = s.admitted
GROUP BY t.year, s.kind""",
    text_column("year", "year of admission"),
    text_column("kind", "detained or imprisoned"),
    count_column("stays", "stays"),
    _double_column("median_days", "half of them took at most this number of days"),
    _double_column("ninth_decile_days", "nine of ten took at most this number of days"),
)
