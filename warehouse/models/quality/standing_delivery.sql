-- The delivery that counts for each institution and quarter, for the last delivered quarters: the last readable version, else the last.
WITH shown AS (
  SELECT DISTINCT period FROM deliveries ORDER BY period DESC LIMIT (SELECT quality_quarters FROM setting)
)
SELECT institution, period, delivery, state
FROM deliveries SEMI JOIN shown USING (period)
QUALIFY row_number() OVER (PARTITION BY institution, period ORDER BY state <> 'unreadable' DESC, version DESC, n DESC) = 1
