-- Periods, orders and groups that several models use.
CREATE MACRO quarter_of(day) AS year(day) || '-Q' || quarter(day);
CREATE MACRO quarter_start(period) AS make_date(period[1:4]::INT, 3 * period[7:7]::INT - 2, 1);
CREATE MACRO quarter_end(period) AS last_day(quarter_start(period) + INTERVAL 2 MONTH);
-- First and last day of a delivered period: 2013-04, 2013-Q2, 2013-H1 or 2013.
CREATE MACRO period_months(period) AS CASE WHEN len(period) = 4 THEN 12 WHEN period[6:6] = 'Q' THEN 3 WHEN period[6:6] = 'H' THEN 6 ELSE 1 END;
CREATE MACRO period_start(period) AS make_date(
  period[1:4]::INT, (coalesce(nullif(regexp_extract(period[5:], '\d+'), ''), '1')::INT - 1) * period_months(period) + 1, 1
);
CREATE MACRO period_end(period) AS last_day(period_start(period) + to_months(period_months(period) - 1));
-- The day on which an event counts if only the period of its delivery is known. In the order of events such an estimate comes last in it.
CREATE MACRO period_middle(period) AS period_start(period) + ((period_end(period) - period_start(period)) // 2)::INT;

-- The rows that an event makes of its record: one, one for itself, or one for its quarter and one for its year.
CREATE MACRO parts_of(each, event_id, day) AS
  CASE each WHEN 'event' THEN [event_id::TEXT] WHEN 'period' THEN ['quarter ' || quarter_of(day), 'year ' || year(day)] ELSE [''] END;
CREATE MACRO rank_of(offence) AS (SELECT listed.rank FROM offence_group AS listed WHERE listed.offence_group = offence);
CREATE MACRO offence_of(place) AS (SELECT listed.offence_group FROM offence_group AS listed WHERE listed.rank = coalesce(place, rank_of('other')));
CREATE MACRO day_number(day) AS year(day) * 10000 + month(day) * 100 + day(day);
-- Full years from one day to another; negative if the birth date is later.
CREATE MACRO years_between(birth_date, day) AS floor((day_number(day) - day_number(birth_date)) / 10000)::BIGINT;
-- Full years of age; null if the birth date is not known, later, or implausibly early.
CREATE MACRO age_on(birth_date, day) AS
  CASE WHEN years_between(birth_date, day) BETWEEN 0 AND (SELECT oldest FROM setting) THEN years_between(birth_date, day) END;
-- By full years, or by the difference of years if only the year of birth is known.
CREATE MACRO age_group_on(birth_date, birth_year, day) AS CASE
  WHEN birth_date IS NOT NULL AND years_between(birth_date, day) < (SELECT adult FROM setting) THEN 'child'
  WHEN birth_date IS NOT NULL AND day IS NOT NULL THEN 'adult'
  WHEN birth_date IS NULL AND year(day) - birth_year < (SELECT adult FROM setting) THEN 'child'
  WHEN birth_date IS NULL AND year(day) - birth_year > (SELECT adult FROM setting) THEN 'adult'
  ELSE 'unknown' END;
-- The age group, or the age class of the record where no birth date tells it.
CREATE MACRO age_group_or(age_group, age_class) AS coalesce(nullif(age_group, 'unknown'), age_class, 'unknown');
CREATE MACRO citizenship_group_of(country) AS
  CASE WHEN country IS NULL THEN 'unknown' WHEN country = (SELECT domestic FROM setting) THEN 'domestic' ELSE 'foreign' END;
-- The number of an event: its kind of record, the position of the event, the position of the person in it.
CREATE MACRO event_number(part, event, party) AS ((part::BIGINT << 28) + event << 28) + party;
