"""Files of a run that can be killed at any moment: what they hold, how they are replaced, how another run starts from one."""

from __future__ import annotations

import pathlib

import torch

from training.graph import channels_of
from training.model import GraphModule, key
from training.pack import read_safetensors
from training.schedule import trained_weights


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
    cannot have). Heads of another number of landmarks are not taken.
    """
    if path.suffix == ".safetensors":
        saved = {name: torch.from_numpy(array.astype("float32")) for name, array in read_safetensors(path)[0].items()}
    else:
        saved = trained_weights(torch.load(path, weights_only=True, map_location="cpu"))
    graph, own, left = model.graph, model.state_dict(), set(model.state_dict())
    here, there = channels_of(graph), channels_of(graph)
    places = {graph["input"]["name"]: torch.arange(here[graph["input"]["name"]])}
    for node in graph["nodes"]:
        output, sources = node["output"], node["inputs"]
        if node["op"] == "conv2d":
            name = "weights." + key(node["weight"])
            there[output] = saved[name].shape[0] if name in saved else 0
        else:
            there[output] = sum(there[source] for source in sources)
        offset, parts = 0, []
        for source in sources:
            parts.append(places[source] + offset)
            offset += here[source]
        read = torch.cat(parts)
        places[output] = read if node["op"] != "conv2d" else torch.arange(min(there[output], here[output]))
        if node["op"] == "conv2d" and node["output"] in model.heads and there[output] != here[output]:
            continue
        if node["op"] == "conv2d":
            block = saved.get(name)
            if block is not None and block.shape[2:] == own[name].shape[2:] and there[output] <= here[output] and block.shape[1] == len(read):
                own[name][places[output][:, None], read[None]] = block
                left.discard(name)
        elif node["op"] == "requantize":
            for part in ("gamma", "beta", "mean", "variance"):
                name = f"norms.{key(node['norm'])}.{part}"
                if name in saved and len(saved[name]) == len(read):
                    own[name][read] = saved[name]
                    left.discard(name)
    return sorted(left)
