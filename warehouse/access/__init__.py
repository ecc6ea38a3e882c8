"""Who may see what of the published stores.

Belongs here: the roles as data (`roles.yaml`), the matrix role x table x column derived from them (`matrix`), the rows that a role sees
(`visible_rows`), the same as PostgreSQL statements (`grants`, `identity`, `log`). Does not belong here: the content of a table and the
owner of its rows (`warehouse/tables.py`), logins and passwords (managed by the database administrator).
"""
