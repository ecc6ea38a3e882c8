"""Exports: what is handed on to others, in the forms that they ask for.

Belongs here: the data package, SDMX, the questionnaires as workbooks, and for each whether it is *public* (protected, from a release) or
*full* (exact, to one recipient, with the coordinator's approval). Does not belong here: what may be printed (`warehouse/disclosure`),
reports for readers (`pipelines/reports`).

Public exports read `warehouse.releases.reading` and nothing else; `transmission` is the one door to exact figures.
"""
