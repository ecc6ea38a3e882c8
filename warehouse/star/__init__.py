"""The star schema: facts and dimensions for analysts, built from the same records as the statistics.

`tables`   every fact and dimension, column by column
`figures`  the SQL of the indicators run over the facts, and summed
`views`    views for common questions: cohorts, attrition, durations, pending cases

Belongs here: what is published for querying. Does not belong here: computing its rows, and which day, offence or person counts
(`warehouse/models`, `warehouse/count`).
"""
