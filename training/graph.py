"""The DU-Net graph: the only author of a network's topology. Standard library only, no tensors, no training.

`build_graph(GraphConfig(...))` returns the dictionary that models/README.md section 1 defines. PyTorch executes it to
train (training/model.py), TypeScript executes the same dictionary to infer.

Architecture: Tang et al., "Quantized Densely Connected U-Nets for Efficient Landmark Localization", ECCV 2018. Each
U-Net has `depth` down blocks, a middle block and `depth` up blocks. A block is: concatenate its inputs with the growth
features that the same block of the last `order` U-Nets made; BN-ReLU-conv1x1 to `neck` * growth channels ("neck");
BN-ReLU-conv3x3 to `growth` channels ("grow", remembered for later U-Nets); BN-ReLU-conv1x1 on everything to `channels`
("ahead", and for down blocks a second one, "skip", for the up block of the same resolution). From the second U-Net on,
a "merge" 1x1 convolution reads the last U-Net's output and the inputs of the last `order` U-Nets.

Iterative refinement is unrolled: a further pass starts from a small dense block over the inputs of the first and the last U-Net
of the pass before, and its U-Nets name the same weights (norms are its own, because the statistics differ). `outputs`
holds the last heatmaps of every pass.

Precision is an attribute of a node. Beside those of the contract, nodes carry attributes that only training reads and packs
lose: `gradientBits` (k-bit gradients of a convolution's output and weight), `scaled` (1-bit weights times the mean magnitude of
their filter, the paper's alpha) and `learnedClip`. `groups` belongs to studies that packs do not hold.

Run `python -m training.graph --config face` to print a graph.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

FORMAT = "bitmarks-graph/1"
WEIGHT_LIMIT = {"b1": 1, "t2": 1, "i8": 127}
TRAINING_KEYS = {"gradientBits", "scaled", "learnedClip"}


@dataclasses.dataclass(frozen=True)
class GraphConfig:
    """Shape of a DU-Net. Sizes in pixels or channels.

    landmarks      heatmap channels J
    stacks         number of U-Nets N >= 1
    order          K: how many earlier U-Nets feed a block, 0 <= K < max(N, 2)
    channels       C: trunk width
    growth         g: channels of a remembered feature
    neck           B: bottleneck width is B * g
    depth          L: down blocks per U-Net; input_size must be divisible by 4 * 2^L
    input_size     side of the square RGB input; heatmaps have a quarter of it
    stem_kernel    odd kernel of the first convolution, stride 2 (the paper: 7)
    shared_skip_norm   ahead and skip adapters read one requantised tensor (the paper: a norm each)
    weights        encoding of all inner convolutions: b1, t2, i8 or f32
    end_weights    encoding of the first and the last convolutions: i8 or f32
    input_bits     k-bit inputs of the paper: activations take 2^(k-1) levels; 32 is float
    supervised     1-based U-Nets with a training head; () means all
    refinements    further passes over the same weights
    overrides      (name prefix, encoding) pairs for single convolutions, e.g. (("u1.merge", "i8"),); the first match counts
    layers         dense layers per block; 8 with one U-Net is the naive dense U-Net that coupled U-Nets are compared with
    stem_norm      BN and ReLU between the stem and the first U-Net, as in the paper; costs a 1x1 convolution here, because blocks
                   read features and not activations
    depthwise_growth   the 3x3 growth convolution becomes a depthwise 3x3 and a 1x1 (training studies only)
    gradient_bits  k-bit gradients of inner convolutions' weights and outputs; 32 is float
    scaled         inner 1-bit weights carry the paper's alpha (mean magnitude of the filter), with its gradient
    learned_clip   every requantize learns where its inputs are clipped (LSQ) instead of clipping at four standard deviations
    deep_channels  C of the blocks at an eighth of the input and coarser, the middle block's last: `depth` numbers; () means `channels`.
                   A block at half the resolution costs a quarter of the multiply-adds
    deep_growth    g of the same blocks; () means `growth`
    """

    landmarks: int = 68
    stacks: int = 2
    order: int = 1
    channels: int = 64
    growth: int = 16
    neck: int = 4
    depth: int = 4
    input_size: int = 128
    stem_kernel: int = 7
    shared_skip_norm: bool = False
    weights: str = "b1"
    end_weights: str = "i8"
    input_bits: int = 8
    supervised: tuple[int, ...] = ()
    refinements: int = 0
    overrides: tuple[tuple[str, str], ...] = ()
    layers: int = 1
    stem_norm: bool = False
    depthwise_growth: bool = False
    gradient_bits: int = 32
    scaled: bool = False
    learned_clip: bool = False
    deep_channels: tuple[int, ...] = ()
    deep_growth: tuple[int, ...] = ()

    def width(self, level: int) -> int:
        """C of the blocks at level 0 (a quarter of the input) to `depth` (the middle block)."""
        return self.deep_channels[level - 1] if level > 0 and self.deep_channels else self.channels

    def growth_at(self, level: int) -> int:
        """g of the same blocks."""
        return self.deep_growth[level - 1] if level > 0 and self.deep_growth else self.growth

    def float_twin(self) -> "GraphConfig":
        """The same shape with float weights, activations and gradients."""
        return dataclasses.replace(
            self, weights="f32", end_weights="f32", input_bits=32, overrides=(), gradient_bits=32, scaled=False, learned_clip=False
        )


def accumulator_shift(fan_in: int, encoding: str, input_limit: int) -> int:
    """Smallest t for which no sum of `fan_in` products leaves 16 bits after rounding (models/README.md section 2)."""
    if encoding == "f32":
        return 0
    return shift_of(fan_in * WEIGHT_LIMIT[encoding] * input_limit)


def shift_of(largest: int) -> int:
    """Smallest t with which sums up to `largest` fit 16 bits after rounding."""
    shift = 0
    while (largest + ((1 << shift) >> 1)) >> shift > 32767:
        shift += 1
    return shift


class _Builder:
    """Appends nodes and remembers each tensor's channel count. Names get the prefix of the pass, weights do not."""

    def __init__(self, config: GraphConfig) -> None:
        self.config = config
        self.prefix = ""
        self.nodes: list[dict] = []
        self.channels: dict[str, int] = {"image": 3}

    def encoding(self, name: str, end: bool) -> str:
        for prefix, encoding in self.config.overrides:
            if name.startswith(prefix):
                return encoding
        return self.config.end_weights if end else self.config.weights

    def conv(
        self, name: str, source: str, out: int, kernel: int, stride: int = 1, end: bool = False, groups: int = 1
    ) -> str:
        encoding = self.encoding(name, end)
        limit = 127 if source == "image" else 2 ** (self.config.input_bits - 1) - 1
        output = self.prefix + name
        node = {
            "op": "conv2d", "inputs": [source], "output": output, "weight": name, "kernel": kernel,
            "stride": stride, "outChannels": out, "encoding": encoding,
            "shift": accumulator_shift(kernel * kernel * self.channels[source] // groups, encoding, limit),
        }
        if groups > 1:
            node["groups"] = groups
        if self.config.gradient_bits < 32 and not end:
            node["gradientBits"] = self.config.gradient_bits
        if self.config.scaled and encoding == "b1" and not end:
            node["scaled"] = True
        self.nodes.append(node)
        self.channels[output] = out
        return output

    def requantize(self, name: str, inputs: list[str]) -> str:
        """BN + ReLU + quantise of the concatenation; the activation is called `<name>.q`."""
        norm = self.prefix + name
        bits = self.config.input_bits
        self.nodes.append({"op": "requantize", "inputs": list(inputs), "output": f"{norm}.q", "norm": norm, "inputBits": bits})
        if self.config.learned_clip and bits < 32:
            self.nodes[-1]["learnedClip"] = True
        self.channels[f"{norm}.q"] = sum(self.channels[i] for i in inputs)
        return f"{norm}.q"

    def norm_conv(self, name: str, inputs: list[str], out: int, kernel: int = 1, end: bool = False) -> str:
        return self.conv(name, self.requantize(name, inputs), out, kernel, end=end)

    def resize(self, op: str, name: str, source: str) -> str:
        output = self.prefix + name
        self.nodes.append({"op": op, "inputs": [source], "output": output})
        self.channels[output] = self.channels[source]
        return output

    def dense_layer(self, name: str, read: list[str], growth: int) -> str:
        """BN-ReLU-conv1x1 to the bottleneck, BN-ReLU-conv3x3 to the growth feature."""
        width = self.config.neck * growth
        neck = self.norm_conv(f"{name}.neck", read, width)
        if self.config.depthwise_growth:
            depthwise = self.conv(f"{name}.depthwise", self.requantize(f"{name}.depthwise", [neck]), width, 3, groups=width)
            return self.norm_conv(f"{name}.grow", [depthwise], growth)
        return self.norm_conv(f"{name}.grow", [neck], growth, kernel=3)

    def block(self, name: str, level: int, inputs: list[str], memory: list[str], skip: bool) -> tuple[str, str | None]:
        """One semantic block; appends its growth feature to `memory` and returns (ahead, skip)."""
        c, width = self.config, self.config.width(level)
        read = inputs + memory
        for layer in range(c.layers):
            grow = self.dense_layer(name if c.layers == 1 else f"{name}.{layer}", read, c.growth_at(level))
            read = read + [grow]
        ahead_in = self.requantize(f"{name}.ahead", read)
        ahead = self.conv(f"{name}.ahead", ahead_in, width, 1)
        skip_out = None
        if skip:
            skip_in = ahead_in if c.shared_skip_norm else self.requantize(f"{name}.skip", read)
            skip_out = self.conv(f"{name}.skip", skip_in, width, 1)
        memory.append(grow)
        if len(memory) > c.order:
            memory.pop(0)
        return ahead, skip_out

    def refine(self, first: str, last: str) -> str:
        """Two dense layers over the inputs of the first and the last U-Net make the next pass's input."""
        read = [first, last]
        for layer in range(2):
            read.append(self.dense_layer(f"refine.{layer}", read, self.config.growth))
        return self.norm_conv("refine", read, self.config.channels)

    def stack(self, trunk: str, supervised: set[int]) -> tuple[str, str, list[str]]:
        """All U-Nets of one pass; returns the inputs of the first and the last, and the heads."""
        c = self.config
        first, up = trunk, ""
        merge_memory: list[str] = []
        memories: dict[str, list[str]] = {}
        heads = []
        for t in range(c.stacks):
            u = f"u{t}"
            if t > 0:
                merge_memory = (merge_memory + [trunk])[-c.order :] if c.order else []
                trunk = self.norm_conv(f"{u}.merge", [up, *merge_memory], c.channels)
            x, skips = trunk, []
            for j in range(c.depth):
                x, skip = self.block(f"{u}.d{j}", j, [x], memories.setdefault(f"d{j}", []), skip=True)
                skips.append(skip)
                x = self.resize("max_pool2d", f"{u}.d{j}.pool", x)
            x, _ = self.block(f"{u}.mid", c.depth, [x], memories.setdefault("mid", []), skip=False)
            for j in reversed(range(c.depth)):
                x = self.resize("upsample2d", f"{u}.u{j}.up", x)
                x, _ = self.block(f"{u}.u{j}", j, [x, skips[j]], memories.setdefault(f"u{j}", []), skip=False)
            up = x
            if t + 1 in supervised:
                heads.append(self.norm_conv(f"{u}.head", [up], c.landmarks, end=True))
        return first, trunk, heads


def build_graph(config: GraphConfig) -> dict:
    """The graph of a DU-Net; raises ValueError for a shape that cannot be."""
    c = config
    if c.stacks < 1 or not 0 <= c.order < max(c.stacks, 2):
        raise ValueError(f"order {c.order} with {c.stacks} U-Nets: expected 0 <= order < stacks")
    if c.input_size % (4 << c.depth):
        raise ValueError(f"input_size {c.input_size}: expected a multiple of {4 << c.depth} for depth {c.depth}")
    if c.layers < 1 or (c.layers > 1 and c.stacks > 1):
        raise ValueError(f"{c.layers} dense layers per block in {c.stacks} U-Nets: expected 1, or more in a single U-Net")
    for name in ("deep_channels", "deep_growth"):
        if len(getattr(c, name)) not in (0, c.depth):
            raise ValueError(f"{name} {getattr(c, name)}: expected a number for each of the {c.depth} levels below the first, or none")
    if c.stem_kernel % 2 == 0:
        raise ValueError(f"stem_kernel {c.stem_kernel}: expected an odd number")
    supervised = set(c.supervised or range(1, c.stacks + 1))
    if c.stacks not in supervised or not supervised <= set(range(1, c.stacks + 1)):
        raise ValueError(f"supervised {sorted(supervised)}: expected U-Nets 1..{c.stacks}, the last among them")

    b = _Builder(c)
    trunk = b.resize("max_pool2d", "stem.pool", b.conv("stem", "image", c.channels, c.stem_kernel, stride=2, end=True))
    if c.stem_norm:
        trunk = b.norm_conv("stem.out", [trunk], c.channels, end=True)
    outputs, heads = [], []
    for p in range(c.refinements + 1):
        first, last, pass_heads = b.stack(trunk, supervised)
        heads += pass_heads
        outputs.append(pass_heads[-1])
        if p < c.refinements:
            b.prefix = f"p{p + 1}."
            trunk = b.refine(first, last)
    return {
        "format": FORMAT,
        "input": {"name": "image", "shape": [c.input_size, c.input_size, 3], "shift": 1},
        "outputs": outputs,
        "supervised": heads,
        "nodes": b.nodes,
    }


def prune(graph: dict) -> dict:
    """The graph without what its `outputs` or inference do not need, as packs hold it."""
    needed, nodes = set(graph["outputs"]), []
    for node in reversed(graph["nodes"]):
        if node["output"] in needed:
            nodes.append({key: value for key, value in node.items() if key not in TRAINING_KEYS})
            needed.update(node["inputs"])
    return {key: graph[key] for key in ("format", "input", "outputs")} | {"nodes": nodes[::-1]}


def channels_of(graph: dict) -> dict[str, int]:
    """Channel count of every tensor by name."""
    channels = {graph["input"]["name"]: graph["input"]["shape"][2]}
    for node in graph["nodes"]:
        total = sum(channels[i] for i in node["inputs"])
        channels[node["output"]] = node.get("outChannels", total)
    return channels


def count(graph: dict) -> dict[str, int]:
    """Convolution weights, norm channels and multiply-adds of all nodes (each parameter name once)."""
    channels = channels_of(graph)
    size = {graph["input"]["name"]: graph["input"]["shape"][0]}
    weights, norms, multiply_adds = {}, {}, 0
    for node in graph["nodes"]:
        side = size[node["inputs"][0]]
        if node["op"] == "conv2d":
            side = -(-side // node["stride"])
            n = node["kernel"] ** 2 * channels[node["inputs"][0]] * node["outChannels"] // node.get("groups", 1)
            weights[node["weight"]] = n
            multiply_adds += n * side * side
        elif node["op"] == "requantize":
            norms[node["norm"]] = channels[node["output"]]
        else:
            side = side // 2 if node["op"] == "max_pool2d" else side * 2
        size[node["output"]] = side
    return {"weights": sum(weights.values()), "norms": sum(norms.values()), "multiplyAdds": multiply_adds}


def to_json(graph: dict) -> bytes:
    """The bytes that packs hold."""
    return json.dumps(graph, separators=(",", ":")).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description="Print a configuration's graph and its counts.")
    parser.add_argument("--config", default="face")
    parser.add_argument("--counts", action="store_true", help="print counts instead of the graph")
    arguments = parser.parse_args()
    from training.configs import load_config

    graph = build_graph(load_config(arguments.config).graph)
    print(json.dumps(count(graph)) if arguments.counts else to_json(graph).decode())


if __name__ == "__main__":
    main()
