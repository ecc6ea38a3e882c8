-- `fact_reference`: each number that a file cites, and whether a file of that institution has it and belongs to the same case.
WITH cited AS (
  SELECT DISTINCT institution, record_key, case_key, kind, number FROM "references" ANTI JOIN cancelled_file USING (institution, case_key) WHERE status = 'accepted'
), bearer AS (
  SELECT DISTINCT institution, number, case_id FROM accepted_case WHERE number IS NOT NULL
)
SELECT
  cited.institution, record_key, case_key AS file_key, case_file.case_id, cited.kind AS cited,
  EXISTS (FROM bearer WHERE bearer.institution = number_kind.institution AND bearer.number = cited.number) AS found,
  EXISTS (
    FROM bearer
    WHERE bearer.institution = number_kind.institution AND bearer.number = cited.number AND bearer.case_id = case_file.case_id
  ) AS same_case
FROM cited LEFT JOIN case_file USING (institution, case_key) LEFT JOIN number_kind USING (kind)
