"""Backups of what may not be lost, restoring them, and seeing that a home is what it was.

Belongs here: `keep` (which parts of a home, copied consistently while runs go on), `restore`, `verify`, the commands. Does not belong here:
what can be rebuilt (lake, warehouse, feedback): a run writes it again from what is kept.
"""
