"""Rules that compare cells of the same row in the register of the correctional service."""

from schemas.exports.build import build_pandera_models, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("corrections"),
    {"te_burgosurit": make_date_order_checks("Data e pranimit", "Data e lirimit", rule="cross-release-before-admission")},
)
