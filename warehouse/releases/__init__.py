"""Releases: figures as known on a day, protected, kept for good.

Belongs here: what a release folder holds, making, reading, verifying and comparing releases. Does not belong here: what may be printed
(`warehouse/disclosure`), attacks (`warehouse/attackers`), reports and exports (they read `reading` and nothing else).
"""
