"""The statistics explorer: one HTML page, built from a release, that works without a server.

Belongs here: the page and its data; `site/` has its template, script and style. Does not belong here: which figures may be published
(`warehouse/disclosure`): only the public part of a release is read.
"""
