"""Rules that compare cells of the same row in the tables of the courts."""

from schemas.exports.build import build_pandera_models, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("courts"), {"aktgjykimi": make_date_order_checks("data", "forme_prere", rule="cross-final-before-judgment")}
)
