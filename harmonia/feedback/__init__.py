"""Feedback to institutions on their deliveries: the lifecycle of findings; receipt, report and workbook per delivery; their answers.

Belongs here: how findings are shown to the institution that delivered them, and only to it; its answers.
Does not belong here: finding anything (`sources`, `pipelines.validation`, `pipelines.over_time`), the words of a rule
(`schemas/rules`), the warehouse table `findings` (`warehouse`).
"""
