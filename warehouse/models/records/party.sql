-- One row per accepted person record key that is not a legal person: the persons in a file, and since which quarter.
WITH first_state AS (
  SELECT institution, record_key, min(period) AS first_period FROM person_state GROUP BY ALL
)
SELECT persons.* EXCLUDE (period), coalesce(first_period, period) AS first_period
FROM accepted_person AS persons LEFT JOIN first_state USING (institution, record_key)
WHERE kind IS NULL OR kind <> 'legal'
QUALIFY row_number() OVER (PARTITION BY institution, record_key ORDER BY n) = 1
