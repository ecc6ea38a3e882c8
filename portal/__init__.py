"""The portal, in which institutions, stewards, the coordinator and engineers work in a browser.

Belongs here: pages, accounts, and who may do what. Does not belong here: the actions themselves; a page calls the same service as the
command line (`pipelines`, `warehouse`).

- `routes` is the only table of pages, with the path, roles and scope of each. A page that is not in it does not exist.
- `words.yaml`, here and in these folders, has all texts in Albanian, Serbian and English.
- `accounts`, `institution`, `steward`, `coordinator` and `engineer` are folders with the pages, one for each group of users.
"""
