"""Files of a run that can be killed at any moment: what they hold, how they are replaced, how another run starts from one."""

from __future__ import annotations

import pathlib
import re

import torch

from training.graph import GraphConfig, build_graph, channels_of
from training.model import GraphModule, key
from training.pack import read_safetensors
from training.schedule import trained_weights

REFINED = re.compile(r"^norms\.p\d+/")
"""Start of the name of a norm of a further pass."""
REFINE = "refine"
"""Name of the convolution that ends the block between two passes."""


def save(path: pathlib.Path, step: int, parts: dict[str, object]) -> None:
    """Writes the state of every part; a kill leaves either the old file or the new one."""
    partial = path.with_suffix(".part")
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, partial)
    partial.replace(path)


def load(path: pathlib.Path, parts: dict[str, object], device: torch.device) -> int:
    """Restores every part from a file of `save` and returns its step."""
    saved = torch.load(path, weights_only=True, map_location=device)
    for name, part in parts.items():
        if name not in saved:
            raise SystemExit(f"{path} has no '{name}': it is of a run with other options; continue with those or remove it")
        part.load_state_dict(saved[name])
    return saved["step"]


def start_from(model: GraphModule, path: pathlib.Path) -> list[str]:
    """Starts from another run's checkpoint (averaged weights where it kept them) or from master weights; returns the names of what
    was not taken.

    The other network may be narrower: each of its channels becomes the first ones of the same tensor here, part by part where a
    convolution reads a concatenation (the growing of Chen et al., "Net2Net", ICLR 2016, without its exactness, which 1-bit weights
    cannot have). A smaller kernel takes the middle of the other's. A further pass starts from the norms of the first, and, where the
    file has no block between the passes, as a repetition of it. Heads of another number of landmarks, and what a wider network or one of another topology has, are not taken.
    """
    saved, own, taken = weights_of(path), model.state_dict(), set()
    image = model.graph["input"]["name"]
    here = channels_of(model.graph)
    places = {image: torch.arange(here[image])}  # which channels of a tensor here are the other network's
    for node in model.graph["nodes"]:
        output, first, parts = node["output"], 0, []
        for source in node["inputs"]:
            parts.append(places[source] + first)
            first += here[source]
        places[output] = read = torch.cat(parts)
        if node["op"] == "conv2d":
            name = "weights." + key(node["weight"])
            block = middle_of(saved.get(name, torch.empty(0, 0, 0, 0)), own[name].shape[-1])
            is_depthwise = node.get("groups", 1) > 1
            if not is_depthwise:
                places[output] = torch.arange(len(block) if len(block) <= here[output] else 0)
            fan_in = 1 if is_depthwise else len(read)
            has_place = 0 < len(block) == len(places[output])
            is_other_head = output in model.heads and len(block) != here[output]
            if has_place and block.shape[1:] == (fan_in, *own[name].shape[2:]) and not is_other_head:
                own[name][places[output][:, None], torch.arange(1) if is_depthwise else read] = block
                taken.add(name)
            elif node["weight"] == REFINE and name not in saved:
                places[output] = places[refined_input(model.graph, node)]
        elif node["op"] == "requantize":
            for part in ("gamma", "beta", "mean", "variance"):
                name = f"norms.{key(node['norm'])}.{part}"
                source = name if name in saved else REFINED.sub("norms.", name)
                if source in saved and len(saved[source]) == len(read):
                    own[name][read] = saved[source]
                    taken.add(name)
            clip = f"norms.{key(node['norm'])}.log_clip"
            if clip in saved and clip in own:
                own[clip].copy_(saved[clip])
                taken.add(clip)
    if "weights." + REFINE not in saved:
        taken |= repeat_first_pass(model)
    return sorted(set(own) - taken)


def middle_of(weight: torch.Tensor, kernel: int) -> torch.Tensor:
    """The middle of a convolution's weights [out, in, k, k] where k is larger than `kernel` (both odd); else all."""
    side = weight.shape[-1]
    cut = max(0, (side - kernel) // 2)
    return weight[..., cut : side - cut, cut : side - cut]


def repeat_first_pass(model: GraphModule) -> set[str]:
    """Makes the block between two passes hand on the input of the first U-Net, so that the second pass begins with the first one's result
    instead of spoiling the shared weights until it has one; returns the names that were set.

    Needs a `refine` convolution of more than 2 bits (a sign cannot be 0). Its norm moves the feature, of either sign, into the range of an
    activation: half a unit to the standard deviation, about a middle of 2. The norms that read the result learn its statistics, which
    follow from that. Does nothing to a network of one pass.
    """
    graph, own, taken = model.graph, model.state_dict(), set()
    for index, node in enumerate(graph["nodes"]):
        if node.get("weight") != REFINE or node["encoding"] not in ("i8", "f32"):
            continue
        weight, channels = own["weights." + REFINE].zero_(), torch.arange(node["outChannels"])
        weight[channels, channels] = 1.0
        source = refined_input(graph, node)
        known = norm_channels(model, next(reader for reader in graph["nodes"] if source in reader["inputs"]), source)
        block = producer(graph, node["inputs"][0])
        begin = norm_channels(model, block, source)
        begin["mean"].copy_(known["mean"])
        begin["variance"].copy_(known["variance"])
        begin["gamma"].fill_(0.5)
        begin["beta"].fill_(2.0)
        unit = model.norms[key(block["norm"])].unit * (127 if node["encoding"] == "i8" else 1)
        for reader in graph["nodes"][index:]:
            if reader["op"] == "requantize" and node["output"] in reader["inputs"]:
                end = norm_channels(model, reader, node["output"])
                end["mean"].fill_(2.0 * unit)
                end["variance"].fill_((0.5 * unit) ** 2)
        taken.add("weights." + REFINE)
    return taken


def producer(graph: dict, tensor: str) -> dict:
    """The node that makes a tensor."""
    return next(node for node in graph["nodes"] if node["output"] == tensor)


def refined_input(graph: dict, refine: dict) -> str:
    """The input of the first U-Net of the pass that a `refine` convolution ends."""
    return producer(graph, refine["inputs"][0])["inputs"][0]


def norm_channels(model: GraphModule, reader: dict, tensor: str) -> dict[str, torch.Tensor]:
    """Views of a requantize node's gamma, beta, mean and variance at the channels of one of the tensors it reads."""
    here = channels_of(model.graph)
    start = sum(here[name] for name in reader["inputs"][: reader["inputs"].index(tensor)])
    norm = model.norms[key(reader["norm"])]
    return {part: getattr(norm, part).detach()[start : start + here[tensor]] for part in ("gamma", "beta", "mean", "variance")}


def weights_of(path: pathlib.Path) -> dict[str, torch.Tensor]:
    """Tensors by name of a checkpoint of `save` or of master weights (.safetensors), float32."""
    if path.suffix == ".safetensors":
        return {name: torch.from_numpy(array.astype("float32")) for name, array in read_safetensors(path)[0].items()}
    return trained_weights(torch.load(path, weights_only=True, map_location="cpu"))


def trained_network(graph: GraphConfig, path: pathlib.Path) -> GraphModule:
    """The network of that shape with the weights of a file, as of `weights_of`."""
    model = GraphModule(build_graph(graph))
    model.load_state_dict(weights_of(path))
    return model


def mean_network(graph: GraphConfig, paths: list[pathlib.Path]) -> GraphModule:
    """The network whose stem, norms and heads are the means over the files, as of `weights_of`, of one network that settled more than
    once ("Model soups", Wortsman et al., ICML 2022, of what settling trains). Of one file its own network.

    Files whose low-bit weights differ are refused: a mean of signs is none.
    """
    first, *others = (trained_network(graph, path) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        # Master weights are rounded to fp16.
        same = zip(first.low_bit_weights(), other.low_bit_weights(), strict=True)
        if not all(torch.equal(a.half(), b.half()) for a, b in same):
            raise SystemExit(
                f"{path} has other low-bit weights than {paths[0]}: expected runs with --settle 1 from one and the same --init"
            )
    states = [network.state_dict() for network in (first, *others)]
    first.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]})
    return first
