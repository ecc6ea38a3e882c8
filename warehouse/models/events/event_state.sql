-- One row per accepted event that took place and counts, with the periods of its first deliveries.
-- first_period: of the first delivery with this event of the record, whatever its date; of several the first, the second …, or the same `entry`
-- first_same_period: of the first delivery with exactly this date, which cannot be after the end of that period.
WITH held AS (
  SELECT
    *,
    coalesce(entry, (row_number() OVER (PARTITION BY institution, entity, record_key, event, outcome, entry, delivery ORDER BY n))::TEXT) AS nth,
    CASE WHEN entry IS NULL THEN outcome END AS kind
  FROM events
  WHERE (coalesce(present, false) OR date IS NOT NULL) AND status <> 'quarantined'
), shown AS (
  SELECT
    *,
    min(period) OVER (PARTITION BY institution, entity, record_key, event, kind, nth) AS first_period,
    min(period) OVER (PARTITION BY institution, entity, record_key, event, kind, entry, date) AS first_same_period
  FROM held
)
SELECT * EXCLUDE (nth, kind, status) FROM shown ANTI JOIN cancelled_file USING (institution, case_key) WHERE status = 'accepted'
