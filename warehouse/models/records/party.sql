-- One row per accepted person record key that is not a legal person: the persons in a file, and since which period. A file of one person that
-- is known only through its events has its victim as party.
WITH first_state AS (
  SELECT institution, record_key, arg_min(period, period_end(period)) AS first_period FROM person_state GROUP BY ALL
)
SELECT persons.* EXCLUDE (period), coalesce(first_period, period) AS first_period
FROM accepted_person AS persons LEFT JOIN first_state USING (institution, record_key)
WHERE kind IS NULL OR kind <> 'legal'
QUALIFY row_number() OVER (PARTITION BY institution, record_key ORDER BY n) = 1
UNION ALL BY NAME
SELECT implied.*, case_id, person_id, 'victim' AS role, position
FROM implied_person AS implied JOIN case_file USING (institution, case_key) JOIN institution USING (institution)
LEFT JOIN linked_person USING (institution, record_key)
