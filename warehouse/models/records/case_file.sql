-- One row per file (case record key) with an accepted record: its case.
-- Linkage assigns cases to records: a file belongs to the case of its key, else to that of the first record in it that has one, else it is a
-- separate case.
WITH known AS (
  SELECT institution, case_key, record_key, 1 AS kind, n FROM case_records WHERE status = 'accepted'
  UNION ALL SELECT institution, case_key, record_key, 2, n FROM person_records WHERE status = 'accepted'
  UNION ALL SELECT institution, case_key, record_key, 3, n FROM charges WHERE status = 'accepted'
  UNION ALL SELECT institution, case_key, record_key, 4, n FROM event_state
), linked AS (
  SELECT
    known.institution, known.case_key,
    coalesce(any_value(by_file.case_id), arg_min(by_record.case_id, (kind, n))) AS case_id
  FROM known
  LEFT JOIN linked_case AS by_file ON by_file.institution = known.institution AND by_file.record_key = known.case_key
  LEFT JOIN linked_case AS by_record ON by_record.institution = known.institution AND by_record.record_key = known.record_key
  GROUP BY ALL
)
SELECT
  institution, case_key,
  coalesce(case_id, 'unlinked-' || count_if(case_id IS NULL) OVER (ORDER BY institution, case_key) - 1) AS case_id
FROM linked
