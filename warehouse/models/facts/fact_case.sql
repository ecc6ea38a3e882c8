-- `fact_case`: one row per case, with its milestones. A day is that of an indicator's unit, so that cohorts and yearly figures agree;
-- days of persons are the first of any person of the case.
WITH known AS (
  SELECT case_id FROM accepted_case UNION SELECT case_id FROM accepted_person UNION SELECT case_id FROM fact_event
), milestone AS (
  SELECT
    case_id,
    min(day) FILTER (milestone = 'registered') AS registered,
    min(day) FILTER (milestone = 'referred') AS referred,
    min(day) FILTER (milestone = 'received_prosecution') AS received_prosecution,
    min(day) FILTER (milestone = 'dismissed') AS dismissed,
    min(day) FILTER (milestone = 'received_court') AS received_court
  FROM counted JOIN case_milestone USING (indicator) GROUP BY ALL
), passed_on AS (
  SELECT
    case_id, min(indicted) AS indicted, min(convicted) AS convicted, min(convicted_final) AS convicted_final, min(imprisoned) AS imprisoned,
    count_if(suspect) AS suspects, count_if(victim) AS victims, count_if(defendant) AS defendants
  FROM fact_person GROUP BY ALL
), happened AS (
  SELECT
    case_id, min(day) FILTER (event <> 'offence') AS first_day,
    min(day) FILTER (event = 'investigation_opened') AS investigated, min(day) FILTER (event = 'offence') AS offence_day
  FROM fact_event WHERE subject = 'case' GROUP BY ALL
), file AS (
  SELECT
    case_id, count(*) AS files,
    arg_min(municipality, (institution, record_key)) FILTER (municipality IS NOT NULL) AS municipality,
    arg_max(seat, (position, record_key)) FILTER (seat IS NOT NULL AND stage <> 'corrections') AS seat,
    if(
      count(resolved) FILTER (stage = 'prosecution' AND NOT merged) = count(*) FILTER (stage = 'prosecution' AND NOT merged),
      max(resolved) FILTER (stage = 'prosecution' AND NOT merged), NULL
    ) AS resolved_prosecution,
    if(
      count(resolved) FILTER (stage = 'courts' AND NOT merged) = count(*) FILTER (stage = 'courts' AND NOT merged),
      max(resolved) FILTER (stage = 'courts' AND NOT merged), NULL
    ) AS resolved_court,
    bool_or(stage = 'registration' AND NOT merged AND coalesce(state, 'investigating') <> 'closed') AS registration_open
  FROM fact_case_record GROUP BY ALL
), offence AS (
  SELECT
    case_id, offence_of(registration) AS offence_registration, offence_of(prosecution) AS offence_prosecution,
    offence_of(courts) AS offence_courts, offence_of(corrections) AS offence_corrections,
    offence_of(protection) AS offence_protection
  FROM known LEFT JOIN (SELECT * FROM stage_offence WHERE person_id IS NULL) USING (case_id)
), together AS (
  SELECT
    known.case_id, municipality, seat, offence_day, offence.* EXCLUDE (case_id),
    coalesce(case_form.of_case, 'unknown') AS form,
    coalesce(fixed_form, CASE WHEN form_of_case THEN case_form.of_form_offences END, 'unknown') AS form_prosecution,
    coalesce(files, 0) AS files, coalesce(suspects, 0) AS suspects, coalesce(victims, 0) AS victims, coalesce(defendants, 0) AS defendants,
    first_day, milestone.* EXCLUDE (case_id), investigated, indicted, resolved_prosecution, resolved_court, convicted, convicted_final,
    imprisoned, coalesce(registration_open, false) AS registration_open,
    CASE
      WHEN received_court IS NOT NULL THEN 'courts' WHEN received_prosecution IS NOT NULL THEN 'prosecution' ELSE 'registration'
    END AS stage
  FROM known
  LEFT JOIN offence USING (case_id)
  LEFT JOIN offence_group ON offence_group.offence_group = offence_prosecution
  LEFT JOIN milestone USING (case_id)
  LEFT JOIN passed_on USING (case_id)
  LEFT JOIN happened USING (case_id)
  LEFT JOIN file USING (case_id)
  LEFT JOIN case_form USING (case_id)
), ended AS (  -- at the courts with the judgments, at the prosecution with its last decision unless it indicted
  SELECT
    *,
    CASE stage WHEN 'courts' THEN resolved_court WHEN 'prosecution' THEN if(indicted IS NULL, resolved_prosecution, NULL) END AS closed
  FROM together
)
SELECT *, closed IS NULL AND (stage <> 'registration' OR registration_open) AS open FROM ended
