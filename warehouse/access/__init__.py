"""Who may see what of the published stores.

Belongs here: the roles as data (`roles.yaml`), the matrix role x table x column that follows (`matrix`), what a role sees of given tables
(`seen`), the same said to PostgreSQL (`grants`, `identity`, `log`) and compared there (`server`). Does not belong here: what a table holds
and whose rows it has (`warehouse/tables.py`), logins and passwords (the database administrator's).
"""
