"""Pull: fetch deliveries from where institutions offer them, and put each of them into the inbox in one step when it is complete.

Belongs here: where deliveries are and how they are fetched (`pull:` of a contract, `home/pull.yaml`), with one module for each kind of
source, and the name that a delivery gets in the inbox. Does not belong here: landing, reading or checking a delivery. A delivery in the
inbox is processed in the same way whether it was pulled or put there by other means.
"""
