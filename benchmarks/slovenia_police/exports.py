"""What the register's two tables must look like."""

from schemas.exports.build import build_pandera_models
from sources.contract import load

MODELS = build_pandera_models(load("police"))
