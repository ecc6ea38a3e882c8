-- One row per institution and delivered period (quarter, month, …) from which something could be read.
-- complete: a delivery of it was complete. left_censored: the period before is not completely known, so this one does not show when an
-- event first occurred (the first delivery of an institution contains cases of earlier years).
WITH periods AS (
  SELECT institution, period, bool_or(state = 'complete') AS complete, bool_or(state <> 'unreadable') AS readable
  FROM deliveries GROUP BY ALL
)
SELECT
  here.institution, here.period, here.complete,
  period_start(here.period) AS first_day, period_end(here.period) AS last_day,
  min(period_start(here.period)) OVER (PARTITION BY here.institution) AS begins,
  NOT coalesce(earlier.complete, false) AS left_censored
FROM periods AS here LEFT JOIN periods AS earlier
  ON earlier.institution = here.institution AND period_end(earlier.period) = period_start(here.period) - 1
WHERE here.readable
