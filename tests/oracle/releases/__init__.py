"""Do the published figures equal the warehouse? A recomputation written from the docs, importing nothing of what it checks.

Every public form of a release is read back with somebody else's reader (`forms`), each figure is counted again from `statistics`,
`counted` and `bridge` of the warehouse that it says it knows (`expected`), and the two are compared (`compare`). `history` writes what
is read: releases over years of simulated deliveries.
"""
