"""Rules between the cells of a row of the correctional service's register."""

from schemas.exports.build import build_models, date_order_checks
from sources.contract import load

MODELS = build_models(
    load("corrections"),
    {"te_burgosurit": date_order_checks("Data e pranimit", "Data e lirimit", rule="cross-release-before-admission")},
)
