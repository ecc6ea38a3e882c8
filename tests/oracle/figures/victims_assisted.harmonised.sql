SELECT  -- every service; a person counts once in each period
  case_id, person_id, day, offence_group, form, sex, age_group, citizenship_group
FROM fact_event
WHERE subject = 'person' AND event = 'assisted' AND role = 'victim' AND institution IN ('victim_protection', 'social_work')
  AND (case_id, person_id) IN (SELECT (case_id, person_id) FROM fact_victim)
ORDER BY order_day, institution, record_key, day, event_id
