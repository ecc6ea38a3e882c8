"""A second domain: Valmira, an invented country, all criminal offences, deliveries in German and French, no personal numbers.

Belongs here: its folder (`folder`, for `HARMONIA_DOMAIN`), its made-up deliveries (`deliver`), a plain recount of them (`recount`).
"""
