-- The delivery that is scored for each institution and delivered period, for the last delivered quarters: the last readable version, else the
-- last. A period belongs to the quarter of its last day: a quarter of an institution that delivers monthly has three such deliveries.
WITH dated AS (
  SELECT *, quarter_of(period_end(period)) AS quarter FROM deliveries
), shown AS (
  SELECT DISTINCT quarter FROM dated ORDER BY quarter DESC LIMIT (SELECT quality_quarters FROM setting)
)
SELECT institution, quarter AS period, delivery, state
FROM dated SEMI JOIN shown USING (quarter)
QUALIFY row_number() OVER (PARTITION BY dated.institution, dated.period ORDER BY state <> 'unreadable' DESC, version DESC, n DESC) = 1
