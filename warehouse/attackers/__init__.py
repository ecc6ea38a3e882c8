"""The attackers: what can be learnt from published releases about figures that are not printed.

Belongs here: attacks on public cubes, by one who knows the rule and its code, by one who reckons with everything released jointly, by one
who replays the algorithm. Does not belong here: protection. Written apart from the defender: nothing here imports `warehouse/disclosure` or
`warehouse/releases`; the rule comes as a function to be called, as an outsider with the code would.
"""
