-- `fact_stay`: rows of the register of prisoners, joined into chains: a row that ends by transfer continues in the person's next row.
WITH register AS (
  SELECT * FROM accepted_person WHERE stage = 'corrections'
), admission AS (
  SELECT institution, record_key, arg_min(event, event_id) AS kind, arg_min(day, event_id) AS admitted
  FROM fact_event WHERE subject = 'person' AND event IN ('detained', 'imprisoned') GROUP BY ALL
), release AS (
  SELECT institution, record_key, day AS released, outcome AS ended_by FROM fact_event
  WHERE subject = 'person' AND event = 'released'
  QUALIFY row_number() OVER (PARTITION BY institution, record_key ORDER BY event_id DESC) = 1
), stay AS (
  SELECT
    institution, record_key, case_key AS file_key, case_id, person_id, admission.kind, admitted, released, ended_by, sentence_months AS months, n
  FROM register LEFT JOIN admission USING (institution, record_key) LEFT JOIN release USING (institution, record_key)
), follows AS (
  SELECT
    *,
    coalesce(person_id IS NULL OR lag(ended_by) OVER in_case IS DISTINCT FROM 'transfer', true) AS first_of_chain
  FROM stay
  WINDOW in_case AS (PARTITION BY person_id, case_id ORDER BY admitted NULLS LAST, record_key, n)
)
SELECT
  *, sum(first_of_chain::INT) OVER (ORDER BY person_id NULLS LAST, case_id, admitted NULLS LAST, record_key, n)::BIGINT AS chain
FROM follows
