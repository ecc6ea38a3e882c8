-- One row per decision of the prosecution on a whole file and party that it covers: the parties in the file at the end of the quarter of
-- the decision (or of the first delivery that contains it, if later), unless separated from the file by then.
-- Source: docs/reference/deliveries.md, "A decision without `pala_id` speaks of the parties in the file at the end of the quarter in which it was taken".
WITH decision AS (
  SELECT *, greatest(coalesce(quarter_end(quarter_of(day)), period_end(first_period)), period_end(first_period)) AS until
  FROM event
  WHERE entity = 'case' AND event IN ('investigation_opened', 'dismissed', 'indicted', 'terminated')
), party AS (
  SELECT DISTINCT institution, record_key, case_key FROM person_state
), last_state AS (
  SELECT decision.n, state.record_key, arg_max(state.case_key, (period_end(state.period), state.delivery)) AS case_key
  FROM decision
  JOIN party USING (institution, case_key)
  JOIN person_state AS state ON state.institution = decision.institution AND state.record_key = party.record_key AND period_end(state.period) <= until
  GROUP BY ALL
), separated AS (
  SELECT institution, record_key, min(day) AS day FROM event WHERE event = 'separated' GROUP BY ALL
)
SELECT decision.* EXCLUDE (record_key, person_id, until), last_state.record_key
FROM decision
JOIN last_state ON last_state.n = decision.n AND last_state.case_key = decision.case_key
LEFT JOIN separated ON separated.institution = decision.institution AND separated.record_key = last_state.record_key
WHERE separated.day IS NULL OR decision.day IS NULL OR separated.day > decision.day
