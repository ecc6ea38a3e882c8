-- One row per file whose record is cancelled: it counts in nothing, with all that belongs to it.
SELECT institution, record_key AS case_key FROM case_records WHERE status = 'accepted' AND state = 'cancelled'
