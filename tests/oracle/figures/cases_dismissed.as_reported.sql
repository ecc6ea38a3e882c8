WITH latest AS (
  SELECT DISTINCT ON (institution, record_key) *
  FROM fact_event
  WHERE subject = 'case' AND event = 'dismissed' AND institution = 'prosecution' AND readable AND date_reported IS NOT NULL
  ORDER BY institution, record_key, date_reported DESC, event_id DESC
)
SELECT date_reported AS day, offence_group_reported AS offence_group, form_reported AS form
FROM latest
WHERE NOT EXISTS (
  SELECT 1 FROM fact_event AS other
  WHERE other.subject = 'case' AND other.event = 'indicted'
    AND other.institution = latest.institution AND other.record_key = latest.record_key
)
