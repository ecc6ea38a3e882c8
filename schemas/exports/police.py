"""Rules between the cells of a row of the police's two tables."""

from schemas.exports.build import build_models, date_order_checks, date_required_check, value_required_check
from sources.contract import load

MODELS = build_models(
    load("police"),
    {
        "rastet": [
            *date_order_checks("Data_e_vepres", "Data_raportimit", "Data_dergimit_PSH"),
            date_required_check("Statusi", "sent", "Data_dergimit_PSH"),
            value_required_check("Statusi", ("sent",), "Nr_PP"),
        ]
    },
)
