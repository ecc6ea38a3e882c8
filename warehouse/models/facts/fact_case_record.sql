-- `fact_case_record`: a file of an institution by its accepted record, with the first day that opened it and the last that ended it.
-- A court's file ends with the first judgment of its last defendant.
WITH opening AS (
  SELECT institution, case_key, min(day) AS opened, min(date_reported) AS opened_reported
  FROM fact_event
  WHERE subject = 'case' AND (event = 'reported' AND stage = 'registration' OR event = 'received' AND stage IN ('prosecution', 'courts'))
  GROUP BY ALL
), decided AS (
  SELECT institution, case_key, max(day) AS resolved, max(date_reported) AS resolved_reported
  FROM fact_event
  WHERE subject = 'case'
    AND (event = 'sent' AND stage = 'registration' OR event IN ('dismissed', 'indicted', 'terminated') AND stage = 'prosecution')
  GROUP BY ALL
), defendant AS (
  SELECT
    institution, case_key, record_key,
    min(day) FILTER (event IN ('judged', 'judged_before')) AS resolved,
    min(date_reported) FILTER (event IN ('judged', 'judged_before')) AS resolved_reported
  FROM fact_event WHERE subject = 'person' AND stage = 'courts' GROUP BY ALL
), judged AS (
  SELECT
    institution, case_key,
    if(count(resolved) = count(*), max(resolved), NULL) AS resolved,
    if(count(resolved_reported) = count(*), max(resolved_reported), NULL) AS resolved_reported
  FROM defendant GROUP BY ALL
)
SELECT
  cases.institution, cases.record_key, cases.case_key AS file_key, cases.case_id, seat, municipality, state, source AS sender, merged,
  coalesce(law, '?') || ':' || article AS offence_reported,
  offence_group.offence_group AS offence_group_reported,
  if(offence_group.without_form, 'unknown', coalesce(file_offence.form, 'unknown')) AS form_reported,
  opened_reported, opened,
  coalesce(decided.resolved_reported, judged.resolved_reported) AS resolved_reported,
  coalesce(decided.resolved, judged.resolved) AS resolved,
  law, article, cases.stage, cases.position
FROM accepted_case AS cases
LEFT JOIN file_offence USING (institution, case_key)
JOIN offence_group ON offence_group.rank = coalesce(file_offence.offence, rank_of('other'))
LEFT JOIN opening USING (institution, case_key)
LEFT JOIN decided USING (institution, case_key)
LEFT JOIN judged USING (institution, case_key)
