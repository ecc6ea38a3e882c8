WITH named AS (
  SELECT DISTINCT ON (case_id, person_id)
    case_id, person_id, day, offence_group, form, sex, age_group, citizenship_group
  FROM fact_event
  WHERE subject = 'person' AND event = 'reported' AND role = 'victim' AND institution IN ('police')
  ORDER BY case_id, person_id, order_day, institution, record_key, day, event_id
)
SELECT DISTINCT ON (person_id) named.*  -- once ever
FROM named JOIN dim_offence_group AS serious USING (offence_group)
ORDER BY person_id, day, serious.position, case_id
