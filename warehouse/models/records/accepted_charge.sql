-- One row per accepted charge that counts, with its case and person.
SELECT records.*, case_id, person_id, stage
FROM charges AS records JOIN case_file USING (institution, case_key) JOIN institution USING (institution)
LEFT JOIN linked_person USING (institution, record_key)
ANTI JOIN cancelled_file USING (institution, case_key)
WHERE status = 'accepted'
