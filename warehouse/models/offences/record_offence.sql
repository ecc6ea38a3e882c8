-- The most serious offence of every record (a party; a file of the registration stage) by its own charges, and the form stated with it.
SELECT
  institution, record_key,
  arg_min(coalesce(reported, rank_of('other')), (coalesce(reported, 99), form IS NULL, kind, n)) AS offence,
  arg_min(coalesce(form, 'unknown'), (coalesce(reported, 99), form IS NULL, kind, n)) AS form
FROM charge GROUP BY ALL
