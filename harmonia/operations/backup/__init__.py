"""Backup, restore and verification of everything that cannot be rebuilt.

Belongs here: `create` (a consistent copy, even during a run), `restore`, `verify`, the commands. Does not belong here: lake, warehouse
and feedback, which a run rebuilds from the backup.
"""
