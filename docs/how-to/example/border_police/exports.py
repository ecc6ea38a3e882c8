"""Rules of the Border Police between the cells of a row."""

from schemas.exports.build import build_pandera_models, make_check_of_required_date, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("border_police"),
    {"cases": [*make_date_order_checks("received_on", "sent_on"), make_check_of_required_date("status", "sent", "sent_on")]},
)
