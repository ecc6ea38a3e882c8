"""Feedback to institutions on their deliveries: the lifecycle of findings; receipt, report and workbook per delivery; their answers.

Belongs here: how findings are shown to the institution that delivered the records, and to no other; its answers.
Does not belong here: detecting findings (`sources`, `pipelines.validation`, `pipelines.over_time`), the texts of rules (`schemas/rules`),
the warehouse table `findings` (`warehouse`).
"""
