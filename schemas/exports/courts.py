"""Rules between the cells of a row of the courts' export."""

from schemas.exports.build import build, in_order
from sources.contract import load

MODELS = build(load("courts"), {"aktgjykimi": in_order("data", "forme_prere", rule="cross-final-before-judgment")})
