"""Rules of the victim protection office between the fields of a file."""

from schemas.exports.build import build_pandera_models, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("victim_protection"),
    {
        "viktimat": [
            *make_date_order_checks("referimi.data", "hapur_me"),
            *make_date_order_checks("kompensimi.kerkuar_me", "kompensimi.vendosur_me"),
        ]
    },
)
