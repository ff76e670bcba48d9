"""Reads checkpoints of the authors' code (github.com/zhiqiangdon/CU-Net) into our graph and master weights.

`python -m training.import_reference cu-net-face.pth.tar --out training/masters/reference.safetensors`

Both generations of that code are read; their state dictionaries differ in names alone. Shapes give the number of U-Nets, the order
and the widths. The result computes what the authors' network computes in evaluation mode, with 8 bits per weight and activation
(`--weights i8`, ready for a pack) or in float (`f32`).

Five conventions differ. Four are folded into the weights: their stem has a norm and a ReLU before pooling (ours pools first, so a
filter whose norm has a negative factor changes sign), their activations are in units (ours in levels), their norms add 1e-5
to the variance (ours 0.1), and their heatmaps are an eighth of our logits. The fifth is an option of the
configuration: their crops were stretched to the full range of brightness (`Config.stretch`).

The configurations `cu-net-face` and `cu-net-human` are the two published networks:

`python -m training.evaluate --config cu-net-face --checkpoint training/masters/reference.safetensors --data FOLDER:faces`
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re

import torch
from torch import Tensor

from training.graph import GraphConfig, build_graph
from training.losses import LOGITS_PER_UNIT
from training.model import EPSILON, GraphModule, key
from training.pack import safetensors_bytes
from training.quantization import int8_scale, levels_per_unit

REFERENCE_EPSILON = 1e-5
LEVELS_OF_WHITE = 255 / 2
"""Activation of a white pixel in the integer network; the authors' is 1."""


@dataclasses.dataclass
class ReferenceNorm:
    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor


class Reference:
    """A checkpoint's tensors under our names, whichever generation wrote them."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = {name.removeprefix("module."): torch.as_tensor(t).float() for name, t in state.items()}
        self.old = "hg.down_blocks.0.layers.0.bottleneck.conv_weight" in self.state

    def tensor(self, name: str) -> Tensor:
        if name not in self.state:
            raise ValueError(f"the checkpoint has no '{name}': expected a CU-Net of github.com/zhiqiangdon/CU-Net")
        return self.state[name]

    def _place(self, name: str) -> tuple[str, str]:
        """The module that holds our convolution `name`, and which of our parts it is."""
        if name == "stem":
            return "features", "stem"
        t, rest = re.fullmatch(r"u(\d+)\.(.*)", name).groups()
        if rest == "head":
            return f"linears.{t}", "head"
        if rest == "merge":
            return f"intermedia.adapters.{int(t) - 1}", "adapter"
        block, part = rest.split(".")
        kind = {"d": f"down_blocks.{block[1:]}", "u": f"up_blocks.{block[1:]}"}.get(block[0], "neck_block")
        where = "layers" if part in ("neck", "grow") else f"adapters_{part}"
        return f"hg.{kind}.{where}.{t}", part if part in ("neck", "grow") else "adapter"

    def convolution(self, name: str) -> Tensor:
        module, part = self._place(name)
        old = {"neck": "bottleneck.conv_weight", "grow": "conv.2.weight", "adapter": "conv_weight"}
        new = {"neck": "conv1.weight", "grow": "conv2.weight", "adapter": "adapter_conv.weight"}
        both = {"stem": "conv0.weight", "head": "conv.weight"}
        return self.tensor(f"{module}.{(both | (old if self.old else new))[part]}")

    def norm(self, name: str) -> ReferenceNorm:
        """The norm in front of our convolution `name`; of `stem`, the one behind it."""
        module, part = self._place(name)
        raw = {"neck": "bottleneck.norm_", "adapter": "norm_"} if self.old else {}
        modules = {"neck": "norm1.", "grow": "norm.2." if self.old else "norm2.", "adapter": "adapter_norm.", "head": "norm.", "stem": "norm0."}
        prefix = f"{module}.{(modules | raw)[part]}"
        return ReferenceNorm(*(self.tensor(prefix + end) for end in ("weight", "bias", "running_mean", "running_var")))


def graph_config(reference: Reference, weights: str, input_size: int = 256) -> GraphConfig:
    """The shape of a checkpoint's network."""
    stem, first = reference.tensor("features.conv0.weight"), reference.convolution("u0.d0.grow")
    stacks = len({n.split(".")[1] for n in reference.state if n.startswith("linears.")})
    channels, growth = len(stem), len(first)
    # The last U-Net's bottleneck reads the trunk and `order` growth features.
    order = (reference.convolution(f"u{stacks - 1}.d0.neck").shape[1] - channels) // growth
    return GraphConfig(
        landmarks=len(reference.convolution("u0.head")), stacks=stacks, order=order, channels=channels, growth=growth,
        neck=first.shape[1] // growth, input_size=input_size, stem_kernel=stem.shape[-1], stem_norm=True, weights=weights,
        end_weights=weights, input_bits=32 if weights == "f32" else 8,
    )


def convert(state: dict[str, Tensor], weights: str = "f32", input_size: int = 256) -> tuple[GraphConfig, GraphModule]:
    """Configuration and network, in evaluation mode, of a state dictionary. `weights` is f32 or i8.

    Raises ValueError for tensors that are missing or do not fit.
    """
    if weights not in ("f32", "i8"):
        raise ValueError(f"weights '{weights}': expected f32 or i8")
    reference = Reference(state)
    config = graph_config(reference, weights, input_size)
    model = GraphModule(build_graph(config))
    levels = levels_per_unit(config.input_bits)
    worth: dict[str, Tensor] = {}  # of every feature: our value for 1 of theirs, per channel
    behind_stem = reference.norm("stem")
    flip = torch.where(behind_stem.gamma < 0, -1.0, 1.0)
    with torch.no_grad():
        for node in model.graph["nodes"]:
            if node["op"] == "conv2d":
                name = node["weight"]
                if name == "stem.out":
                    weight = torch.eye(config.channels)[:, :, None, None]
                elif name == "stem":
                    weight = reference.convolution(name) * flip.view(-1, 1, 1, 1)
                else:
                    weight = reference.convolution(name)
                if name.endswith(".head"):  # their heatmaps are logits / LOGITS_PER_UNIT
                    weight = weight * LOGITS_PER_UNIT
                put(model.weights[key(name)], weight, name)
                unit = levels if name != "stem" else (LEVELS_OF_WHITE if weights == "i8" else 1.0)
                if weights == "i8":
                    unit = unit / int8_scale(weight, per_filter=True).flatten()
                worth[node["output"]] = torch.as_tensor(unit).expand(node["outChannels"])
            elif node["op"] == "requantize":
                factor = torch.cat([worth[i] for i in node["inputs"]])
                if node["norm"] == "stem.out":
                    n = dataclasses.replace(behind_stem, gamma=behind_stem.gamma.abs(), mean=behind_stem.mean * flip)
                else:
                    n = reference.norm(node["norm"])
                norm = model.norms[key(node["norm"])]
                put(norm.gamma, n.gamma, node["norm"])
                put(norm.beta, n.beta, node["norm"])
                put(norm.mean, n.mean * factor, node["norm"])
                put(norm.variance, (n.variance + REFERENCE_EPSILON) * factor**2 - EPSILON, node["norm"])
            else:
                worth[node["output"]] = worth[node["inputs"][0]]
    return config, model.eval()


def put(parameter: Tensor, value: Tensor, name: str) -> None:
    if parameter.shape != value.shape:
        raise ValueError(f"'{name}' of the checkpoint has shape {tuple(value.shape)}, its network needs {tuple(parameter.shape)}")
    parameter.copy_(value)


def read_checkpoint(path: pathlib.Path) -> dict[str, Tensor]:
    """The state dictionary of an authors' checkpoint (its `state_dict` entry, or the file itself)."""
    data = torch.load(path, map_location="cpu", weights_only=True)
    return data.get("state_dict", data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--weights", choices=("f32", "i8"), default="i8")
    parser.add_argument("--input-size", type=int, default=256)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="master weights (.safetensors)")
    arguments = parser.parse_args()
    config, model = convert(read_checkpoint(arguments.checkpoint), arguments.weights, arguments.input_size)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    # float32: norms were folded exactly, and 8-bit weights are rounded from these.
    tensors = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    arguments.out.write_bytes(safetensors_bytes(tensors, {"format": "bitmarks-master/1"}))
    print(f"{arguments.out}: {config}")


if __name__ == "__main__":
    main()
