"""Pull: deliveries are fetched from where an institution offers them and put into the inbox, complete, in one step.

Belongs here: where and how to fetch (`pull:` of a contract, `home/pull.yaml`), one module a kind of source, naming of what came. Does not
belong here: landing, reading or judging a delivery: what is in the inbox is treated alike, whoever put it there.
"""
