"""What an institution is told about its deliveries: the findings' life, the report per delivery, the table of a trial check.

Belongs here: how findings are shown to the institution that delivered them, and only to it.
Does not belong here: finding anything (`sources`, `pipelines.validate`, `pipelines.over_time`), the words of a rule
(`schemas/rules`), the warehouse table `findings` (`warehouse`).
"""

from pipelines.feedback.console import render_check
from pipelines.feedback.life import life
from pipelines.feedback.write import write_feedback

__all__ = ["life", "render_check", "write_feedback"]
