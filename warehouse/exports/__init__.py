"""Exports: data for other organisations, in the formats that they require.

Belongs here: the data package, SDMX, the questionnaires as workbooks, and for each whether it is *public* (protected, from a release) or
*full* (exact, to one recipient, with the coordinator's approval). Does not belong here: what may be published (`warehouse/disclosure`),
reports for readers (`harmonia/reports`).
Public exports read only `warehouse.releases.reading`; only `transmission` reads exact figures.
"""
