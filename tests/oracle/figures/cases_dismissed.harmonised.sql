SELECT DISTINCT ON (case_id) case_id, day, offence_group, form
FROM fact_event
WHERE subject = 'case' AND event = 'dismissed' AND institution = 'prosecution' AND readable
  AND case_id NOT IN (SELECT case_id FROM fact_event WHERE subject = 'case' AND event = 'indicted')
ORDER BY case_id, order_day DESC, institution, record_key, day DESC, event_id DESC
