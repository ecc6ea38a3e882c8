"""Rules between the cells of a row of the inspectorate's list of cases."""

from schemas.exports.build import build_models, date_order_checks, date_required_check, value_required_check
from sources.contract import load

MODELS = build_models(
    load("inspectorate"),
    {
        "lendet": [
            *date_order_checks("Data e pranimit", "Data e dërgimit"),
            date_required_check("Statusi", "sent", "Data e dërgimit"),
            value_required_check("Statusi", ("sent",), "Nr. i prokurorisë"),
        ]
    },
)
