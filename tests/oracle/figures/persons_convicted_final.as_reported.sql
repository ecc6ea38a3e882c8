WITH judgment AS (  -- within one court file the latest judgment of a defendant decides
  SELECT DISTINCT ON (institution, record_key) *
  FROM fact_event
  WHERE subject = 'person' AND event = 'judged' AND role = 'defendant' AND institution = 'courts' AND date_reported IS NOT NULL
  ORDER BY institution, record_key, date_reported DESC, event_id DESC
),
latest AS (
  SELECT DISTINCT ON (institution, record_key) *
  FROM fact_event
  WHERE subject = 'person' AND event = 'final' AND role = 'defendant' AND institution = 'courts' AND date_reported IS NOT NULL
  ORDER BY institution, record_key, date_reported DESC, event_id DESC
)
SELECT date_reported AS day, offence_group_reported AS offence_group, form_reported AS form,
  sex_reported AS sex, age_group_reported AS age_group, citizenship_group_reported AS citizenship_group
FROM latest
WHERE outcome = 'convicted'
  AND NOT EXISTS (  -- a final conviction falls with a later acquittal in the same file
    SELECT 1 FROM judgment
    WHERE judgment.institution = latest.institution AND judgment.record_key = latest.record_key
      AND judgment.outcome IS DISTINCT FROM 'convicted'
  )
