-- Faults of whole files and deliveries that lose rows or values, by institution, quarter and dimension.
SELECT institution, period, dimension, count(*) AS whole
FROM open_finding
WHERE whole AND severity IN ('reject', 'error') AND origin = 'cause'
GROUP BY ALL
