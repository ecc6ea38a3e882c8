"""Removing a person's data from every store, while the figures stay.

Belongs here: orders and carrying them out (`orders`, `carry`), which rows are the person's and how they are emptied (`rows`, `births`),
the reading that is kept in place of a file (`reading`), what keeps links as they were (`ties`), the search for what is left (`search`).
Does not belong here: how emptied rows are judged (`pipelines.validate.blanked`), what is past its time (`pipelines.retention`).

docs/decisions/0011-erasure.md says why it is done so.
"""
