"""Rules that compare cells of the same row in the tables of the police."""

from schemas.exports.build import build_pandera_models, make_check_of_required_date, make_check_of_required_value, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("police"),
    {
        "rastet": [
            *make_date_order_checks("Data_e_vepres", "Data_raportimit", "Data_dergimit_PSH"),
            make_check_of_required_date("Statusi", "sent", "Data_dergimit_PSH"),
            make_check_of_required_value("Statusi", ("sent",), "Nr_PP"),
        ]
    },
)
