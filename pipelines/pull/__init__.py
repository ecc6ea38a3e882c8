"""Pull: deliveries are fetched from where an institution offers them, and put into the inbox complete, in one step.

Belongs here: where and how to fetch (`pull:` of a contract, `home/pull.yaml`), one module for each kind of source, the name that a
delivery gets. Does not belong here: landing, reading or judging a delivery. What is in the inbox is treated alike, whoever put it there.
"""
