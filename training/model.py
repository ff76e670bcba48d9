"""Runs a graph (training/graph.py) with PyTorch, in float with simulated quantisation or in exact integers.

Knows nodes and parameters; nothing of landmarks, losses or data.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import distributed, storage
from training import quantization as q
from training.graph import channels_of

EPSILON = 0.1
"""Added to variances. Features are in integer units, whose variances are in the hundreds; this only guards dead channels."""
NAIVE = 0
"""`keep_bits` of ordinary autograd, which keeps every concatenation and activation."""


class GraphModule(nn.Module):
    """A trainable network for a graph.

    Input: uint8 or float [n, 3, h, w], 0..255. Output: one logit tensor [n, J, h/4, w/4] per supervised head, last the
    most refined. Parameters are named after the graph's `weight` and `norm` names.

    keep_bits says what training keeps of a feature between forward and backward: 0 everything autograd wants, 32 the feature
    alone, 16 and less a packed form (training/storage.py). float_weights runs low-bit convolutions with their latent
    weights, the first stage of progressive quantisation.
    """

    def __init__(self, graph: dict, momentum: float = 0.05, keep_bits: int = NAIVE) -> None:
        super().__init__()
        self.graph = graph
        self.momentum = momentum
        self.keep_bits = keep_bits
        self.float_weights = False
        self.heads = graph.get("supervised", graph["outputs"])
        channels = channels_of(graph)
        self.weights, self.norms = nn.ParameterDict(), nn.ModuleDict()
        self._unit = {graph["input"]["name"]: 1.0}
        self._readers: dict[str, list[dict]] = {}
        for node in graph["nodes"]:
            if node["op"] == "conv2d":
                self._readers.setdefault(node["inputs"][0], []).append(node)
                if key(node["weight"]) not in self.weights:
                    fan_in = channels[node["inputs"][0]] // node.get("groups", 1)
                    shape = (node["outChannels"], fan_in, node["kernel"], node["kernel"])
                    bound = (fan_in * node["kernel"] ** 2) ** -0.5
                    self.weights[key(node["weight"])] = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
            elif node["op"] == "requantize":
                self._unit[node["output"]] = q.levels_per_unit(node["inputBits"])
                if key(node["norm"]) not in self.norms:
                    self.norms[key(node["norm"])] = Norm(channels[node["output"]], node["inputBits"], "learnedClip" in node)
        self._last_use = last_use(graph)

    def integer_weight(self, node: dict) -> Tensor:
        """The node's weight in integer units (float for f32)."""
        return self._quantized(node, self.weights[key(node["weight"])])

    def _quantized(self, node: dict, latent: Tensor) -> Tensor:
        if self.float_weights and node["encoding"] in ("b1", "t2"):
            return latent
        return q.quantize_weight(latent, node["encoding"], node["output"] not in self.heads)

    def weight(self, node: dict, latent: Tensor) -> Tensor:
        """The node's weight as training convolves with it: in integer units, or those times alpha."""
        weight = self._quantized(node, latent)
        if "scaled" in node and not self.float_weights:
            weight = weight * q.filter_scale(latent)
        return q.with_gradient_bits(weight, node.get("gradientBits", q.FLOAT_BITS))

    def filter_units(self, node: dict) -> Tensor:
        """What one integer unit of each of the node's output channels is worth in training, float64 [out]: alpha or 1."""
        if "scaled" in node:
            return q.filter_scale(self.weights[key(node["weight"])].detach()).flatten().double()
        return torch.ones(node["outChannels"], dtype=torch.float64)

    def head_scale(self, node: dict) -> Tensor:
        """Logit per unit of a head's accumulator."""
        unit = self._unit[node["inputs"][0]]
        if node["encoding"] == "f32":
            return torch.tensor(1 / unit)
        return q.int8_scale(self.weights[key(node["weight"])], per_filter=False) / unit

    def forward(self, image: Tensor) -> list[Tensor]:
        values: dict[str, Tensor] = {}
        stored: dict[str, storage.Stored | storage.Upsampled] = {}
        recompute = self.keep_bits != NAIVE and self.training and torch.is_grad_enabled()
        x = image.float()
        name = self.graph["input"]["name"]
        is_float = self.graph["nodes"][0]["encoding"] == "f32"
        values[name] = x / 255 if is_float else torch.floor(x / (1 << self.graph["input"]["shift"]))
        values[name] = values[name].contiguous(memory_format=torch.channels_last)
        heads = {}
        for node in self.graph["nodes"]:
            output, sources = node["output"], node["inputs"]
            if node["op"] == "conv2d":
                if output not in values:  # else its activation's node has run it
                    values[output] = self._convolve(node, values[sources[0]])
                if output in self.heads:
                    heads[output] = values[output] * self.head_scale(node)
            elif node["op"] == "requantize":
                if recompute:
                    self._recomputed(node, values, stored)
                else:
                    norm = self.norms[key(node["norm"])]
                    values[output] = norm.activate([values[i] for i in sources], list(norm.parameters()), self.momentum)
            elif node["op"] == "max_pool2d":
                values[output] = storage.MaxPool.apply(values[sources[0]]) if recompute else F.max_pool2d(values[sources[0]], 2)
            elif node["op"] == "upsample2d":
                values[output] = F.interpolate(values[sources[0]], scale_factor=2, mode="nearest")
                if recompute:
                    stored[output] = storage.Upsampled(self._stored(sources[0], values, stored))
            else:
                raise ValueError(f"unknown op '{node['op']}'")
            for dead in self._last_use[output]:
                values.pop(dead, None)
        return [heads[name] for name in self.heads]

    def _convolve(self, node: dict, x: Tensor) -> Tensor:
        weight = self.weight(node, self.weights[key(node["weight"])])
        out = F.conv2d(x, weight, None, node["stride"], node["kernel"] // 2, 1, node.get("groups", 1))
        return q.with_gradient_bits(out, node.get("gradientBits", q.FLOAT_BITS))

    def _stored(self, name: str, values: dict, stored: dict) -> storage.Stored | storage.Upsampled:
        if name not in stored:
            stored[name] = storage.Stored(values[name], self.keep_bits)
        return stored[name]

    def _recomputed(self, node: dict, values: dict[str, Tensor], stored: dict) -> None:
        """Runs a requantize node and every convolution that reads it without keeping the activation."""
        norm, convs = self.norms[key(node["norm"])], self._readers[node["output"]]
        own = list(norm.parameters())
        outs = storage.RecomputedConvs.apply(
            lambda features, parameters, update: norm.activate(features, parameters, self.momentum if update else None),
            [lambda latent, conv=conv: self.weight(conv, latent) for conv in convs],
            [(conv["stride"], conv["kernel"] // 2, conv.get("groups", 1)) for conv in convs],
            [self._stored(name, values, stored) for name in node["inputs"]],
            len(own),
            *[values[name] for name in node["inputs"]], *own, *[self.weights[key(conv["weight"])] for conv in convs],
        )
        for conv, out in zip(convs, outs, strict=True):
            values[conv["output"]] = q.with_gradient_bits(out, conv.get("gradientBits", q.FLOAT_BITS))

    def low_bit_weights(self) -> list[nn.Parameter]:
        """Latent weights of the 1-bit and ternary convolutions."""
        names = {key(node["weight"]) for node in self.graph["nodes"] if node.get("encoding") in ("b1", "t2")}
        return [weight for name, weight in self.weights.items() if name in names]

    def clamp_latent(self) -> None:
        """Keeps latent weights of low-bit convolutions within -1..1, where their gradient lives.

        Filters with alpha are centred over their input channels first, as XNOR-Net binarises them.
        """
        with torch.no_grad():
            for node in self.graph["nodes"]:
                if node["op"] == "conv2d" and node["encoding"] in ("b1", "t2"):
                    weight = self.weights[key(node["weight"])]
                    if "scaled" in node:
                        weight -= weight.mean(1, keepdim=True)
                    weight.clamp_(-1, 1)


class Norm(nn.Module):
    """Batch norm whose output is in activation levels: levels_per_unit(bits) * (gamma * normalised + beta).

    With several processes the batch is that of all of them. A learned clip divides the levels before they are rounded.
    """

    def __init__(self, channels: int, bits: int, learned_clip: bool = False) -> None:
        super().__init__()
        self.bits, self.unit = bits, q.levels_per_unit(bits)
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        if learned_clip:
            self.log_clip = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def activate(self, features: list[Tensor], parameters: list[Tensor], momentum: float | None) -> Tensor:
        """BN + ReLU + quantisation of the features' concatenation with gamma, beta and, if learned, log_clip given.

        momentum None leaves the running statistics alone.
        """
        x = features[0] if len(features) == 1 else torch.cat(features, 1)
        scale, offset = parameters[0] * self.unit, parameters[1] * self.unit
        running = (self.mean, self.variance) if momentum is not None or not self.training else (None, None)
        if self.training and distributed.world_size() > 1:
            x = distributed.batch_norm(x, *running, scale, offset, momentum, EPSILON)
        else:
            x = F.batch_norm(x, *running, scale, offset, self.training, momentum or 0.0, EPSILON)
        if self.bits >= q.FLOAT_BITS:
            return F.relu_(x)
        return q.quantize_activation(x, 2 ** (self.bits - 1) - 1, parameters[2].exp() if len(parameters) > 2 else None)

    def affine(self) -> tuple[Tensor, Tensor]:
        """(scale, offset) of the evaluation-mode norm, float64 [c], in levels."""
        unit = self.unit / (self.log_clip.double().exp() if hasattr(self, "log_clip") else 1.0)
        scale = unit * self.gamma.double() / (self.variance.double() + EPSILON).sqrt()
        return scale, unit * self.beta.double() - scale * self.mean.double()


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
