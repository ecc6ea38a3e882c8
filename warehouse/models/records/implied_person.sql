-- One row per file of one person of which no person record is accepted, only events: the file's own row could not be read.
SELECT institution, record_key, any_value(case_key) AS case_key, stage, min(period) AS first_period, min(n) AS n
FROM event_state JOIN institution USING (institution) JOIN stage USING (stage)
WHERE one_person_a_file AND entity = 'person'
  AND (institution, record_key) NOT IN (SELECT (institution, record_key) FROM person_records WHERE status = 'accepted')
GROUP BY institution, record_key, stage
