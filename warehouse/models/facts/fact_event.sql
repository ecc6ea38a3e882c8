-- `fact_event`: events of a file and of a person in it, as reported and harmonised.
-- An unknown person counts only as reported: its events have no day. Columns used only for computing figures:
-- stage, case_key, own_day, own_order_day (also of an unknown person), giver_*, part, n of `subject_event`.
WITH happened AS (
  SELECT
    subject_event.* EXCLUDE (day), day AS own_day,
    CASE WHEN subject = 'case' OR person_id IS NOT NULL THEN day END AS day,
    event IN ('judged', 'judged_before', 'final', 'released') AS coded_outcome,
    subject = 'person' AND stage <> 'registration' AS by_party,
    CASE WHEN stage = 'corrections' AND event IN ('detained', 'imprisoned') THEN event ELSE '' END AS admission,
    states_form, form_as_stated, one_person_a_file
  FROM subject_event JOIN institution USING (institution, stage) JOIN stage USING (stage)
), stated_beside AS (  -- events of an institution that states no form, with those of one that does
  SELECT DISTINCT subject, event, stage, case_id, coalesce(person_id, '') AS person_id, coalesce(role, '') AS role
  FROM happened
  WHERE states_form AND (case_id, stage) IN (SELECT (case_id, stage) FROM happened WHERE NOT states_form)
), offence_day AS (
  SELECT case_id, min(day) AS offence_day FROM event WHERE event = 'offence' GROUP BY ALL
), described AS (
  SELECT
    happened.*,
    states_form OR stated_beside.case_id IS NOT NULL AS form_is_stated,
    coalesce(CASE WHEN by_party THEN record_offence.offence ELSE file_offence.offence END, rank_of('other')) AS reported,
    CASE WHEN by_party THEN record_offence.form ELSE file_offence.form END AS stated_form,
    coalesce(person_principal.offence, case_principal.offence, rank_of('other')) AS offence,
    case_form.of_form_offences, case_form.of_case, CASE WHEN one_person_a_file THEN case_form.of_files END AS of_files, offence_day,
    record.sex AS record_sex, record.citizenship AS record_citizenship, record.birth_date AS record_birth_date,
    record.birth_year AS record_birth_year, record.birth_stated AS record_birth_stated, record.age_class AS record_age_class, person.sex, person.citizenship, person.citizenship_group, person.birth_date, person.birth_year
  FROM happened
  LEFT JOIN file_offence USING (institution, case_key)
  LEFT JOIN record_offence USING (institution, record_key)
  LEFT JOIN principal_offence AS person_principal
    ON person_principal.case_id = happened.case_id AND person_principal.person_id = happened.person_id
    AND person_principal.stage = happened.stage AND person_principal.admission = happened.admission
  LEFT JOIN principal_offence AS case_principal
    ON case_principal.case_id = happened.case_id AND case_principal.person_id IS NULL
    AND case_principal.stage = happened.stage AND case_principal.admission = happened.admission
  LEFT JOIN stated_beside
    ON NOT states_form AND stated_beside.subject = happened.subject AND stated_beside.event = happened.event
    AND stated_beside.stage = happened.stage AND stated_beside.case_id = happened.case_id
    AND stated_beside.person_id = coalesce(happened.person_id, '') AND stated_beside.role = coalesce(happened.role, '')
  LEFT JOIN case_form ON case_form.case_id = happened.case_id
  LEFT JOIN offence_day ON offence_day.case_id = happened.case_id
  LEFT JOIN party AS record
    ON happened.subject = 'person' AND record.institution = happened.institution AND record.record_key = happened.record_key
  LEFT JOIN person ON person.person_id = happened.person_id
)
SELECT
  event_id, subject, institution, record_key, case_key AS file_key, case_id, person_id, role, event, scope,
  CASE WHEN coded_outcome THEN outcome END AS outcome,
  CASE WHEN NOT coded_outcome AND event <> 'assisted' AND regexp_matches(outcome, '\d') THEN outcome END AS indictment_number,
  CASE WHEN event = 'assisted' THEN outcome END AS service,
  readable, inferred, date AS date_reported, day, method, date_problem, CASE WHEN day IS NOT NULL THEN described.order_day END AS order_day,
  reported.offence_group AS offence_group_reported,
  offence.offence_group,
  CASE WHEN reported.without_form AND NOT form_as_stated THEN 'unknown' ELSE coalesce(stated_form, 'unknown') END AS form_reported,
  CASE WHEN form_is_stated THEN coalesce(offence.fixed_form, CASE WHEN offence.form_of_case THEN coalesce(of_form_offences, of_files) END, 'unknown')
    ELSE coalesce(of_case, 'unknown') END AS form,
  CASE WHEN subject = 'person' THEN coalesce(record_sex, 'unknown') END AS sex_reported,
  CASE WHEN person_id IS NOT NULL THEN coalesce(sex, 'unknown') END AS sex, citizenship,
  CASE WHEN person_id IS NOT NULL THEN coalesce(citizenship_group, 'unknown') END AS citizenship_group,
  CASE WHEN person_id IS NULL THEN NULL
    WHEN citizenship IS NULL OR citizenship = (SELECT unspecified_foreign FROM setting) THEN 'unknown'
    WHEN domestic THEN 'domestic'
    WHEN eu_from <= day AND (eu_to IS NULL OR eu_to >= day) THEN 'eu'
    ELSE 'other' END AS citizenship_region,
  CASE WHEN subject = 'person' THEN citizenship_group_of(record_citizenship) END AS citizenship_group_reported,
  CASE WHEN subject = 'person'
    THEN age_group_or(age_group_on(coalesce(record_birth_stated, record_birth_date), record_birth_year, date), record_age_class)
    END AS age_group_reported,
  CASE WHEN person_id IS NOT NULL THEN age_group_or(age_group_on(birth_date, birth_year, day), record_age_class) END AS age_group,
  age_on(birth_date, day) AS age,
  age_on(birth_date, offence_day) AS age_at_offence,
  stage, case_key, own_day, described.order_day AS own_order_day, giver_institution, giver_case_key, part, n
FROM described
JOIN offence_group AS reported ON reported.rank = described.reported
JOIN offence_group AS offence ON offence.rank = described.offence
LEFT JOIN dim_country ON dim_country.country = described.citizenship
