"""Rules between the cells of a row of the inspectorate's list of cases."""

from schemas.exports.build import build, in_order, names, requires
from sources.contract import load

MODELS = build(
    load("inspectorate"),
    {
        "lendet": [
            *in_order("Data e pranimit", "Data e dërgimit"),
            requires("Statusi", "sent", "Data e dërgimit"),
            names("Statusi", ("sent",), "Nr. i prokurorisë"),
        ]
    },
)
