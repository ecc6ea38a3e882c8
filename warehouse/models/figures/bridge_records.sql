-- The record of every difference between as reported and harmonised, for quarters and years.
-- In a period every row as reported either represents a unit that counts there, or is removed with a cause; every unit without such a
-- row is added with a cause. So as_reported + Σ sign = harmonised by construction. Causes: causes.yaml.
WITH paired AS (
  SELECT
    rows.indicator, rows.institution, rows.record_key, rows.part, each, moved, rows.case_key, rows.case_id, rows.person_id, entity, own_date, own_day,
    coalesce(own_method IN ('exchanged', 'year', 'middle') AND own_day IS DISTINCT FROM own_date, false) AS corrected,
    rows.giver_institution, rows.giver_case_key, kind,
    unit.unit, unit.excluded, unit.giver_institution AS unit_giver_institution, unit.giver_case_key AS unit_giver_case_key,
    coalesce(unit.institution = rows.institution AND unit.record_key = rows.record_key AND unit.part = rows.part, false) AS gives,
    if(kind = 'quarter', quarter_of(own_date), year(own_date)::TEXT) AS row_period,
    if(kind = 'quarter', quarter_of(unit.day), year(unit.day)::TEXT) AS unit_period,
    coalesce(if(kind = 'quarter', counts_in_quarter, counts_in_year), false) AS counts,
    rows.day IS NOT NULL AS has_day
  FROM indicator_row AS rows
  LEFT JOIN unit
    ON unit.indicator = rows.indicator AND unit.case_id = rows.case_id AND unit.person_id IS NOT DISTINCT FROM rows.person_id
    AND unit.span = rows.span,
  (VALUES ('quarter'), ('year')) AS kinds(kind)
  WHERE rows.span = '' OR starts_with(rows.span, kind)
), representative AS (  -- the row that represents each counted unit in the unit's own period: the one with the day, else the first by key
  SELECT *
  FROM paired
  WHERE counts AND row_period = unit_period
  QUALIFY row_number() OVER (PARTITION BY kind, unit ORDER BY NOT gives, institution, record_key, part) = 1
), matched AS (
  SELECT
    paired.*, representative.institution AS representative_institution, representative.case_key AS representative_case_key,
    representative.unit IS NOT NULL AS has_representative,
    coalesce(
      representative.institution = paired.institution AND representative.record_key = paired.record_key AND representative.part = paired.part, false
    ) AND counts AND row_period = unit_period AS is_representative
  FROM paired LEFT JOIN (SELECT kind, unit, institution, record_key, part, case_key FROM representative) AS representative USING (kind, unit)
), step AS (
  SELECT *, -1 AS sign, row_period AS period FROM matched WHERE own_date IS NOT NULL AND NOT is_representative
  UNION ALL
  SELECT *, 1, unit_period FROM matched WHERE gives AND counts AND NOT has_representative
), compared AS (  -- removed for a record of the same period, or because the unit counts on another day
  SELECT
    *,
    sign = -1 AND each = 'event' AND unit IS NOT NULL AND NOT has_day AS further,  -- only the first event of a record has a day
    sign = -1 AND (unit IS NULL OR NOT has_day) AND NOT further AS nowhere,
    sign = -1 AND unit_period = row_period AND counts AS again,
    CASE WHEN again THEN representative_institution WHEN sign = -1 THEN unit_giver_institution ELSE giver_institution END AS other_institution,
    CASE WHEN again THEN representative_case_key WHEN sign = -1 THEN unit_giver_case_key ELSE giver_case_key END AS other_case_key
  FROM step
), merged AS (
  SELECT DISTINCT institution, case_key FROM accepted_case WHERE merged
), renumbered AS (  -- records of one file: the later one names the earlier number, or has the same number under another key
  SELECT DISTINCT one.institution, one.case_key, other.case_key AS file
  FROM accepted_case AS one JOIN accepted_case AS other
    ON other.institution = one.institution AND other.case_id = one.case_id AND other.case_key <> one.case_key
    AND (
      one.former_number = other.number OR other.former_number = one.number
      OR one.number = other.number AND one.seat IS NOT DISTINCT FROM other.seat
    )
), separated AS (
  SELECT DISTINCT institution, case_key FROM event WHERE event = 'separated'
)
SELECT
  indicator, period, compared.institution, record_key, sign, case_id,
  CASE
    WHEN nowhere AND entity = 'person' AND person_id IS NULL THEN 'unknown_person'
    WHEN nowhere AND corrected THEN 'date_corrected'
    WHEN nowhere THEN 'later_judgment'
    WHEN sign = -1 AND excluded IS NOT NULL THEN excluded
    WHEN further THEN 'shelter_changed'
    WHEN sign = -1 AND unit_period = row_period AND NOT counts THEN 'same_person'
    WHEN moved THEN 'date_corrected'
    WHEN NOT again AND own_date IS NULL AND own_day IS NULL THEN 'quarantined_record'
    WHEN NOT again AND own_date IS NULL THEN 'missing_date_found'
    WHEN NOT again AND corrected THEN 'date_corrected'
    WHEN NOT again AND compared.institution = other_institution AND compared.case_key = other_case_key THEN 'later_judgment'
    WHEN compared.institution IS DISTINCT FROM other_institution THEN 'other_institution'
    WHEN compared.case_key = other_case_key THEN 'same_person'
    WHEN stage = 'corrections' THEN 'transferred'
    WHEN renumbered.case_key IS NOT NULL THEN 'renumbered'
    WHEN merged.case_key IS NOT NULL OR other_merged.case_key IS NOT NULL THEN 'merged'
    WHEN separated.case_key IS NOT NULL OR other_separated.case_key IS NOT NULL THEN 'separated'
    ELSE 'registered_twice'
  END AS cause
FROM compared
JOIN institution ON institution.institution = compared.institution
LEFT JOIN renumbered
  ON renumbered.institution = compared.institution AND renumbered.case_key = compared.case_key
  AND renumbered.file = compared.other_case_key
LEFT JOIN merged ON merged.institution = compared.institution AND merged.case_key = compared.case_key
LEFT JOIN merged AS other_merged ON other_merged.institution = other_institution AND other_merged.case_key = other_case_key
LEFT JOIN separated ON separated.institution = compared.institution AND separated.case_key = compared.case_key
LEFT JOIN separated AS other_separated ON other_separated.institution = other_institution AND other_separated.case_key = other_case_key
WHERE period IN (SELECT period FROM published_period)
