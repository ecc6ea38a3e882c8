"""The star schema: fact tables and dimension tables for analysts, built from the same records as the statistics.

`tables`   every fact table and dimension table, column by column
`figures`  figures of the indicators that are defined by SQL over fact tables
`views`    views for common questions: cohorts, attrition, durations, pending cases

Belongs here: what is published for querying. Does not belong here: computing its rows, and which day, offence or person counts
(`warehouse/models`, `warehouse/count`).
"""
