"""Releases: the protected figures as known on a day, which are never changed.

Belongs here: the release folder; creating, reading, verifying and comparing releases. Does not belong here: what may be published
(`warehouse/disclosure`), attacks (`warehouse/disclosure_risk`), reports and exports (they read only `reading`).
"""
