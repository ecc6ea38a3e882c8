-- One row per case and person whose files at victim protection all have `not_confirmed` as current status: the person is no victim.
-- A file of unknown status counts as that of a victim.
SELECT case_id, person_id
FROM party JOIN stage USING (stage)
WHERE one_person_a_file AND person_id IS NOT NULL
GROUP BY case_id, person_id
HAVING bool_and(victim_status IS NOT DISTINCT FROM 'not_confirmed')
