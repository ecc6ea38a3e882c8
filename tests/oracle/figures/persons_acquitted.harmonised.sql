WITH latest AS (  -- within one court file the latest judgment of a defendant decides
  SELECT DISTINCT ON (institution, record_key) *
  FROM fact_event
  WHERE subject = 'person' AND event = 'judged' AND role = 'defendant' AND institution = 'courts'
  ORDER BY institution, record_key, order_day DESC, day DESC, event_id DESC
),
convicted AS (SELECT case_id, person_id FROM latest WHERE outcome = 'convicted')
SELECT DISTINCT ON (case_id, person_id)
  case_id, person_id, day, offence_group, form, sex, age_group, citizenship_group
FROM latest
WHERE outcome IN ('acquitted', 'rejected')
  AND NOT EXISTS (SELECT 1 FROM convicted WHERE convicted.case_id = latest.case_id AND convicted.person_id = latest.person_id)
ORDER BY case_id, person_id, order_day, institution, record_key
