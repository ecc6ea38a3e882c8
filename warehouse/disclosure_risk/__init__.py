"""Disclosure-risk test: what an intruder can infer from published releases about suppressed figures.

Belongs here: attacks on published figures by an intruder who knows the rule and its code, and by an intruder who combines everything that
was released. Does not belong here: protection. Independent of the protection: nothing here imports `warehouse/disclosure` or
`warehouse/releases`; the rule is passed as a function, as an outsider with the code could call it.
"""
