"""Turns trained weights into what ships: master weights, pack, parity and codec vectors.

`python -m training.export --config face --checkpoint training/runs/face/checkpoint.pt --data FOLDER:faces` first writes the fp16
master weights, then makes everything from them, so that `--master training/masters/face.safetensors` gives the same pack
later. With --data it measures the float and the integer network on the validation images and refuses a pack whose main
figure differs by more than the task allows.
"""

from __future__ import annotations

import argparse
import json
import pathlib

import cv2
import numpy as np
import torch

from training.checkpoints import mean_network, trained_network
from training.config import Config
from training.configs import load_config
from training.evaluate import decode_all, predict
from training.graph import count
from training.images import Source, parse_source
from training.integer import IntegerNetwork, integer_network
from training.landmark_sets import LANDMARK_SETS
from training.model import GraphModule
from training.pack import golden_image, pack_bytes, safetensors_bytes
from training.tasks import TASKS
from training.vectors import write_centers_vectors, write_codec_vectors, write_parity



def save_master(model: GraphModule, path: pathlib.Path) -> None:
    """Latent weights as fp16, norms as float32."""
    tensors = {}
    for name, value in model.state_dict().items():
        array = value.detach().numpy()
        if name.startswith("weights."):
            half = array.astype(np.float16)
            half[(half == 0) & (array < 0)] = -np.float16(6e-8)  # the sign is the weight
            tensors[name] = half
        else:
            tensors[name] = array.astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(safetensors_bytes(tensors, {"format": "bitmarks-master/1"}))


def load_master(path: pathlib.Path, config: Config) -> GraphModule:
    """A model in evaluation mode from master weights."""
    return trained_network(config.graph, path).eval()


def predict_integer(network: IntegerNetwork, images: np.ndarray, config: Config) -> list:
    """What is decoded from the integer network."""

    def logits_of(part: np.ndarray) -> torch.Tensor:
        heatmaps = network.heatmaps(np.ascontiguousarray(part.transpose(0, 2, 3, 1)))
        return torch.from_numpy(heatmaps.transpose(0, 3, 1, 2).astype(np.float64)) * network.scale

    return decode_all(logits_of, images, config)


def validate(
    model: GraphModule, network: IntegerNetwork, config: Config, sources: list[Source], backgrounds: pathlib.Path | None,
    limit: int | None = None,
) -> dict:
    """Float and integer figures of every validation set by name; SystemExit if they differ by more than the task allows."""
    figures: dict = {}
    for name, validation in TASKS[config.task].validations(sources, backgrounds, config, limit).items():
        row = {"images": len(validation.images)}
        row["float"] = validation.figures(predict(model, validation.images, config))
        row["integer"] = validation.figures(predict_integer(network, validation.images, config))
        key, points, share = validation.compared
        allowed = max(points, share * abs(row["float"][key]))
        difference = abs(row["float"][key] - row["integer"][key])
        if not difference < allowed:
            raise SystemExit(f"{name}: {key} of integer and float network differ by {difference:.3f} points, expected < {allowed:.3f}")
        figures[name] = row
    return figures


def manifest_of(config: Config, network: IntegerNetwork, figures: dict) -> dict:
    """What the pack says about itself, without the golden hashes; figures by validation set."""
    landmark_set = LANDMARK_SETS[config.task]
    first, *others = figures or {"": {}}
    roi = {"scale": config.roi_scale, "upright": config.upright and list(config.upright), "presence": config.presence}
    optional = {"landmark": config.landmark, "visible": config.visible, "count": config.count, "mirrored": config.mirrored or None}
    return {
        "name": config.name,
        "task": config.opened_as or config.task,
        "license": config.license,
        "landmarks": list(landmark_set.names),
        "mirror": list(landmark_set.mirror),
        "connections": [list(pair) for pair in landmark_set.connections],
        "codec": TASKS[config.task].codec(config, network.scale),
        "roi": roi | {name: value for name, value in optional.items() if value is not None},
        "evaluation": figures.get(first, {}) | {name: figures[name] for name in others},
        "data": list(config.data),
        "recipe": f"training/configs/{config.name.replace('-', '_')}.py",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="face")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--checkpoint", type=pathlib.Path, nargs="+", help="write new master weights from this checkpoint first, or from the mean of several that settled"
    )
    source.add_argument("--master", type=pathlib.Path, help="master weights to export (default: the committed ones)")
    parser.add_argument("--data", type=parse_source, action="append", help="FOLDER:STEM of a validation set, repeatable")
    parser.add_argument("--limit", type=int, help="measure only the first images of each set: exact integers are slow in NumPy")
    parser.add_argument("--backgrounds", type=pathlib.Path, help="zip of pictures without subjects (finders)")
    parser.add_argument("--image", type=pathlib.Path, help="picture for the parity vectors (default: the golden image)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("models"))
    parser.add_argument("--masters", type=pathlib.Path, default=pathlib.Path("training/masters"))
    parser.add_argument("--vectors", type=pathlib.Path, default=pathlib.Path("test/vectors"))
    arguments = parser.parse_args()

    config = load_config(arguments.config)
    if config.stretch:
        raise SystemExit(f"'{config.name}' stretches its crops and packs cannot say so: export a configuration with stretch=False")
    master = arguments.master or arguments.masters / f"{config.name}.safetensors"
    if arguments.checkpoint:
        save_master(mean_network(config.graph, arguments.checkpoint), master)
    model = load_master(master, config)
    network = integer_network(model)

    figures: dict = {}
    if arguments.data:
        figures = validate(model, network, config, arguments.data, arguments.backgrounds, arguments.limit)
        print(json.dumps(figures, indent=2))
    pack = pack_bytes(network, manifest_of(config, network, figures))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{config.name}.bitmarks").write_bytes(pack)

    shape = tuple(network.graph["input"]["shape"])
    image = golden_image(2, shape)
    if arguments.image:
        picture = cv2.cvtColor(cv2.imread(str(arguments.image)), cv2.COLOR_BGR2RGB)
        image = cv2.resize(picture, shape[1::-1], interpolation=cv2.INTER_AREA)
    arguments.vectors.mkdir(parents=True, exist_ok=True)
    write_parity(network, image, arguments.vectors / f"{config.name}.parity.safetensors")
    write_codec_vectors(arguments.vectors / "heatmap_codec.json")
    write_centers_vectors(arguments.vectors / "centers_codec.json")
    print(f"{config.name}.bitmarks: {len(pack):,} bytes, {count(network.graph)}")


if __name__ == "__main__":
    main()
