-- `fact_charge`: charges of persons, and the offence of a file at the registration stage.
SELECT
  institution, record_key, case_key AS file_key, case_id, person_id,
  coalesce(law, '?') || ':' || article AS offence, law, article, paragraph, principal, form AS form_reported,
  coalesce(said.offence_group, 'other') AS offence_group_reported, counts.offence_group
FROM charge
LEFT JOIN offence_group AS said ON said.rank = reported
JOIN offence_group AS counts ON counts.rank = charge.offence
