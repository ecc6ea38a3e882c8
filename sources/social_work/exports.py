"""Rules of the centres for social work between the cells of a row."""

from schemas.exports.build import build_pandera_models, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("social_work"),
    {"persona": make_date_order_checks("Data_e_referimit", "Data_e_hapjes"), "sherbimet": make_date_order_checks("Prej", "Deri")},
)
