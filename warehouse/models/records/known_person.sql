-- One row per accepted person record, also of a cancelled file, with its case and, if it is a natural person, its person.
SELECT records.*, case_id, person_id, stage, position
FROM person_records AS records JOIN case_file USING (institution, case_key) JOIN institution USING (institution)
LEFT JOIN linked_person USING (institution, record_key)
WHERE status = 'accepted'
