"""Reports: what a ministry sends on, made from a release.

Belongs here: what stands in a report, in Albanian, Serbian and English, as a page and as PDF; which reports are due. Does not belong here:
what may be printed (`warehouse/disclosure`), questionnaires of others (`warehouse/exports`).

`joint` reads the public part of a release alone; `own_figures` is the one door to exact figures, for those whose figures they are.
"""
