"""Rules between the cells of a row of the police's two tables."""

from schemas.exports.build import build, in_order, names, requires
from sources.contract import load

MODELS = build(
    load("police"),
    {
        "rastet": [
            *in_order("Data_e_vepres", "Data_raportimit", "Data_dergimit_PSH"),
            requires("Statusi", "sent", "Data_dergimit_PSH"),
            names("Statusi", ("sent",), "Nr_PP"),
        ]
    },
)
