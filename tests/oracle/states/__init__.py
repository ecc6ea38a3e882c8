"""Does a part pass for the whole? Damaged deliveries of five institutions, and what every output says of them.

What is damaged follows from the inbox (`damages`); by counting-rules.md, "coverage", it follows which deliveries are partial, unreadable
or missing and which figures are incomplete. `outputs` reads what the commands write and say; `compare` tells figures that pass for complete
and states that differ between outputs. Nothing of what is checked is imported.
"""
