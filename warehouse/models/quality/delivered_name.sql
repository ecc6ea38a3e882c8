-- Every delivered name of a file, sheet or column, for `warehouse.count.neutral_names`.
WITH every AS (
  SELECT institution, delivery, unnest(['file', 'part']) AS kind, unnest([file, part]) AS name FROM delivered_records
  UNION
  SELECT institution, delivery, unnest(['file', 'part', 'field']), unnest([file, part, field]) FROM delivered_findings
)
SELECT DISTINCT institution, delivery, kind, name FROM every WHERE name IS NOT NULL
