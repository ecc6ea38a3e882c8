"""Rules between the cells of a row of the prosecution's four tables."""

from schemas.exports.build import build_pandera_models, make_check_of_sender, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("prosecution"),
    {
        "lenda": [
            *make_date_order_checks("data_pranimit", "data_statusit"),
            make_check_of_sender("burimi", "nr_burimit", {"police": "police", "inspectorate": "inspectorate"}),
        ]
    },
)
