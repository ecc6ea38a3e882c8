-- `reconciliation`: cases and persons that two neighbouring institutions should both know, and whether they do. One row per step and case
-- (or person in it). Both sides are searched in all accepted records. Between case files: sent or indicted upstream against received
-- downstream; at the last step: persons finally sentenced to imprisonment against persons admitted as convicts.
-- Steps on persons beside the case flow: `person_reconciliation`.
-- Found on both sides is matched, even if the upstream record does not yet say that it was sent.
WITH cited AS (  -- kinds of numbers cited in a prosecution file
  SELECT institution, case_key, arg_max(kind, (status = 'accepted', n)) AS sender
  FROM "references"
  WHERE status IN ('accepted', 'superseded') AND kind IN (SELECT institution FROM institution WHERE stage = 'registration')
  GROUP BY ALL
), sent_file AS (  -- prosecution files with their sender: as stated, or, if none is stated, by the kind of number cited
  SELECT
    institution, case_key,
    coalesce(CASE WHEN source IN (SELECT institution FROM institution WHERE stage = 'registration') THEN source END, cited.sender) AS sender
  FROM accepted_case LEFT JOIN cited USING (institution, case_key)
  WHERE stage = 'prosecution'
), jailed AS (
  SELECT record_key FROM accepted_person WHERE stage = 'courts' AND sentence_months > 0
), upstream AS (
  SELECT step, case_id, NULL AS person_id, day, order_day
  FROM step JOIN event ON event.institution = step.upstream AND event.event = 'sent' WHERE downstream_stage = 'prosecution'
  UNION ALL
  SELECT step, case_id, NULL, day, order_day
  FROM step JOIN event ON event.event = 'indicted' WHERE downstream_stage = 'courts'
  UNION ALL
  SELECT step, case_id, person_id, day, order_day
  FROM step JOIN event ON event.event = 'final' AND outcome = 'convicted' AND record_key IN (SELECT record_key FROM jailed)
  WHERE downstream_stage = 'corrections' AND person_id IS NOT NULL
), downstream AS (
  SELECT step, case_id, NULL AS person_id, day, order_day
  FROM step JOIN sent_file ON sent_file.sender = step.upstream
  JOIN event ON event.institution = sent_file.institution AND event.case_key = sent_file.case_key AND event.event = 'received'
  WHERE downstream_stage = 'prosecution'
  UNION ALL
  SELECT step, case_id, NULL, day, order_day
  FROM step JOIN event ON event.event = 'received' AND event.stage = 'courts' WHERE downstream_stage = 'courts'
  UNION ALL
  SELECT step, case_id, person_id, day, order_day
  FROM step JOIN event ON event.event = 'imprisoned' WHERE downstream_stage = 'corrections' AND person_id IS NOT NULL
), known AS (  -- everything that upstream knows
  SELECT step, case_id, NULL AS person_id FROM step JOIN accepted_case ON accepted_case.institution = step.upstream
  WHERE downstream_stage = 'prosecution'
  UNION
  SELECT step, case_id, NULL FROM step JOIN accepted_person ON accepted_person.institution = step.upstream
  WHERE downstream_stage = 'prosecution'
  UNION
  SELECT step, case_id, NULL FROM step JOIN accepted_case ON accepted_case.stage = 'prosecution' WHERE downstream_stage = 'courts'
  UNION
  SELECT step, case_id, person_id FROM step JOIN event ON event.event = 'final' AND outcome = 'convicted'
  WHERE downstream_stage = 'corrections'
), first_upstream AS (
  SELECT step, case_id, person_id, arg_min(day, (order_day, day)) AS day FROM upstream GROUP BY ALL
), first_downstream AS (
  SELECT step, case_id, person_id, arg_min(day, (order_day, day)) AS day FROM downstream GROUP BY ALL
), pair AS (
  SELECT
    coalesce(up.step, down.step) AS step, coalesce(up.case_id, down.case_id) AS case_id, coalesce(up.person_id, down.person_id) AS person_id,
    up.day AS day_up, down.day AS day_down
  FROM first_upstream AS up FULL JOIN first_downstream AS down
    ON down.step = up.step AND down.case_id = up.case_id AND down.person_id IS NOT DISTINCT FROM up.person_id
), judged AS (
  SELECT
    pair.*, step.* EXCLUDE (step),
    CASE
      WHEN day_up IS NULL AND known.step IS NULL THEN 'missing_upstream'
      WHEN day_down IS NULL THEN 'missing_downstream'
      ELSE 'matched'
    END AS outcome,
    coalesce(day_up, day_down) AS day
  FROM pair JOIN step USING (step)
  LEFT JOIN known ON known.step = pair.step AND known.case_id = pair.case_id AND known.person_id IS NOT DISTINCT FROM pair.person_id
), offence_at AS (  -- the principal offence of each side's own charges, of the person, else of the case
  SELECT institution, case_id, person_id, min(offence) AS offence FROM charge WHERE person_id IS NOT NULL GROUP BY ALL
  UNION ALL SELECT institution, case_id, NULL, min(offence) FROM charge GROUP BY ALL
), people AS (
  SELECT DISTINCT institution, case_id, person_id, role FROM accepted_person WHERE person_id IS NOT NULL AND role IN ('suspect', 'defendant')
), other_people AS (  -- cases in which the two sides do not name the same persons; the prosecution may charge more persons than come before a court
  SELECT DISTINCT step, coalesce(up.case_id, down.case_id) AS case_id
  FROM (
    SELECT step, upstream_stage, case_id, person_id FROM step JOIN people ON people.institution = step.upstream
    WHERE downstream_stage <> 'corrections' GROUP BY ALL
  ) AS up
  FULL JOIN (
    SELECT step, upstream_stage, case_id, person_id FROM step JOIN people ON people.institution = step.downstream AND role = 'defendant'
    WHERE downstream_stage <> 'corrections'
  ) AS down USING (step, upstream_stage, case_id, person_id)
  WHERE up.person_id IS NULL OR (down.person_id IS NULL AND upstream_stage <> 'prosecution')
), span AS (
  SELECT institution, min(first_day) AS first_day, max(last_day) AS last_day FROM delivered_period GROUP BY ALL
), compared AS (
  SELECT
    judged.*, up_name.cited_as AS up_name, down_name.cited_as AS down_name,
    coalesce(day_down < day_up OR day_down - day_up > tolerance_days, false) AS other_day,
    coalesce(up_person.offence, up_case.offence, rank_of('other')) <> coalesce(down_person.offence, down_case.offence, rank_of('other'))
      AS other_offence,
    other_people.case_id IS NOT NULL AS other_person,
    up_span.first_day, down_span.last_day
  FROM judged
  JOIN institution AS up_name ON up_name.institution = upstream
  JOIN institution AS down_name ON down_name.institution = downstream
  LEFT JOIN offence_at AS up_person
    ON up_person.institution = upstream AND up_person.case_id = judged.case_id AND up_person.person_id = judged.person_id
  LEFT JOIN offence_at AS up_case ON up_case.institution = upstream AND up_case.case_id = judged.case_id AND up_case.person_id IS NULL
  LEFT JOIN offence_at AS down_person
    ON down_person.institution = downstream AND down_person.case_id = judged.case_id AND down_person.person_id = judged.person_id
  LEFT JOIN offence_at AS down_case
    ON down_case.institution = downstream AND down_case.case_id = judged.case_id AND down_case.person_id IS NULL
  LEFT JOIN other_people ON other_people.step = judged.step AND other_people.case_id = judged.case_id
  LEFT JOIN span AS up_span ON up_span.institution = upstream
  LEFT JOIN span AS down_span ON down_span.institution = downstream
)
SELECT
  step, quarter_of(day) AS period, case_id, person_id, outcome,
  CASE WHEN outcome = 'matched' THEN nullif(concat_ws(
    ',', CASE WHEN other_day THEN 'date' END, CASE WHEN other_offence THEN 'offence' END, CASE WHEN other_person THEN 'person' END
  ), '') END AS differs,
  CASE
    WHEN outcome = 'missing_upstream' AND day < first_day THEN 'before the first ' || up_name || ' delivery'
    WHEN outcome = 'missing_upstream' THEN 'no ' || up_name || ' record of it in any delivery'
    WHEN outcome = 'missing_downstream' AND day > last_day - (SELECT days_on_the_way::INT FROM setting)
      THEN 'may have arrived after the last ' || down_name || ' delivery'
    WHEN outcome = 'missing_downstream' THEN 'no ' || down_name || ' record of it in any delivery'
  END AS detail
FROM compared
UNION ALL BY NAME
FROM person_reconciliation
ORDER BY ALL
