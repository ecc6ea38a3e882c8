"""Rules between the cells of a row of the prosecution's four tables."""

from schemas.exports.build import build_models, date_order_checks, sender_agrees_check
from sources.contract import load

MODELS = build_models(
    load("prosecution"),
    {
        "lenda": [
            *date_order_checks("data_pranimit", "data_statusit"),
            sender_agrees_check("burimi", "nr_burimit", {"police": "police", "inspectorate": "inspectorate"}),
        ]
    },
)
