"""Backup, restore and verification of everything that cannot be rebuilt.

Belongs here: `create` (consistent copy while runs go on), `restore`, `verify`, the commands. Does not belong here: lake, warehouse,
feedback, which a run rebuilds from the backup.
"""
