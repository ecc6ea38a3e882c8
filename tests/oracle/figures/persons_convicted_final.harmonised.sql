WITH judgment AS (  -- within one court file the latest judgment of a defendant decides
  SELECT DISTINCT ON (institution, record_key) *
  FROM fact_event
  WHERE subject = 'person' AND event = 'judged' AND role = 'defendant' AND institution = 'courts'
  ORDER BY institution, record_key, order_day DESC, day DESC, event_id DESC
),
latest AS (
  SELECT DISTINCT ON (institution, record_key) *
  FROM fact_event
  WHERE subject = 'person' AND event = 'final' AND role = 'defendant' AND institution = 'courts'
  ORDER BY institution, record_key, order_day DESC, day DESC, event_id DESC
)
SELECT DISTINCT ON (case_id, person_id)
  case_id, person_id, day, offence_group, form, sex, age_group, citizenship_group
FROM latest
WHERE outcome = 'convicted'
  AND NOT EXISTS (  -- a final conviction falls with a later acquittal in the same file
    SELECT 1 FROM judgment
    WHERE judgment.institution = latest.institution AND judgment.record_key = latest.record_key
      AND judgment.outcome IS DISTINCT FROM 'convicted'
  )
ORDER BY case_id, person_id, order_day, institution, record_key
