-- One row per indicator and counted record, as reported (own_date) or harmonised (day), derived from the declarations.
-- own_date: as delivered; null if the record does not count as reported. day, method: of the harmonised count; null if it does not
-- count, e.g. an unknown person. own_day, own_method: of the record's own event (`day` may come from another file of the case).
-- giver_*: the file that `day` comes from. Dimensions: as reported, and harmonised on `day`.
-- part: which row of the record (`deciding_event`). span: the period for which it counts alone, `quarter 2013-Q2`; empty: any.
-- moved: a row of a period only because the day of its event was imputed.
WITH latest AS (  -- "within one court file the latest judgment of a defendant decides": a final judgment is void after a later judgment
  SELECT
    indicator, institution, record_key,
    arg_max(coalesce(list_contains(outcomes, outcome), false), (date_reported, event_id)) FILTER (date_reported IS NOT NULL) AS latest_reported_counts,
    arg_max(coalesce(list_contains(outcomes, outcome), false), (own_order_day, own_day, event_id)) FILTER (own_day IS NOT NULL) AS latest_own_counts
  FROM fact_event AS event JOIN indicator ON indicator.after = event.event AND indicator.record = event.subject
  WHERE scope = 'own'
  GROUP BY ALL
), counts AS (  -- those with an outcome that counts
  SELECT deciding.side, deciding.indicator, deciding.part, indicator.unit, each, event.*
  FROM deciding_event AS deciding JOIN fact_event AS event USING (event_id)
  JOIN indicator ON indicator.indicator = deciding.indicator
  LEFT JOIN latest
    ON latest.indicator = deciding.indicator AND latest.institution = deciding.institution AND latest.record_key = deciding.record_key
  WHERE len(outcomes) = 0 OR (
    list_contains(outcomes, event.outcome) AND coalesce(if(deciding.side = 'reported', latest_reported_counts, latest_own_counts), true)
  )
), reported AS (
  SELECT
    indicator, part, each, unit, subject AS entity, institution, record_key, case_key, case_id, if(unit = 'person', person_id, NULL) AS person_id,
    date_reported AS own_date, offence_group_reported, form_reported, sex_reported, age_group_reported, citizenship_group_reported
  FROM counts WHERE side = 'reported'
), own AS (
  SELECT indicator, institution, record_key, part, own_day, method AS own_method FROM counts WHERE side = 'own'
), harmonised AS (  -- an unknown person counts only as reported
  SELECT
    indicator, part, each, unit, subject AS entity, institution, record_key, case_key, case_id, if(unit = 'person', person_id, NULL) AS person_id,
    own_day AS day, method, date_reported AS day_reported, own_order_day AS order_day, giver_institution, giver_case_key,
    offence_group, form, sex, age_group, citizenship_group
  FROM counts WHERE side = 'harmonised' AND (unit = 'case' OR person_id IS NOT NULL)
)
SELECT
  indicator, institution, record_key, part, if(coalesce(reported.each, harmonised.each) = 'period', part, '') AS span,
  coalesce(harmonised.each = 'period' AND own_date IS NULL AND day_reported IS NOT NULL, false) AS moved,
  coalesce(reported.each, harmonised.each) AS each,
  coalesce(reported.unit, harmonised.unit) AS unit, coalesce(reported.entity, harmonised.entity) AS entity,
  coalesce(reported.case_key, harmonised.case_key) AS case_key, coalesce(reported.case_id, harmonised.case_id) AS case_id,
  coalesce(reported.person_id, harmonised.person_id) AS person_id,
  own_date, offence_group_reported, form_reported, sex_reported, age_group_reported, citizenship_group_reported,
  own_day, own_method, day, method, order_day, giver_institution, giver_case_key, offence_group, form, sex, age_group, citizenship_group
FROM reported FULL JOIN harmonised USING (indicator, institution, record_key, part)
LEFT JOIN own USING (indicator, institution, record_key, part)
