-- Every state of a person record that is neither quarantined nor withdrawn: evidence of who was in a file when.
-- A person of a renumbered file whom the crosswalk lacks has the key that linkage found.
WITH found AS (
  SELECT listed_ids.institution, delivery, record_key, any_value(person_key) AS person_key
  FROM listed_ids JOIN successors
    ON successors.institution = listed_ids.institution AND successors.old_key = listed_ids.record_key AND new_key IS NULL
  GROUP BY ALL
)
SELECT institution, coalesce(found.person_key, state.record_key) AS record_key, case_key, role, period, delivery
FROM person_records AS state LEFT JOIN found USING (institution, delivery, record_key)
WHERE status IN ('accepted', 'superseded')
