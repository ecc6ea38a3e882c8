"""What an institution is told about its deliveries, and what it answers: the findings' life, receipt, report and workbook per delivery.

Belongs here: how findings are shown to the institution that delivered them, and only to it; its answers.
Does not belong here: finding anything (`sources`, `pipelines.validate`, `pipelines.over_time`), the words of a rule
(`schemas/rules`), the warehouse table `findings` (`warehouse`).
"""
