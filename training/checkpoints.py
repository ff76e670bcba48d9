"""Files of a run that can be killed at any moment: what they hold, how they are replaced, how another run starts from one."""

from __future__ import annotations

import pathlib
import re

import torch

from training.graph import channels_of
from training.model import GraphModule, key
from training.pack import read_safetensors
from training.schedule import trained_weights

REFINED = re.compile(r"^norms\.p\d+/")
"""Start of the name of a norm of a further pass."""


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
    cannot have). A further pass starts from the norms of the first. Heads of another number of landmarks, and what a wider network or
    one of another topology has, are not taken.
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
            block = saved.get(name, torch.empty(0))
            is_depthwise = node.get("groups", 1) > 1
            if not is_depthwise:
                places[output] = torch.arange(len(block) if len(block) <= here[output] else 0)
            fan_in = 1 if is_depthwise else len(read)
            has_place = 0 < len(block) == len(places[output])
            is_other_head = output in model.heads and len(block) != here[output]
            if has_place and block.shape[1:] == (fan_in, *own[name].shape[2:]) and not is_other_head:
                own[name][places[output][:, None], torch.arange(1) if is_depthwise else read] = block
                taken.add(name)
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
    return sorted(set(own) - taken)


def weights_of(path: pathlib.Path) -> dict[str, torch.Tensor]:
    """Tensors by name of a checkpoint of `save` or of master weights (.safetensors), float32."""
    if path.suffix == ".safetensors":
        return {name: torch.from_numpy(array.astype("float32")) for name, array in read_safetensors(path)[0].items()}
    return trained_weights(torch.load(path, weights_only=True, map_location="cpu"))
