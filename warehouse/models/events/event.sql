-- One row per accepted event that took place, with the day on which it counts (`event_day`, from `warehouse.count.dates`).
SELECT
  n, institution, entity, record_key, case_key, case_id, person_id, stage, event, outcome, date, first_period,
  day, method, date_problem, CASE WHEN method = 'middle' THEN period_end(first_period) ELSE day END AS order_day
FROM dated_event JOIN event_day USING (place)
