"""Rules that compare cells of the same row in the list of cases of the police inspectorate."""

from schemas.exports.build import build_pandera_models, make_check_of_required_date, make_check_of_required_value, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("inspectorate"),
    {
        "lendet": [
            *make_date_order_checks("Data e pranimit", "Data e dërgimit"),
            make_check_of_required_date("Statusi", "sent", "Data e dërgimit"),
            make_check_of_required_value("Statusi", ("sent",), "Nr. i prokurorisë"),
        ]
    },
)
