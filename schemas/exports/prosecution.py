"""Rules that compare cells of the same row in the tables of the prosecution."""

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
