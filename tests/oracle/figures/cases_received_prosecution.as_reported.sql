SELECT DISTINCT ON (institution, record_key)
  date_reported AS day, offence_group_reported AS offence_group, form_reported AS form
FROM fact_event
WHERE subject = 'case' AND event = 'received' AND institution IN ('prosecution') AND readable AND date_reported IS NOT NULL
ORDER BY institution, record_key, date_reported, event_id
