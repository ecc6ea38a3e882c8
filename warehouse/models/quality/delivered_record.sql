-- The records of the deliveries that count, each with its weight: 1, and 1 more for each figure in which it counts as reported.
-- record: a record key, unique in its institution (its tables may number their rows alike). unit: station, seat or facility; empty: none;
-- a rare name may be a person's and becomes `other`.
WITH named AS (
  SELECT
    records.institution, records.delivery, entity, record_key, records.unit, records.n, "table",
    coalesce("table" || chr(31) || record_key, record_key) AS record
  FROM delivered_records AS records LEFT JOIN record_table USING (institution, part)
), held AS (
  SELECT named.*, period FROM named JOIN scored_delivery USING (institution, delivery)
), moved AS (
  SELECT institution, record_key, entity, count(DISTINCT indicator) AS figures
  FROM indicator_row WHERE own_date IS NOT NULL GROUP BY ALL
), figures AS (
  SELECT moved.institution, coalesce("table" || chr(31) || record_key, record_key) AS record, sum(figures)::BIGINT AS figures
  FROM moved JOIN (SELECT DISTINCT institution, entity, "table" FROM held) AS tables USING (institution, entity)
  GROUP BY ALL
), of_unit AS (
  SELECT institution, record, arg_max(unit, n) AS unit FROM named WHERE unit IS NOT NULL GROUP BY ALL
), weighed AS (
  SELECT institution, record, delivery, period, 1 + coalesce(any_value(figures), 0) AS weight, coalesce(any_value(of_unit.unit), '') AS unit
  FROM held LEFT JOIN figures USING (institution, record) LEFT JOIN of_unit USING (institution, record)
  GROUP BY ALL
), recurring AS (
  SELECT institution, unit FROM weighed GROUP BY ALL
  HAVING count(DISTINCT record) >= (SELECT unit_records FROM setting) AND count(DISTINCT delivery) >= (SELECT unit_deliveries FROM setting)
)
SELECT weighed.* REPLACE (if(weighed.unit = '' OR recurring.unit IS NOT NULL, weighed.unit, (SELECT other_units FROM setting)) AS unit)
FROM weighed LEFT JOIN recurring USING (institution, unit)
