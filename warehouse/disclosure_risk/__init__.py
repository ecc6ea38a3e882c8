"""Disclosure-risk test: what an intruder can infer from published releases about suppressed figures.

Belongs here: attacks on published figures by an intruder who knows the rule and its code, and by an intruder who combines everything that
was released. Does not belong here: protection. The test is independent of the protection: no module here imports `warehouse/disclosure` or
`warehouse/releases`. The protection rule is passed to the test as a function, which an outsider who has the code could call in the same
way.
"""
