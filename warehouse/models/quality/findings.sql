-- `findings`: one row per finding, with neutral names instead of undeclared names.
SELECT
  found.* REPLACE (
    coalesce(neutral_file.neutral, file) AS file, coalesce(neutral_part.neutral, part) AS part, coalesce(neutral_field.neutral, field) AS field
  )
FROM delivered_findings AS found
LEFT JOIN neutral_name AS neutral_file
  ON neutral_file.kind = 'file' AND neutral_file.name = file
  AND neutral_file.institution IS NOT DISTINCT FROM found.institution AND neutral_file.delivery IS NOT DISTINCT FROM found.delivery
LEFT JOIN neutral_name AS neutral_part
  ON neutral_part.kind = 'part' AND neutral_part.name = part
  AND neutral_part.institution IS NOT DISTINCT FROM found.institution AND neutral_part.delivery IS NOT DISTINCT FROM found.delivery
LEFT JOIN neutral_name AS neutral_field
  ON neutral_field.kind = 'field' AND neutral_field.name = field
  AND neutral_field.institution IS NOT DISTINCT FROM found.institution AND neutral_field.delivery IS NOT DISTINCT FROM found.delivery
