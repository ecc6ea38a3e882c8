-- One row per case, or person in a case, in an indicator's harmonised count, described by the record with the counting day.
-- excluded: why it does not count. A person counts once per period: under the most serious offence, then the earliest.
-- span: the period for which it counts alone (`indicator_row`); part: the row of the record that gives the day.
WITH first AS (
  SELECT rows.*, indicator.once, indicator.unless, offence_group.rank AS offence
  FROM indicator_row AS rows JOIN indicator USING (indicator) JOIN offence_group USING (offence_group)
  WHERE day IS NOT NULL
  QUALIFY row_number() OVER (
    PARTITION BY indicator, case_id, person_id, span
    ORDER BY CASE keep WHEN 'latest' THEN -epoch(order_day) ELSE epoch(order_day) END, institution, record_key, part
  ) = 1
), judged AS (
  SELECT
    first.*,
    CASE
      WHEN unless = 'indicted' AND case_id IN (SELECT case_id FROM event WHERE event = 'indicted') THEN 'indicted_elsewhere'
      WHEN unless = 'convicted' AND (case_id, person_id) IN (SELECT (case_id, person_id) FROM first WHERE indicator = 'persons_convicted')
        THEN 'convicted_elsewhere'
      WHEN unless = 'not_confirmed' AND (case_id, person_id) IN (SELECT (case_id, person_id) FROM not_confirmed) THEN 'not_confirmed'
    END AS excluded
  FROM first
), once_ever AS (
  SELECT * REPLACE (
    CASE
      WHEN excluded IS NULL AND once = 'ever' AND row_number() OVER (
        PARTITION BY indicator, person_id, excluded IS NULL ORDER BY day, offence, case_id
      ) > 1 THEN 'counted_before'
      ELSE excluded
    END AS excluded)
  FROM judged
)
SELECT
  indicator, case_id, person_id, span, part, day, method, institution, record_key, giver_institution, giver_case_key,
  offence_group, form, sex, age_group, citizenship_group, excluded,
  excluded IS NULL AND NOT starts_with(span, 'year') AND (once IS NULL OR row_number() OVER (
    PARTITION BY indicator, person_id, excluded IS NULL, quarter_of(day), starts_with(span, 'year') ORDER BY offence, day, case_id
  ) = 1) AS counts_in_quarter,
  excluded IS NULL AND NOT starts_with(span, 'quarter') AND (once IS NULL OR row_number() OVER (
    PARTITION BY indicator, person_id, excluded IS NULL, year(day), starts_with(span, 'quarter') ORDER BY offence, day, case_id
  ) = 1) AS counts_in_year,
  row_number() OVER (ORDER BY indicator, case_id, person_id, span) AS unit
FROM once_ever
