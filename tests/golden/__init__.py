"""What Harmonia published before a change, so that a change that should move no figure is seen to move none.

Belongs here: sets of deliveries, hashes of every published table and release over them, the rows in which two runs differ. Does not belong
here: whether a figure is right (`tests/oracle`).
"""
