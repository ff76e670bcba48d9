"""Writes safetensors files in a fixed layout: packs (models/README.md section 3), master weights, parity vectors."""

from __future__ import annotations

import hashlib
import json
import pathlib

import numpy as np

from training.graph import to_json
from training.integer import IntegerNetwork

FORMAT = "bitmarks-pack/1"
DTYPES = {"uint8": "U8", "int8": "I8", "int16": "I16", "float16": "F16", "float32": "F32"}


def little_endian(array: np.ndarray) -> bytes:
    """The array's values as files hold them."""
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def payload_of(tensors: dict[str, np.ndarray]) -> bytes:
    """All tensors, one behind the other."""
    return b"".join(little_endian(array) for array in tensors.values())


def safetensors_bytes(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """A safetensors file with the tensors in the order given."""
    header: dict = {"__metadata__": metadata}
    end = 0
    for name, array in tensors.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + payload_of(tensors)


def read_safetensors(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of a file of ours."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    names = {v: k for k, v in DTYPES.items()}
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], names[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def encode_weights(weight: np.ndarray, encoding: str) -> np.ndarray:
    """Flat packed weights of an OHWI int8 array: bits from the least significant of the first byte on."""
    flat = weight.reshape(-1)
    if encoding == "i8":
        return flat.astype(np.int8)
    if encoding == "b1":
        return np.packbits(flat < 0, bitorder="little")
    if encoding == "t2":
        codes = np.array([0, 1, 3], np.uint8)[flat]  # index -1 is the last entry
        bits = np.stack([codes & 1, codes >> 1], -1).reshape(-1)
        return np.packbits(bits, bitorder="little")
    raise ValueError(f"encoding '{encoding}' cannot be packed: expected b1, t2 or i8")


def pack_tensors(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """The pack's tensors, parameters in the order of their first appearance in the graph."""
    multiplier, bias, shift = [], [], []
    weights: dict[str, list[np.ndarray]] = {"i8": [], "b1": [], "t2": []}
    seen: set[str] = set()
    for node in network.graph["nodes"]:
        if node["op"] == "requantize" and ("norm", node["norm"]) not in seen:
            m, b, s = network.norms[node["norm"]]
            multiplier.append(m)
            bias.append(b)
            shift.append(s)
            seen.add(("norm", node["norm"]))
        elif node["op"] == "conv2d" and ("weight", node["weight"]) not in seen:
            weights[node["encoding"]].append(encode_weights(network.weights[node["weight"]], node["encoding"]))
            seen.add(("weight", node["weight"]))
    tensors = {
        "norm.multiplier": np.concatenate(multiplier),
        "norm.bias": np.concatenate(bias),
        "norm.shift": np.array(shift, np.uint8),
    }
    for encoding, parts in weights.items():
        if parts:
            tensors[f"weights.{encoding}"] = np.concatenate(parts)
    tensors["graph"] = np.frombuffer(to_json(network.graph), np.uint8)
    return tensors


def golden_image(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    """The seeded image of the golden vector, uint8 [h, w, c]: xorshift32, the top byte of each state."""
    out = np.empty(int(np.prod(shape)), np.uint8)
    x = seed & 0xFFFFFFFF
    for i in range(len(out)):
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        out[i] = x >> 24
    return out.reshape(shape)


def heatmap_hash(heatmap: np.ndarray) -> str:
    """SHA-256 of an int16 HWC heatmap, little-endian."""
    return hashlib.sha256(little_endian(heatmap)).hexdigest()


def pack_bytes(network: IntegerNetwork, manifest: dict, golden_seed: int = 1) -> bytes:
    """The whole `.bitmarks` file; adds the golden hashes to the manifest."""
    image = golden_image(golden_seed, tuple(network.graph["input"]["shape"]))
    values = network.run(image[None])
    hashes = [heatmap_hash(values[name][0]) for name in network.graph["outputs"]]
    manifest = manifest | {"golden": {"seed": golden_seed, "sha256": hashes}}
    tensors = pack_tensors(network)
    metadata = {
        "format": FORMAT,
        "sha256": hashlib.sha256(payload_of(tensors)).hexdigest(),
        "manifest": json.dumps(manifest, separators=(",", ":")),
    }
    return safetensors_bytes(tensors, metadata)
