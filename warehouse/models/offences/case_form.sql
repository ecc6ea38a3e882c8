-- The form of exploitation of every case with a stated form: from the prosecution's charges, else from the registration stage.
-- Of several, the one with the most serious offence counts, then the best supported, then the first in the list of forms.
-- of_files: likewise from the files of victim protection, the last source for a victim.
-- of_form_offences: charges of offences whose form is that of the case come first, from any institution. of_case: for those that state none.
WITH tally AS (
  SELECT case_id, stage = 'registration' AS later, stage = 'protection' AS of_victim, charge.offence, form, form.rank AS form_rank, count(*) AS times
  FROM charge JOIN form USING (form)
  WHERE form <> 'unknown' AND stage IN ('registration', 'prosecution', 'protection')
  GROUP BY ALL
)
SELECT
  case_id,
  arg_min(form, (NOT form_of_case, later, offence, -times, form_rank)) FILTER (NOT of_victim) AS of_form_offences,
  arg_min(form, (later, offence, -times, form_rank)) FILTER (NOT of_victim) AS of_case,
  arg_min(form, (NOT form_of_case, offence, -times, form_rank)) FILTER (of_victim) AS of_files
FROM tally JOIN offence_group ON offence_group.rank = tally.offence
GROUP BY ALL
