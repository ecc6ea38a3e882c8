-- Steps on persons (`shared_persons` of a contract): persons with a role whom both sides should know, per case. Found on both sides is
-- matched. The day is that of the case's report, else of the first referral, upstream, else downstream.
WITH known AS (
  SELECT DISTINCT step, side, case_id, person_id
  FROM person_step JOIN party USING (institution, role)
  WHERE person_id IS NOT NULL
), dated AS (
  SELECT step, side, case_id, person_id, arg_min(day, (event <> 'reported', order_day, day)) AS day
  FROM person_step JOIN fact_event USING (institution, role)
  WHERE subject = 'person' AND event IN ('reported', 'referred') AND day IS NOT NULL AND person_id IS NOT NULL
  GROUP BY ALL
), pair AS (
  SELECT
    step, case_id, person_id, bool_or(side = 'upstream') AS up, bool_or(side = 'downstream') AS down,
    coalesce(any_value(day) FILTER (side = 'upstream'), any_value(day) FILTER (side = 'downstream')) AS day
  FROM known LEFT JOIN dated USING (step, side, case_id, person_id)
  GROUP BY ALL
), side AS (  -- names of the sides, and the days that their deliveries cover
  SELECT
    step, string_agg(cited_as, ' or ' ORDER BY position) FILTER (side = 'upstream') AS up_name,
    string_agg(cited_as, ' or ' ORDER BY position) FILTER (side = 'downstream') AS down_name,
    min(first_day) FILTER (side = 'upstream') AS first_day, max(last_day) FILTER (side = 'downstream') AS last_day
  FROM person_step JOIN institution USING (institution)
  LEFT JOIN (SELECT institution, min(first_day) AS first_day, max(last_day) AS last_day FROM delivered_period GROUP BY ALL) USING (institution)
  GROUP BY ALL
)
SELECT
  step, quarter_of(day) AS period, case_id, person_id,
  CASE WHEN up AND down THEN 'matched' WHEN up THEN 'missing_downstream' ELSE 'missing_upstream' END AS outcome,
  NULL::TEXT AS differs,
  CASE
    WHEN NOT up AND day < first_day THEN 'before the first ' || up_name || ' delivery'
    WHEN NOT up THEN 'no ' || up_name || ' record of it in any delivery'
    WHEN NOT down AND day > last_day - (SELECT days_on_the_way::INT FROM setting) THEN 'may have arrived after the last ' || down_name || ' delivery'
    WHEN NOT down THEN 'no ' || down_name || ' record of it in any delivery'
  END AS detail
FROM pair JOIN side USING (step)
