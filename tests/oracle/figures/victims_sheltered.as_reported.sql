SELECT  -- every stay
  date_reported AS day, offence_group_reported AS offence_group, form_reported AS form,
  sex_reported AS sex, age_group_reported AS age_group, citizenship_group_reported AS citizenship_group
FROM fact_event
WHERE subject = 'person' AND event = 'sheltered' AND role = 'victim' AND institution IN ('social_work')
  AND scope = 'own' AND date_reported IS NOT NULL
