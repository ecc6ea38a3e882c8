"""The defender: what of the exact figures may be published, and in what form.

Belongs here: the signed policy and its table programme, the rule of joining, what a release adds to earlier ones. Does not belong here:
files of releases (`warehouse/releases`), attacks (`warehouse/attackers`, which shares no code with this package).
"""
