"""What the register's two tables must look like."""

from schemas.exports.build import build_models
from sources.contract import load

MODELS = build_models(load("police"))
