"""Rules between the cells of a row of the correctional service's register."""

from schemas.exports.build import build, in_order
from sources.contract import load

MODELS = build(
    load("corrections"),
    {"te_burgosurit": in_order("Data e pranimit", "Data e lirimit", rule="cross-release-before-admission")},
)
