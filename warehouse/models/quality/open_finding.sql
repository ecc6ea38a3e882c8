-- Findings of the deliveries that count that are a warning or worse, and neither fixed nor accepted as they are.
SELECT found.*, dimension, rules.whole AND record_key IS NULL AS whole, period
FROM delivered_findings AS found
JOIN scored_delivery USING (institution, delivery)
JOIN finding_rule AS rules USING (rule)
WHERE severity IN ('reject', 'error', 'warning') AND found.state NOT IN ('fixed', 'accepted_as_is')
