-- `statistics`: figures as reported and harmonised by indicator, period and dimension.
-- Totals and one-way tables have a row per declared value, including zeros; in crossed tables an absent row is 0. A figure is null if nothing
-- could be read from its institutions, incomplete if one of their deliveries is missing, unreadable or partial, and preliminary until the
-- heads of its institutions have signed what they delivered.
WITH figure AS (
  SELECT
    indicator, unnest(if(span = '', [quarter_of(own_date), year(own_date)::TEXT], [split_part(span, ' ', 2)])) AS period, offence_group_reported AS offence_group, form_reported AS form,
    sex_reported AS sex, age_group_reported AS age_group, citizenship_group_reported AS citizenship_group, 1 AS as_reported, 0 AS harmonised
  FROM indicator_row WHERE own_date IS NOT NULL
  UNION ALL
  SELECT indicator, quarter_of(day), offence_group, form, sex, age_group, citizenship_group, 0, 1 FROM unit WHERE counts_in_quarter
  UNION ALL
  SELECT indicator, year(day)::TEXT, offence_group, form, sex, age_group, citizenship_group, 0, 1 FROM unit WHERE counts_in_year
), summed AS (
  SELECT
    indicator, period,
    if(grouping(offence_group) = 1, 'total', offence_group) AS offence_group,
    if(grouping(form) = 1, 'total', form) AS form,
    if(grouping(sex) = 1, 'total', sex) AS sex,
    if(grouping(age_group) = 1, 'total', age_group) AS age_group,
    if(grouping(citizenship_group) = 1, 'total', citizenship_group) AS citizenship_group,
    sum(as_reported) AS as_reported, sum(harmonised) AS harmonised
  FROM figure SEMI JOIN published_period USING (period)
  GROUP BY GROUPING SETS (
    (indicator, period),
    (indicator, period, offence_group), (indicator, period, form), (indicator, period, sex), (indicator, period, age_group),
    (indicator, period, citizenship_group),
    (indicator, period, offence_group, form), (indicator, period, offence_group, sex), (indicator, period, offence_group, age_group),
    (indicator, period, offence_group, citizenship_group),
    (indicator, period, offence_group, sex, age_group), (indicator, period, form, sex, age_group)
  )
), declared AS (  -- every row that must exist
  SELECT
    indicator, period, 0 AS as_reported, 0 AS harmonised,
    if(dimension = 'offence_group', value, 'total') AS offence_group,
    if(dimension = 'form', value, 'total') AS form,
    if(dimension = 'sex', value, 'total') AS sex,
    if(dimension = 'age_group', value, 'total') AS age_group,
    if(dimension = 'citizenship_group', value, 'total') AS citizenship_group
  FROM indicator JOIN dimension_value ON dimension = 'total' OR list_contains(dimensions, dimension), published_period
), cell AS (
  SELECT
    indicator, period, offence_group, form, sex, age_group, citizenship_group,
    sum(as_reported)::BIGINT AS as_reported, sum(harmonised)::BIGINT AS harmonised
  FROM (SELECT * FROM summed UNION ALL BY NAME SELECT * FROM declared)
  WHERE offence_group IS NOT NULL AND form IS NOT NULL AND sex IS NOT NULL AND age_group IS NOT NULL AND citizenship_group IS NOT NULL
  GROUP BY ALL
)
SELECT
  cell.* REPLACE (if(silent, NULL, as_reported) AS as_reported, if(silent, NULL, harmonised) AS harmonised),
  CASE WHEN 'total' = ALL (SELECT unnest([offence_group, form, sex, age_group, citizenship_group])) THEN quarantined END AS quarantined,
  missing IS NOT NULL AS incomplete, missing, preliminary
FROM cell JOIN gap USING (indicator, period) JOIN quarantined_rows USING (indicator, period)
ORDER BY ALL
