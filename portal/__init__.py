"""The portal: institutions, stewards, the coordinator and engineers work in a browser.

Belongs here: pages, accounts, who may do what. Does not belong here: the actions themselves; a page calls the service that the command line
calls (`pipelines`, `warehouse`).

- `routes` is the one table of pages: path, roles, scope. A page that is not in it does not exist.
- `words.yaml` has every text in Albanian, Serbian and English.
- `accounts`, `institution`, `steward`, `coordinator`, `engineer`: the pages, by user.
"""
