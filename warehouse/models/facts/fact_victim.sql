-- `fact_victim`: one row per case and victim whom an institution of registration or of protection knows, with the first day of each step.
-- A person whose files all say `not_confirmed` is none. A day is that of `fact_event`, so that estimated days are the same.
WITH known AS (
  SELECT case_id, person_id, bool_or(stage = 'registration') AS registration, bool_or(stage = 'protection') AS file
  FROM party
  WHERE role = 'victim' AND stage IN ('registration', 'protection') AND person_id IS NOT NULL
    AND (case_id, person_id) NOT IN (SELECT (case_id, person_id) FROM not_confirmed)
  GROUP BY ALL
), step AS (
  SELECT
    case_id, person_id,
    min(day) FILTER (event IN ('reported', 'identified')) AS identified,
    min(day) FILTER (event = 'referred') AS referred,
    min(day) FILTER (event = 'assisted') AS assisted,
    min(day) FILTER (event = 'sheltered') AS sheltered,
    min(day) FILTER (event = 'represented') AS represented,
    min(day) FILTER (event = 'assisted' AND service = 'reintegration') AS reintegrated
  FROM fact_event WHERE subject = 'person' AND role = 'victim' GROUP BY ALL
), offence AS (
  SELECT
    case_id, person_id,
    arg_min(offence_group, (event <> 'referred', order_day)) FILTER (event IN ('referred', 'reported')) AS offence_group,
    arg_min(form, (event <> 'referred', order_day)) FILTER (event IN ('referred', 'reported')) AS form
  FROM fact_event WHERE subject = 'person' AND role = 'victim' GROUP BY ALL
), dated AS (
  SELECT
    known.*, step.* EXCLUDE (case_id, person_id), coalesce(offence_group, 'other') AS offence_group, coalesce(form, 'unknown') AS form,
    least(identified, referred, assisted, sheltered, represented) AS first_day
  FROM known LEFT JOIN step USING (case_id, person_id) LEFT JOIN offence USING (case_id, person_id)
)
SELECT
  dated.*, coalesce(sex, 'unknown') AS sex, citizenship, coalesce(citizenship_group, 'unknown') AS citizenship_group,
  age_group_on(birth_date, birth_year, first_day) AS age_group
FROM dated LEFT JOIN person USING (person_id)
