-- One row per institution and quarter from which something could be read.
-- complete: a delivery of it was complete. left_censored: the quarter before is not completely known, so this one does not show when an
-- event first occurred (the first delivery of an institution contains cases of earlier years).
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
