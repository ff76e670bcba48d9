"""The exported network in exact integers, as every engine runs it; the oracle of the parity vectors. No training."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training import quantization as q
from training.graph import prune, shift_of
from training.model import GraphModule, key


@dataclasses.dataclass
class IntegerNetwork:
    """A pruned graph with integer parameters.

    weights: int8 arrays [out, kernel, kernel, in] (OHWI); norms: name -> (m int16 [c], b int16 [c], s); scale: logit per
    heatmap unit.
    """

    graph: dict
    weights: dict[str, np.ndarray]
    norms: dict[str, tuple[np.ndarray, np.ndarray, int]]
    scale: float

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """All tensors by name, NHWC, for uint8 images [n, h, w, 3]: features int16, activations uint8."""
        x = torch.from_numpy(image).permute(0, 3, 1, 2).to(torch.int32)
        values: dict[str, Tensor] = {self.graph["input"]["name"]: x >> self.graph["input"]["shift"]}
        for node in self.graph["nodes"]:
            inputs = [values[i] for i in node["inputs"]]
            if node["op"] == "conv2d":
                weight = torch.from_numpy(self.weights[node["weight"]]).permute(0, 3, 1, 2)
                # Exact in float32: the sums of the contract stay below 2^24.
                acc = F.conv2d(inputs[0].float(), weight.float(), stride=node["stride"], padding=node["kernel"] // 2)
                out = q.shift_accumulator(acc.to(torch.int32), node["shift"])
            elif node["op"] == "requantize":
                m, b, s = self.norms[node["norm"]]
                out = q.requantize(
                    torch.cat(inputs, 1), torch.from_numpy(m).to(torch.int32), torch.from_numpy(b).to(torch.int32), s,
                    2 ** (node["inputBits"] - 1) - 1,
                )
            elif node["op"] == "max_pool2d":
                out = F.max_pool2d(inputs[0].float(), 2).to(torch.int32)
            else:
                out = F.interpolate(inputs[0].float(), scale_factor=2, mode="nearest").to(torch.int32)
            values[node["output"]] = out
        activations = {n["output"] for n in self.graph["nodes"] if n["op"] == "requantize"} | {self.graph["input"]["name"]}
        return {
            name: v.permute(0, 2, 3, 1).contiguous().numpy().astype(np.uint8 if name in activations else np.int16)
            for name, v in values.items()
        }

    def heatmaps(self, image: np.ndarray, batch: int = 50) -> np.ndarray:
        """Last output, int16 [n, h, w, J]."""
        output = self.graph["outputs"][-1]
        return np.concatenate([self.run(image[i : i + batch])[output] for i in range(0, len(image), batch)])


def smallest_shift(weight: np.ndarray, largest: int) -> int:
    """Smallest t for which no sum of these 8-bit weights [out, ...] and activations 0..largest leaves 16 bits after rounding.

    The bound of the graph's author takes every weight for 127. Filters of few large weights sum to a fraction of that, and each bit
    less that is shifted away halves the rounding of the feature.
    """
    weight = weight.reshape(len(weight), -1).astype(np.int64)
    return shift_of(largest * max(int(weight.clip(0).sum(1).max()), int(-weight.clip(max=0).sum(1).min())))


@torch.no_grad()
def integer_network(model: GraphModule) -> IntegerNetwork:
    """Folds batch norms, levels and accumulator shifts of a trained model into integers."""
    graph = prune(model.graph)
    if any("groups" in node for node in graph["nodes"]):
        raise ValueError("the graph has grouped convolutions (depthwise_growth), which packs do not hold: export it without")
    trained = {node["output"]: node for node in model.graph["nodes"]}
    weights, norms, scale = {}, {}, 1.0
    largest = {graph["input"]["name"]: 255 >> graph["input"]["shift"]}  # activation by tensor
    units: dict[str, Tensor] = {}  # what one unit of each channel of a 16-bit feature was worth in training
    for node in graph["nodes"]:
        if node["op"] == "conv2d":
            weights[node["weight"]] = model.integer_weight(node).permute(0, 2, 3, 1).contiguous().to(torch.int8).numpy()
            if node["encoding"] == "i8":
                node["shift"] = smallest_shift(weights[node["weight"]], largest[node["inputs"][0]])
            units[node["output"]] = model.filter_units(trained[node["output"]]) * 2.0 ** node["shift"]
            if node["output"] == graph["outputs"][-1]:
                scale = float(model.head_scale(node)) * 2.0 ** node["shift"]
        elif node["op"] == "requantize":
            factor = torch.cat([units[i] for i in node["inputs"]])
            norm = model.norms[key(node["norm"])]
            slope, offset = norm.affine()
            m, b, s = q.fold_norm(slope * factor, offset, norm.mean.double() / factor, 2 ** (node["inputBits"] - 1) - 1)
            largest[node["output"]] = 2 ** (node["inputBits"] - 1) - 1
            norms[node["norm"]] = (m.numpy().astype(np.int16), b.numpy().astype(np.int16), s)
        else:
            units[node["output"]] = units[node["inputs"][0]]
    return IntegerNetwork(graph, weights, norms, scale)
