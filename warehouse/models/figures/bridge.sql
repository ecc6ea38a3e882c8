-- `bridge`: number of records by institution and cause between a figure as reported and harmonised.
SELECT records.indicator, records.period, records.institution, cause, sum(sign)::BIGINT AS n
FROM bridge_records AS records JOIN statistics USING (indicator, period)
WHERE offence_group = 'total' AND form = 'total' AND sex = 'total' AND age_group = 'total' AND citizenship_group = 'total'
  AND as_reported IS NOT NULL
GROUP BY ALL
HAVING sum(sign) <> 0
ORDER BY ALL
