-- One row per accepted case record that counts, with its case.
SELECT
  records.*, case_id, stage, position,
  coalesce(state = 'merged', false) OR merged_into IS NOT NULL AS merged
FROM case_records AS records JOIN case_file USING (institution, case_key) JOIN institution USING (institution)
WHERE status = 'accepted' AND state IS DISTINCT FROM 'cancelled'
