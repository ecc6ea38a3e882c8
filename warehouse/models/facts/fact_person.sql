-- `fact_person`: one row per case and person, with the days on which the person's units count.
WITH held AS (
  SELECT
    case_id, person_id,
    bool_or(role IS NOT DISTINCT FROM 'suspect') AS suspect, bool_or(role IS NOT DISTINCT FROM 'victim') AS victim,
    bool_or(role IS NOT DISTINCT FROM 'witness') AS witness, bool_or(role IS NOT DISTINCT FROM 'defendant') AS defendant,
    bool_or(role IS NOT DISTINCT FROM 'prisoner') AS prisoner
  FROM accepted_person WHERE person_id IS NOT NULL GROUP BY ALL
), milestone AS (
  SELECT
    case_id, person_id,
    min(day) FILTER (milestone = 'registered') AS registered,
    min(day) FILTER (milestone = 'identified') AS identified,
    min(day) FILTER (milestone = 'arrested') AS arrested,
    min(day) FILTER (milestone = 'reported') AS reported,
    min(day) FILTER (milestone = 'indicted') AS indicted,
    min(day) FILTER (milestone = 'acquitted') AS acquitted,
    min(day) FILTER (milestone = 'convicted') AS convicted,
    min(day) FILTER (milestone = 'convicted_final') AS convicted_final,
    min(day) FILTER (milestone = 'detained') AS detained,
    min(day) FILTER (milestone = 'imprisoned') AS imprisoned
  FROM counted JOIN person_milestone USING (indicator) GROUP BY ALL
), offence_day AS (
  SELECT case_id, min(day) AS offence_day FROM event WHERE event = 'offence' GROUP BY ALL
)
SELECT
  held.*, sex, citizenship, citizenship_group, age_on(birth_date, offence_day) AS age_at_offence,
  offence_of(coalesce(own.registration, whole.registration)) AS offence_registration,
  offence_of(coalesce(own.prosecution, whole.prosecution)) AS offence_prosecution,
  offence_of(coalesce(own.courts, whole.courts)) AS offence_courts,
  offence_of(coalesce(own.corrections, whole.corrections)) AS offence_corrections,
  offence_of(coalesce(own.protection, whole.protection)) AS offence_protection,
  coalesce(case_form.of_case, 'unknown') AS form, milestone.* EXCLUDE (case_id, person_id)
FROM held JOIN person USING (person_id)
LEFT JOIN stage_offence AS own ON own.case_id = held.case_id AND own.person_id = held.person_id
LEFT JOIN stage_offence AS whole ON whole.case_id = held.case_id AND whole.person_id IS NULL
LEFT JOIN milestone ON milestone.case_id = held.case_id AND milestone.person_id = held.person_id
LEFT JOIN case_form ON case_form.case_id = held.case_id
LEFT JOIN offence_day ON offence_day.case_id = held.case_id
