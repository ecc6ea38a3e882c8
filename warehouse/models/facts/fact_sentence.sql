-- `fact_sentence`: sentences of accepted judgments; only convictions have one.
WITH person AS (
  SELECT institution, record_key, case_id, person_id FROM accepted_person
  QUALIFY row_number() OVER (PARTITION BY institution, record_key ORDER BY n) = 1
), judgment AS (
  SELECT institution, record_key, max(day) FILTER (event = 'judged') AS judged, max(day) FILTER (event = 'final') AS final
  FROM fact_event WHERE subject = 'person' AND scope = 'own' AND event IN ('judged', 'final') GROUP BY ALL
)
SELECT
  institution, record_key, sentences.case_key AS file_key, person.case_id, person.person_id, sentences.kind, months, euros, judged, final,
  offence_group
FROM sentences JOIN person USING (institution, record_key)
LEFT JOIN judgment USING (institution, record_key)
LEFT JOIN principal_offence AS own
  ON own.case_id = person.case_id AND own.person_id = person.person_id AND own.stage = 'courts' AND own.admission = ''
LEFT JOIN principal_offence AS whole
  ON whole.case_id = person.case_id AND whole.person_id IS NULL AND whole.stage = 'courts' AND whole.admission = ''
JOIN offence_group ON offence_group.rank = coalesce(own.offence, whole.offence, rank_of('other'))
WHERE status = 'accepted'
