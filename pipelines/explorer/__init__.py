"""The statistics explorer: one page, built from a release, that opens from a folder without a server.

Belongs here: the data of the page and the page; `site/` holds its template, script and style. Does not belong here: what may be printed
(`warehouse/disclosure`): only the public part of a release is read.
"""
