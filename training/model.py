"""Runs a graph (training/graph.py) with PyTorch, in float with simulated quantisation or in exact integers.

Knows nodes and parameters; nothing of landmarks, losses or data.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import quantization as q
from training.graph import channels_of

EPSILON = 0.1
"""Added to variances. Features are in integer units, whose variances are in the hundreds; this only guards dead channels."""


class GraphModule(nn.Module):
    """A trainable network for a graph.

    Input: uint8 or float [n, 3, h, w], 0..255. Output: one logit tensor [n, J, h/4, w/4] per supervised head, last the
    most refined. Parameters are named after the graph's `weight` and `norm` names.
    """

    def __init__(self, graph: dict, momentum: float = 0.05) -> None:
        super().__init__()
        self.graph = graph
        self.momentum = momentum
        self.heads = graph.get("supervised", graph["outputs"])
        channels = channels_of(graph)
        self.weights, self.norms = nn.ParameterDict(), nn.ModuleDict()
        for node in graph["nodes"]:
            if node["op"] == "conv2d" and key(node["weight"]) not in self.weights:
                fan_in = channels[node["inputs"][0]]
                shape = (node["outChannels"], fan_in, node["kernel"], node["kernel"])
                bound = (fan_in * node["kernel"] ** 2) ** -0.5
                self.weights[key(node["weight"])] = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
            elif node["op"] == "requantize" and key(node["norm"]) not in self.norms:
                self.norms[key(node["norm"])] = Norm(channels[node["output"]])
        self._last_use = last_use(graph)

    def weight(self, node: dict) -> Tensor:
        """The node's weight in integer units (float for f32)."""
        return q.quantize_weight(self.weights[key(node["weight"])], node["encoding"], node["output"] not in self.heads)

    def head_scale(self, node: dict) -> Tensor:
        """Logit per unit of a head's accumulator."""
        if node["encoding"] == "f32":
            return torch.ones(())
        return q.int8_scale(self.weights[key(node["weight"])], per_filter=False) / q.LEVELS_PER_UNIT

    def forward(self, image: Tensor) -> list[Tensor]:
        values: dict[str, Tensor] = {}
        x = image.float()
        name = self.graph["input"]["name"]
        is_float = self.graph["nodes"][0]["encoding"] == "f32"
        values[name] = x / 255 if is_float else torch.floor(x / (1 << self.graph["input"]["shift"]))
        values[name] = values[name].contiguous(memory_format=torch.channels_last)
        heads = {}
        for node in self.graph["nodes"]:
            inputs = [values[i] for i in node["inputs"]]
            if node["op"] == "conv2d":
                out = F.conv2d(inputs[0], self.weight(node), stride=node["stride"], padding=node["kernel"] // 2)
                if node["output"] in self.heads:
                    heads[node["output"]] = out * self.head_scale(node)
            elif node["op"] == "requantize":
                joined = inputs[0] if len(inputs) == 1 else torch.cat(inputs, 1)
                out = self.norms[key(node["norm"])](joined, self.momentum)
                if node["inputBits"] >= 32:
                    out = F.relu_(out)
                else:
                    out = q.quantize_activation(out, 2 ** (node["inputBits"] - 1) - 1)
            elif node["op"] == "max_pool2d":
                out = F.max_pool2d(inputs[0], 2)
            elif node["op"] == "upsample2d":
                out = F.interpolate(inputs[0], scale_factor=2, mode="nearest")
            else:
                raise ValueError(f"unknown op '{node['op']}'")
            values[node["output"]] = out
            for dead in self._last_use[node["output"]]:
                del values[dead]
        return [heads[name] for name in self.heads]

    def clamp_latent(self) -> None:
        """Keeps latent weights of low-bit convolutions within -1..1, where their gradient lives."""
        with torch.no_grad():
            for node in self.graph["nodes"]:
                if node["op"] == "conv2d" and node["encoding"] in ("b1", "t2"):
                    self.weights[key(node["weight"])].clamp_(-1, 1)


class Norm(nn.Module):
    """Batch norm whose output is in activation levels: LEVELS_PER_UNIT * (gamma * normalised + beta)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor, momentum: float) -> Tensor:
        unit = q.LEVELS_PER_UNIT
        return F.batch_norm(
            x, self.mean, self.variance, self.gamma * unit, self.beta * unit, self.training, momentum, EPSILON
        )

    def affine(self) -> tuple[Tensor, Tensor]:
        """(scale, offset) of the evaluation-mode norm, float64 [c], in levels."""
        scale = q.LEVELS_PER_UNIT * self.gamma.double() / (self.variance.double() + EPSILON).sqrt()
        return scale, q.LEVELS_PER_UNIT * self.beta.double() - scale * self.mean.double()


def key(name: str) -> str:
    """Module key of a parameter name (PyTorch forbids dots)."""
    return name.replace(".", "/")


def last_use(graph: dict) -> dict[str, list[str]]:
    """For every node output, the tensors that no later node reads."""
    last = {}
    for node in graph["nodes"]:
        for name in node["inputs"]:
            last[name] = node["output"]
    dead: dict[str, list[str]] = {node["output"]: [] for node in graph["nodes"]}
    for name, reader in last.items():
        dead[reader].append(name)
    return dead
