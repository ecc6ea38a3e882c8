"""The star schema: facts and dimensions for analysts, built from the same records as the statistics.

`tables`      every fact and dimension, column by column
`dimensions`  time, periods, offences with their code, places, countries, ages
`records`     facts a record an institution holds: files, persons in files, charges, sentences, stays, references
`events`      the fact that counting reads: one row per event of a file and of a person in it, as delivered and imputed
`journeys`    one row per case and per person in a case with the days of its way, and its state at the end of each quarter
`figures`     the SQL of the indicators run over the facts, and summed
`views`       ready-made questions: cohorts, attrition, durations, what is open

Belongs here: what is published for querying. Does not belong here: which day, offence or person counts (`warehouse/count`); the star
takes those decisions as they were taken there.
"""
