-- Events of a file (subject case) and of a person in it (subject person): the basis of `fact_event` and of every figure.
-- scope: level of the event: `own` the record, `file` its file as a whole, `case` another file of its case.
-- giver_*: the file of the event; null if the day is estimated because no file has the event.
-- part, n: the order of recording; event_id: a number in that order, independent of other records.
-- readable: the case record of the file could be read. inferred: no record of the event; the day is estimated from the delivery.
WITH file AS (
  SELECT DISTINCT institution, case_key FROM accepted_case
), opening AS (  -- events that open a file, and the stages at which they do
  SELECT * FROM (VALUES ('reported', 'registration'), ('received', 'prosecution'), ('received', 'courts')) AS opening(event, stage)
), of_file AS (
  SELECT
    event.* EXCLUDE (entity, record_key, person_id, first_period),
    CASE WHEN entity = 'case' THEN 'file' ELSE 'own' END AS scope,
    file.case_key IS NOT NULL AS readable
  FROM event LEFT JOIN file USING (institution, case_key)
), unread_file AS (  -- implied case records: files whose case record cannot be read, known only through their persons
  SELECT institution, case_key, case_id, stage, min(period) AS first_period, min(n) AS party_n
  FROM accepted_person ANTI JOIN file USING (institution, case_key)
  GROUP BY ALL
), unread AS (
  SELECT unread_file.*, opening.event
  FROM unread_file JOIN opening USING (stage)
  WHERE NOT EXISTS (FROM event WHERE event.case_id = unread_file.case_id AND event.event = opening.event AND event.stage = opening.stage)
), earlier_judgment AS (  -- judgments changed on appeal: a later state of the record has none with this outcome
  SELECT institution, record_key, outcome, date, min(n) AS n
  FROM events
  WHERE event = 'judged' AND status = 'superseded' AND date IS NOT NULL
    AND NOT EXISTS (
      FROM event AS now
      WHERE now.event = 'judged' AND now.institution = events.institution AND now.record_key = events.record_key
        AND now.outcome IS NOT DISTINCT FROM events.outcome
    )
  GROUP BY ALL
), of_record AS (
  SELECT institution, record_key, event, outcome, date, day, order_day, method, date_problem, 'own' AS scope, 2 AS part, n FROM event WHERE entity = 'person'
  UNION ALL SELECT institution, record_key, event, outcome, date, day, order_day, method, date_problem, 'file', 3, n FROM covered_by_decision
  UNION ALL SELECT institution, record_key, 'judged_before', outcome, date, date, date, 'delivered', NULL, 'own', 4, n FROM earlier_judgment
), of_party AS (
  SELECT party.*, of_record.* EXCLUDE (institution, record_key, n), of_record.n AS event_n FROM of_record JOIN party USING (institution, record_key)
), of_case AS (  -- a case's report or receipt applies to every person recorded at its stage
  SELECT
    party.*, event.event, event.date, event.day, event.order_day, event.method, event.date_problem,
    event.institution AS giver_institution, event.case_key AS giver_case_key, event.n AS event_n
  FROM event JOIN party ON party.case_id = event.case_id AND party.stage = event.stage
  WHERE entity = 'case' AND event.event IN ('reported', 'sent', 'received')
), estimated AS (  -- persons whose case has no such event at their stage
  SELECT party.*, opening.event
  FROM party JOIN opening USING (stage)
  WHERE NOT EXISTS (
    FROM event
    WHERE entity = 'case' AND event.case_id = party.case_id AND event.stage = party.stage AND event.event = opening.event
  )
)
SELECT
  event_number(0, n, 0) AS event_id, 'case' AS subject, institution, case_key AS record_key, case_key, case_id, NULL AS person_id, NULL AS role, stage, event, scope, outcome,
  date, day, order_day, method, date_problem, readable, false AS inferred, institution AS giver_institution, case_key AS giver_case_key, 0 AS part, n
FROM of_file
UNION ALL
SELECT
  event_number(1, 0, party_n), 'case', institution, case_key, case_key, case_id, NULL, NULL, stage, event, 'file', NULL,
  NULL, period_middle(first_period), period_end(first_period), 'middle', 'missing', true, true, institution, case_key, 1, 0
FROM unread
UNION ALL
SELECT
  event_number(part, event_n, n), 'person', institution, record_key, case_key, case_id, person_id, role, stage, event, scope, outcome,
  date, day, order_day, method, date_problem, true, false, institution, case_key, part, event_n
FROM of_party
UNION ALL
SELECT
  event_number(5, event_n, n), 'person', institution, record_key, case_key, case_id, person_id, role, stage, event,
  CASE WHEN giver_institution = institution AND giver_case_key = case_key THEN 'file' ELSE 'case' END, NULL,
  date, day, order_day, method, date_problem, true, false, giver_institution, giver_case_key, 5, event_n
FROM of_case
UNION ALL
SELECT
  event_number(6, 0, n), 'person', institution, record_key, case_key, case_id, person_id, role, stage, event, 'case', NULL,
  NULL, period_middle(first_period), period_end(first_period), 'middle', 'missing', true, true, NULL, NULL, 6, 0
FROM estimated
