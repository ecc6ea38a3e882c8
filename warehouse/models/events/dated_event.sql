-- One row per accepted event that took place, with the inputs of date imputation (`warehouse.count.dates`).
-- record, file, person, case: the number of the event's group in each scope; person is null if the event belongs to none.
WITH files AS (
  SELECT
    institution, case_key, bool_or(merged) AS merged,
    arg_max(try_cast(nullif(regexp_extract(number, '(?:^|/)((?:19|20)\d\d)(?:-|$)', 1), '') AS INT), n) AS number_year
  FROM accepted_case GROUP BY ALL
), described AS (
  SELECT
    events.*, case_file.case_id, stage,
    CASE WHEN entity = 'person' THEN person_id END AS person_id,
    coalesce(first_delivered.left_censored, false) AS left_censored,
    coalesce(date_delivered.complete, false) AS covered,
    coalesce(files.merged, false) AS merged,
    begun.begins, files.number_year
  FROM event_state AS events
  JOIN case_file USING (institution, case_key)
  JOIN institution USING (institution)
  LEFT JOIN linked_person USING (institution, record_key)
  LEFT JOIN (SELECT DISTINCT institution, begins FROM delivered_period) AS begun USING (institution)
  LEFT JOIN files USING (institution, case_key)
  LEFT JOIN delivered_period AS first_delivered
    ON first_delivered.institution = events.institution AND first_delivered.period = first_same_period
  LEFT JOIN delivered_period AS date_delivered
    ON date_delivered.institution = events.institution AND events.date BETWEEN date_delivered.first_day AND date_delivered.last_day
)
SELECT
  *,
  row_number() OVER (ORDER BY n) - 1 AS place,
  min(n) OVER (PARTITION BY institution, record_key) AS record_group,
  min(n) OVER (PARTITION BY institution, case_key) AS file_group,
  CASE WHEN person_id IS NOT NULL THEN min(n) OVER (PARTITION BY case_id, person_id) END AS person_group,
  min(n) OVER (PARTITION BY case_id) AS case_group
FROM described
