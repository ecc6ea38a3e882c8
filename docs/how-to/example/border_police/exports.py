"""Rules of the Border Police between the cells of a row."""

from schemas.exports.build import build_models, date_order_checks, date_required_check
from sources.contract import load

MODELS = build_models(
    load("border_police"), {"cases": [*date_order_checks("received_on", "sent_on"), date_required_check("status", "sent", "sent_on")]}
)
