-- One row per case record: its linked case.
SELECT institution, record_key, arg_max(case_id, n) AS case_id FROM case_ids GROUP BY ALL
