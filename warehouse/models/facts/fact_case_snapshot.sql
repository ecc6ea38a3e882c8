-- `fact_case_snapshot`: the state of a case at the end of each published quarter, from its first day to the quarter in which it was closed.
-- A case that the police closed (they deliver no day for this) has none.
WITH grid AS (
  SELECT case_id, period AS quarter, last_day, fact_case.first_day, received_prosecution, received_court, if(closed <= last_day, closed, NULL) AS stopped
  FROM fact_case JOIN dim_period
    ON kind = 'quarter' AND published AND fact_case.first_day <= last_day
    AND (closed IS NULL OR last_day <= quarter_end(quarter_of(closed)))
  WHERE open OR closed IS NOT NULL
)
SELECT
  case_id, quarter,
  CASE
    WHEN received_court <= last_day THEN 'courts' WHEN received_prosecution <= last_day THEN 'prosecution' ELSE 'registration'
  END AS stage,
  stopped IS NULL AS open,
  greatest(coalesce(stopped, last_day) - first_day, 0) AS days_open
FROM grid
