-- Records and their weight, all and faulty, by institution, unit (empty: the institution as a whole), quarter and dimension; and faults of
-- whole files and deliveries that lose rows or values. Scores: `warehouse.count.quality`.
WITH record AS (
  SELECT institution, '' AS unit, period, delivery, record, weight FROM delivered_record
  UNION ALL
  SELECT institution, unit, period, delivery, record, weight FROM delivered_record WHERE unit <> ''
), every AS (
  SELECT institution, unit, period, count(*) AS records, sum(weight)::BIGINT AS weight FROM record GROUP BY ALL
), faulty AS (
  SELECT institution, unit, period, dimension, count(*) AS faulty, sum(weight)::BIGINT AS weight_faulty
  FROM record JOIN fault USING (institution, delivery, record) GROUP BY ALL
)
SELECT
  every.institution, every.unit, every.period, quality_dimension.dimension, records, weight,
  coalesce(faulty, 0) AS faulty, coalesce(weight_faulty, 0) AS weight_faulty
FROM every CROSS JOIN quality_dimension LEFT JOIN faulty USING (institution, unit, period, dimension)
