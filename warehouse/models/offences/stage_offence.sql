-- The principal offence (rank) at each stage of every case, and of every person charged in it: person_id is null for the case.
SELECT
  case_id, person_id,
  min(offence) FILTER (stage = 'registration') AS registration,
  min(offence) FILTER (stage = 'prosecution') AS prosecution,
  min(offence) FILTER (stage = 'courts') AS courts,
  min(offence) FILTER (stage = 'corrections') AS corrections,
  min(offence) FILTER (stage = 'protection') AS protection
FROM principal_offence
WHERE admission = ''
GROUP BY ALL
