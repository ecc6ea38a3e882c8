SELECT DISTINCT ON (case_id, person_id)
  case_id, person_id, day, offence_group, form, sex, age_group, citizenship_group
FROM fact_event
WHERE subject = 'person' AND event = 'received' AND role = 'defendant' AND institution IN ('prosecution')
ORDER BY case_id, person_id, order_day, institution, record_key, day, event_id
