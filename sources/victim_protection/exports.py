"""Rules of the victim protection office between the fields of a file."""

from schemas.exports.build import build, in_order
from sources.contract import load

MODELS = build(
    load("victim_protection"),
    {"viktimat": [*in_order("referimi.data", "hapur_me"), *in_order("kompensimi.kerkuar_me", "kompensimi.vendosur_me")]},
)
