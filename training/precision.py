"""The paper's names of precisions, and what they mean for a graph. Standard library only.

BW and TW are binary and ternary weights with float inputs and gradients, `-alpha` adds a scale per filter, `-Q` with I and/or G
quantises inputs and/or gradients; three digits give the bits of inputs, weights and gradients: BW-QIG(818), TW-QIG(626).
"""

from __future__ import annotations

import dataclasses
import re

from training.graph import GraphConfig

FLOAT = "32-32-32"


def with_precision(graph: GraphConfig, name: str) -> GraphConfig:
    """The graph at one of the paper's precisions, `32-32-32` for float.

    First and last convolutions stay float where inputs do, as in the paper; with quantised inputs they have 8 bits, so that a
    pack can hold them. ValueError for a name that is none.
    """
    graph = graph.float_twin()
    if name == FLOAT:
        return graph
    match = re.fullmatch(r"(BW|TW)(-alpha)?(?:-Q(?=[IG])(I?)(G?)\((\d)([12])(\d)\))?", name)
    if match is None or match[6] not in (None, "1" if match[1] == "BW" else "2") or (match[2] and match[1] == "TW"):
        raise ValueError(f"precision '{name}': expected {FLOAT}, BW, BW-alpha, TW, or these with bits such as BW-QIG(818) and TW-QIG(626)")
    weights, alpha, inputs, gradients = match[1], match[2], match[3], match[4]
    return dataclasses.replace(
        graph, weights="b1" if weights == "BW" else "t2", scaled=alpha is not None, end_weights="i8" if inputs else "f32",
        input_bits=int(match[5]) if inputs else 32, gradient_bits=int(match[7]) if gradients else 32,
    )


def kept_bits(graph: GraphConfig) -> int:
    """Bits with which memory-efficient training keeps a feature of this graph: those of its inputs (training/storage.py)."""
    return graph.input_bits
