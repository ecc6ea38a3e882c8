-- One row per institution and quarter of which something could be read.
-- complete: a delivery of it was whole. left_censored: the quarter before is not known whole, so that this one does not tell when a thing
-- first happened (the first delivery of an institution shows cases of earlier years).
WITH quarters AS (
  SELECT institution, period, bool_or(state = 'complete') AS complete, bool_or(state <> 'unreadable') AS readable
  FROM deliveries GROUP BY ALL
)
SELECT
  here.institution, here.period, here.complete,
  min(quarter_start(here.period)) OVER (PARTITION BY here.institution) AS begins,
  NOT coalesce(earlier.complete, false) AS left_censored
FROM quarters AS here LEFT JOIN quarters AS earlier
  ON earlier.institution = here.institution AND earlier.period = quarter_of(quarter_start(here.period) - INTERVAL 1 DAY)
WHERE here.readable
