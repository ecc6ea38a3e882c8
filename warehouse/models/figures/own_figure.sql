-- Figures as reported of each institution's records alone, by offence group: their sum over institutions is `statistics.as_reported`.
-- For comparison with what an institution published itself (`yardstick`); no published figure depends on them.
WITH reported AS (
  SELECT
    indicator, institution, offence_group_reported,
    unnest(if(span = '', [quarter_of(own_date), year(own_date)::TEXT], [split_part(span, ' ', 2)])) AS period
  FROM indicator_row WHERE own_date IS NOT NULL
)
SELECT
  indicator, institution, period, if(grouping(offence_group_reported) = 1, 'total', offence_group_reported) AS offence_group,
  count(*) AS as_reported
FROM reported SEMI JOIN published_period USING (period)
GROUP BY GROUPING SETS ((indicator, institution, period), (indicator, institution, period, offence_group_reported))
ORDER BY ALL
