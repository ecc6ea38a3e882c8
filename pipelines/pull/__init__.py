"""Pull: fetch deliveries from where institutions offer them, and put each into the inbox in one step, when it is complete.

Belongs here: where and how to fetch (`pull:` of a contract, `home/pull.yaml`), one module for each kind of source, the name that a delivery
gets. Does not belong here: landing, reading or checking a delivery. A delivery in the inbox is processed in the same way whether it was
pulled or put there by other means.
"""
