-- One row per record of a natural person: its linked person, else a separate person. Legal and unknown persons have none. A file of one
-- person that is known only through its events is of a natural person too.
WITH named AS (
  SELECT institution, record_key, arg_max(person_id, n) AS person_id FROM person_ids GROUP BY ALL
), natural_person AS (
  SELECT DISTINCT institution, record_key FROM person_records
  WHERE status = 'accepted' AND (kind IS NULL OR kind NOT IN ('legal', 'unknown'))
  UNION SELECT institution, record_key FROM implied_person
), found AS (
  SELECT institution, record_key, person_id FROM natural_person LEFT JOIN named USING (institution, record_key)
)
SELECT
  institution, record_key,
  coalesce(person_id, 'unlinked-' || count_if(person_id IS NULL) OVER (ORDER BY institution, record_key) - 1) AS person_id
FROM found
