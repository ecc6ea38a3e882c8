SELECT DISTINCT ON (case_id) case_id, day, offence_group, form
FROM fact_event
WHERE subject = 'case' AND event = 'sent' AND institution IN ('police', 'inspectorate') AND readable
ORDER BY case_id, order_day, institution, record_key, day, event_id
