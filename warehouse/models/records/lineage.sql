-- `lineage`: every delivered record, with its linked case and person.
-- A person's case is that of its file: by its record, else (a quarantined row with a readable key) by its key. A state whose key denotes
-- another person in another delivery has the person of that state; a state of no natural person has none.
WITH parent AS (
  SELECT institution, record_key, arg_min(case_key, (status <> 'accepted', n)) AS case_key FROM keyed_person_records GROUP BY ALL
), nobody AS (
  SELECT DISTINCT institution, delivery, record_key FROM keyed_person_records WHERE kind IN ('legal', 'unknown')
), named AS (
  SELECT institution, record_key, arg_max(person_id, n) AS person_id FROM person_ids GROUP BY ALL
), listed AS (
  SELECT institution, delivery, record_key, any_value(person_id) AS person_id FROM listed_ids GROUP BY ALL
), located AS (
  SELECT
    records.*,
    CASE
      WHEN entity = 'case' THEN record_key
      WHEN parent.case_key IS NOT NULL THEN parent.case_key
      WHEN person_key_extends_case_key THEN regexp_replace(record_key, '/[^/]*$', '')
      ELSE record_key
    END AS case_key
  FROM delivered_records AS records JOIN institution USING (institution) LEFT JOIN parent USING (institution, record_key)
)
SELECT
  located.institution, entity, located.record_key, case_id,
  CASE
    WHEN entity = 'case' OR nobody.record_key IS NOT NULL THEN NULL
    WHEN (located.institution, located.record_key) IN (SELECT (institution, record_key) FROM listed) THEN listed.person_id
    ELSE named.person_id
  END AS person_id,
  located.delivery, coalesce(neutral_file.neutral, file) AS file, coalesce(neutral_part.neutral, part) AS part, line, status
FROM located
LEFT JOIN linked_case ON linked_case.institution = located.institution AND linked_case.record_key = located.case_key
LEFT JOIN named ON named.institution = located.institution AND named.record_key = located.record_key
LEFT JOIN listed
  ON listed.institution = located.institution AND listed.delivery = located.delivery AND listed.record_key = located.record_key
LEFT JOIN nobody
  ON nobody.institution = located.institution AND nobody.delivery = located.delivery AND nobody.record_key = located.record_key
LEFT JOIN neutral_name AS neutral_file
  ON neutral_file.kind = 'file' AND neutral_file.name = file
  AND neutral_file.institution IS NOT DISTINCT FROM located.institution AND neutral_file.delivery IS NOT DISTINCT FROM located.delivery
LEFT JOIN neutral_name AS neutral_part
  ON neutral_part.kind = 'part' AND neutral_part.name = part
  AND neutral_part.institution IS NOT DISTINCT FROM located.institution AND neutral_part.delivery IS NOT DISTINCT FROM located.delivery
