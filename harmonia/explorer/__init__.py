"""The statistics explorer: one HTML page, built from a release, that works without a server.

Belongs here: the page and its data; `site/` contains the template, script and style of the page. Does not belong here: which figures may
be published (`warehouse/disclosure`). Only the public part of a release is read.
"""
