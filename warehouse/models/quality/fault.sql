-- Faulty records of a delivery by dimension. A finding on many lines (`finding_line`) applies to the record of each.
WITH spoken_of AS (
  SELECT institution, delivery, part, record_key, dimension FROM open_finding
  WHERE record_key IS NOT NULL AND n NOT IN (SELECT n FROM finding_line)
  UNION ALL
  SELECT found.institution, found.delivery, found.part, records.record_key, dimension
  FROM open_finding AS found JOIN finding_line USING (n)
  JOIN delivered_records AS records
    ON records.institution = found.institution AND records.delivery = found.delivery AND records.file = found.file
    AND coalesce(records.part, '') = coalesce(found.part, '') AND records.line = finding_line.line
  WHERE records.record_key IS NOT NULL
)
SELECT DISTINCT institution, delivery, dimension, coalesce("table" || chr(31) || record_key, record_key) AS record
FROM spoken_of LEFT JOIN record_table USING (institution, part)
