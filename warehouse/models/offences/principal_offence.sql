-- The principal offence (rank) of every case at every stage, and of every person charged there: person_id is null for the case.
-- A case without a charge at the stage has that of the nearest other stage, else none.
-- A person charged at a stage that is not nearest to itself has the offence of the case at a nearer one, if there is one.
-- admission: '' for all; in the register of prisoners a row without a charge of the sentence does not count for it, so there the
-- offence is also given by kind of admission (detained, imprisoned).
WITH admitted AS (
  SELECT DISTINCT institution, record_key, event AS admission FROM event WHERE event IN ('detained', 'imprisoned')
), counted AS (
  SELECT case_id, person_id, stage, offence, stated, '' AS admission FROM charge
  UNION ALL
  SELECT charge.case_id, charge.person_id, 'corrections', offence, stated, admission
  FROM charge JOIN admitted USING (institution, record_key) WHERE stage = 'corrections'
), of_stage AS (
  SELECT case_id, stage, admission, min(offence) AS offence, bool_or(stated) AS stated FROM counted GROUP BY ALL
), nearer AS (  -- stages of cases whose offence is stated at a stage nearer than themselves
  SELECT DISTINCT case_id, here.stage
  FROM of_stage JOIN stage_distance AS there ON there.other = of_stage.stage
  JOIN stage_distance AS here ON here.stage = there.stage AND here.other = here.stage AND there.distance < here.distance
  WHERE of_stage.stated AND of_stage.admission = ''
), asked AS (  -- each stage, and the stages from which its offence may be taken
  SELECT stage, other, distance, '' AS admission, '' AS other_admission FROM stage_distance
  UNION ALL
  SELECT stage, other, distance, admission, CASE WHEN other = 'corrections' THEN admission ELSE '' END
  FROM stage_distance, (VALUES ('detained'), ('imprisoned')) AS kinds(admission) WHERE stage = 'corrections'
)
SELECT of_stage.case_id, NULL AS person_id, asked.stage, asked.admission, arg_min(offence, (NOT stated, distance)) AS offence
FROM of_stage JOIN asked ON asked.other = of_stage.stage AND asked.other_admission = of_stage.admission
GROUP BY ALL
UNION ALL
SELECT case_id, person_id, stage, admission, min(offence) FROM counted
WHERE person_id IS NOT NULL AND (case_id, stage) NOT IN (SELECT (case_id, stage) FROM nearer)
GROUP BY ALL
