"""Rules that the fields of one file have to meet together, at the victim protection office."""

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
