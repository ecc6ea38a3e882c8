-- Every state of a person record that is neither quarantined nor withdrawn: evidence of who was in a file when.
SELECT institution, record_key, case_key, role, period, delivery FROM person_records WHERE status IN ('accepted', 'superseded')
