-- The form of exploitation of every case with a stated form: from the prosecution's charges, else from the registration stage.
-- Of several, the one with the most serious offence counts, then the best supported, then the first in the list of forms.
-- of_trafficking: charges of offences whose form is that of the case come first, from any institution. of_case: for those that state none.
WITH tally AS (
  SELECT case_id, stage = 'registration' AS later, charge.offence, form, form.rank AS form_rank, count(*) AS times
  FROM charge JOIN form USING (form)
  WHERE form <> 'unknown' AND stage IN ('registration', 'prosecution')
  GROUP BY ALL
)
SELECT
  case_id,
  arg_min(form, (NOT form_of_case, later, offence, -times, form_rank)) AS of_trafficking,
  arg_min(form, (later, offence, -times, form_rank)) AS of_case
FROM tally JOIN offence_group ON offence_group.rank = tally.offence
GROUP BY ALL
