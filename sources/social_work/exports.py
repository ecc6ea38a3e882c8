"""Rules that the cells of one row have to meet together, at the centres for social work."""

from schemas.exports.build import build_pandera_models, make_date_order_checks
from sources.contract import load

MODELS = build_pandera_models(
    load("social_work"),
    {"persona": make_date_order_checks("Data_e_referimit", "Data_e_hapjes"), "sherbimet": make_date_order_checks("Prej", "Deri")},
)
