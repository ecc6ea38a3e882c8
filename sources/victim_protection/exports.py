"""Rules of the victim protection office between the fields of a file."""

from schemas.exports.build import build_models, date_order_checks
from sources.contract import load

MODELS = build_models(
    load("victim_protection"),
    {"viktimat": [*date_order_checks("referimi.data", "hapur_me"), *date_order_checks("kompensimi.kerkuar_me", "kompensimi.vendosur_me")]},
)
