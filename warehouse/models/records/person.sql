-- One row per person: best supported sex, citizenship and birth date over all of the person's accepted records, cancelled ones too.
-- A source has one vote per value: a file, or a number in the register of prisoners, whose rows are moves of one person. Ties: by
-- the order of institutions, then by value. The year of birth is decided first (a year without a day weighs less, a year
-- that makes an accused person too young least), then a day within it: equal dates, then that day and month in other years.
WITH case_day AS (
  SELECT case_id, min(day) AS day FROM event WHERE event <> 'offence' GROUP BY ALL
), source AS (
  SELECT
    persons.person_id, persons.institution, coalesce(register_id, case_key) AS source, position, persons.n,
    sex, citizenship, role, birth_date, birth_year,
    year(min(day) OVER (PARTITION BY persons.person_id)) - birth_year AS age
  FROM known_person AS persons LEFT JOIN case_day USING (case_id)
  WHERE persons.person_id IS NOT NULL
), sexes AS (
  SELECT person_id, sex, count(DISTINCT (institution, source)) AS votes, min(position) AS position
  FROM source WHERE sex IS NOT NULL GROUP BY ALL
), sex AS (
  SELECT person_id, arg_min(sex, (-votes, position, sex)) AS sex FROM sexes GROUP BY ALL
), citizenships AS (
  SELECT person_id, citizenship, count(DISTINCT (institution, source)) AS votes, min(position) AS position
  FROM source WHERE citizenship IS NOT NULL GROUP BY ALL
), citizenship AS (
  SELECT person_id, arg_min(citizenship, (-votes, position, citizenship)) AS citizenship FROM citizenships GROUP BY ALL
), possible AS (  -- born before the person's first event, and not too long before it
  SELECT *, coalesce(age < (SELECT responsible FROM setting), false) AND role IN ('suspect', 'defendant', 'prisoner') AS too_young
  FROM source
  WHERE birth_year IS NOT NULL AND (age IS NULL OR age BETWEEN 0 AND (SELECT oldest FROM setting))
), year_votes AS (
  SELECT
    person_id, institution, source, birth_year, any_value(position) AS position,
    arg_min((birth_date IS NULL)::INT, n) AS bare, arg_min(too_young::INT, n) AS too_young
  FROM possible GROUP BY ALL
), years AS (
  SELECT
    person_id, birth_year, round(sum(1.0 - (SELECT bare_year FROM setting) * bare - (SELECT unlikely FROM setting) * too_young), 6) AS weight,
    min(position) AS position
  FROM year_votes GROUP BY ALL
), year_of_birth AS (
  SELECT person_id, arg_min(birth_year, (-weight, position, birth_year)) AS birth_year FROM years GROUP BY ALL
), day_votes AS (
  SELECT DISTINCT person_id, institution, source, birth_date, position FROM possible WHERE birth_date IS NOT NULL
), alike AS (
  SELECT *, count(*) OVER (PARTITION BY person_id, month(birth_date), day(birth_date)) AS alike FROM day_votes
), days AS (
  SELECT person_id, birth_date, count(*) AS votes, max(alike) AS alike, min(position) AS position
  FROM alike JOIN year_of_birth USING (person_id)
  WHERE year(birth_date) = birth_year GROUP BY ALL
), day_of_birth AS (
  SELECT person_id, arg_min(birth_date, (-votes, -alike, position, birth_date)) AS birth_date FROM days GROUP BY ALL
)
SELECT
  person_id, coalesce(sex.sex, 'unknown') AS sex, citizenship.citizenship,
  citizenship_group_of(citizenship.citizenship) AS citizenship_group, birth_date, birth_year
FROM (SELECT DISTINCT person_id FROM source)
LEFT JOIN sex USING (person_id) LEFT JOIN citizenship USING (person_id)
LEFT JOIN year_of_birth USING (person_id) LEFT JOIN day_of_birth USING (person_id)
