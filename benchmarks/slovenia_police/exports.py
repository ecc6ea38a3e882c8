"""What the register's two tables must look like."""

from schemas.exports.build import build
from sources.contract import load

MODELS = build(load("police"))
