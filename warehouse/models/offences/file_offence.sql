-- The most serious offence of every file by its own records, preferring one with a stated form, and that form.
SELECT
  institution, case_key,
  arg_min(coalesce(reported, rank_of('other')), (coalesce(reported, 99), form IS NULL, kind, n)) AS offence,
  arg_min(coalesce(form, 'unknown'), (coalesce(reported, 99), form IS NULL, kind, n)) AS form
FROM charge GROUP BY ALL
