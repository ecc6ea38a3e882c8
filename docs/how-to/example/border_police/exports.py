"""Rules of the Border Police between the cells of a row."""

from schemas.exports.build import build, in_order, requires
from sources.contract import load

MODELS = build(load("border_police"), {"cases": [*in_order("received_on", "sent_on"), requires("status", "sent", "sent_on")]})
