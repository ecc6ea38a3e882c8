"""Rules of the centres for social work between the cells of a row."""

from schemas.exports.build import build, in_order
from sources.contract import load

MODELS = build(load("social_work"), {"persona": in_order("Data_e_referimit", "Data_e_hapjes"), "sherbimet": in_order("Prej", "Deri")})
