-- The deciding event of each record for an indicator, by side: `reported`, of the record by the delivered date; `own`, of the record by
-- the day on which it counts; `harmonised`, the same, or, for events of the case, the first of the case at the stage.
-- part: the row of the record, where it has several: the event (indicators of each event), or the period (of each period).
WITH candidate AS (
  SELECT
    indicator.indicator, each, event.institution, event.record_key, event_id, date_reported, own_day,
    own_order_day AS order_day, inferred, of_case OR (inferred AND subject = 'case') AS of_case,
    CASE WHEN subject = 'case' THEN true WHEN of_case THEN scope = 'file' WHEN covers_file THEN scope IN ('own', 'file') ELSE scope = 'own' END
      AS own,
    CASE decide WHEN 'latest' THEN -1 ELSE 1 END AS direction
  FROM fact_event AS event JOIN indicator
    ON indicator.record = event.subject AND indicator.event = event.event
    AND list_contains(institutions, event.institution) AND (len(roles) = 0 OR list_contains(roles, event.role))
  WHERE readable AND NOT EXISTS (
    FROM subject_event AS against
    WHERE against.subject = 'case' AND against.event = unless_in_file
      AND against.institution = event.institution AND against.case_key = event.case_key
  )
), side AS (
  SELECT
    'reported' AS side, indicator, institution, record_key, event_id, unnest(parts_of(each, event_id, date_reported)) AS part,
    direction * day_number(date_reported) AS first, 0 AS second, direction * event_id AS third
  FROM candidate WHERE own AND date_reported IS NOT NULL
  UNION ALL  -- of a row of a period the event that decides as reported
  SELECT
    'own', indicator, institution, record_key, event_id, unnest(parts_of(each, event_id, coalesce(date_reported, own_day))),
    direction * day_number(if(each = 'period', coalesce(date_reported, own_day), order_day)), direction * day_number(own_day), direction * event_id
  FROM candidate WHERE own AND NOT inferred AND own_day IS NOT NULL
  UNION ALL
  SELECT
    'harmonised', indicator, institution, record_key, event_id, unnest(if(each = 'event', [''], parts_of(each, event_id, own_day))),
    direction * day_number(order_day), direction * day_number(own_day), direction * event_id
  FROM candidate WHERE own AND NOT inferred AND NOT of_case AND own_day IS NOT NULL
  UNION ALL
  SELECT 'harmonised', indicator, institution, record_key, event_id, '', day_number(order_day), day_number(own_day), event_id
  FROM candidate WHERE of_case AND own_day IS NOT NULL
), decided AS (
  SELECT side, indicator, institution, record_key, event_id, part
  FROM side
  QUALIFY row_number() OVER (PARTITION BY side, indicator, institution, record_key, part ORDER BY first, second, third) = 1
)
SELECT decided.* REPLACE (if(each = 'event', event_id::TEXT, part) AS part)
FROM decided JOIN indicator USING (indicator)
