"""Reports: documents for institutions, coordinator, Government and public, made from a release.

Belongs here: the content of reports in Albanian, Serbian and English, as HTML and PDF; which reports are due. Does not belong here: which
figures may be published (`warehouse/disclosure`); questionnaires of other organisations (`warehouse/exports`). `joint` reads only the
public part of a release. Only `own_figures` reads exact figures, for the institutions that own them and for the coordinator.
"""
