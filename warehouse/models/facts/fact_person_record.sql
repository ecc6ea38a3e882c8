-- `fact_person_record`: a person in a file of an institution, by the accepted record.
SELECT
  institution, record_key, case_key AS file_key, case_id, person_id, role, kind,
  coalesce(sex, 'unknown') AS sex_reported, citizenship AS citizenship_reported, municipality AS residence
FROM accepted_person
