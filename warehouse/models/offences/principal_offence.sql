-- The principal offence (rank) of every case at every stage, and of every person charged there: person_id is null for the case.
-- A case without a charge at the stage has that of the nearest other stage, else none.
-- admission: '' for all; in the register of prisoners a row without a charge of the sentence does not count for it, so there the
-- offence is also given by kind of admission (detained, imprisoned).
WITH admitted AS (
  SELECT DISTINCT institution, record_key, event AS admission FROM event WHERE event IN ('detained', 'imprisoned')
), counted AS (
  SELECT case_id, person_id, stage, offence, '' AS admission FROM charge
  UNION ALL
  SELECT charge.case_id, charge.person_id, 'corrections', offence, admission
  FROM charge JOIN admitted USING (institution, record_key) WHERE stage = 'corrections'
), of_stage AS (
  SELECT case_id, stage, admission, min(offence) AS offence FROM counted GROUP BY ALL
), asked AS (  -- each stage, and the stages from which its offence may be taken
  SELECT stage, other, distance, '' AS admission, '' AS told_by FROM stage_distance
  UNION ALL
  SELECT stage, other, distance, admission, CASE WHEN other = 'corrections' THEN admission ELSE '' END
  FROM stage_distance, (VALUES ('detained'), ('imprisoned')) AS kinds(admission) WHERE stage = 'corrections'
)
SELECT of_stage.case_id, NULL AS person_id, asked.stage, asked.admission, arg_min(offence, distance) AS offence
FROM of_stage JOIN asked ON asked.other = of_stage.stage AND asked.told_by = of_stage.admission
GROUP BY ALL
UNION ALL
SELECT case_id, person_id, stage, admission, min(offence) FROM counted WHERE person_id IS NOT NULL GROUP BY ALL
