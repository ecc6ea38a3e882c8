"""Disclosure control: which figures may be published, and in what form.

Belongs here: the signed policy and its table programme, the merging rule, what a release adds to earlier ones. Does not belong here:
files of releases (`warehouse/releases`), the disclosure-risk test (`warehouse/disclosure_risk`, which shares no code with this package).
"""
