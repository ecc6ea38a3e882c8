"""Rules between the cells of a row of the prosecution's four tables."""

from schemas.exports.build import agrees, build, in_order
from sources.contract import load

MODELS = build(
    load("prosecution"),
    {
        "lenda": [
            *in_order("data_pranimit", "data_statusit"),
            agrees("burimi", "nr_burimit", {"police": "police", "inspectorate": "inspectorate"}),
        ]
    },
)
