"""Rules between the cells of a row of the courts' export."""

from schemas.exports.build import build_pandera_models, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("courts"), {"aktgjykimi": make_date_order_checks("data", "forme_prere", rule="cross-final-before-judgment")}
)
