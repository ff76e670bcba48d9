"""Accuracy on validation data: `python -m training.evaluate --config pose --checkpoint FILE --data FOLDER:STEM`.

The float network with simulated quantisation is measured here, the integer one by training/export.py with the same
functions, the engine that ships by `npm run evaluate`.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from training.checkpoints import trained_network
from training.config import Config
from training.configs import load_config
from training.images import parse_source
from training.landmark_sets import LANDMARK_SETS
from training.model import GraphModule
from training.tasks import TASKS


def decode_all(logits_of: Callable[[np.ndarray], Tensor], images: np.ndarray, config: Config, batch: int = 50) -> list:
    """What the task's codec decodes from `logits_of(images)` for images uint8 [n, 3, S, S]; one item per image.

    A `mirrored` configuration reads each image and its mirror image, and the means of both count (src/pipeline/locate.ts).
    """
    found = []
    for i in range(0, len(images), batch):
        part = images[i : i + batch]
        read = TASKS[config.task].decode(logits_of(part), config)
        if config.mirrored:
            mirrored = TASKS[config.task].decode(logits_of(np.ascontiguousarray(part[..., ::-1])), config)
            read = [_mean(own, other, config) for own, other in zip(read, mirrored, strict=True)]
        found += read
    return found


def _mean(own: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the positions [J, 2] and scores [J] of a crop and of its mirror image, as of the crop."""
    (points, scores), mirror = own, list(LANDMARK_SETS[config.task].mirror)
    back = other[0][mirror] * [-1, 1] + [config.graph.input_size, 0]
    return (points + back) / 2, (scores + other[1][mirror]) / 2


@torch.no_grad()
def predict(model: GraphModule, images: np.ndarray, config: Config) -> list:
    """What is decoded from the last head of the float network, in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    return decode_all(lambda part: model(torch.from_numpy(part).to(device))[-1].double().cpu(), images, config)


def evaluate(model: GraphModule, validations: dict, config: Config) -> dict:
    """Figures of the first validation set, and those of further ones under their names."""
    results = {name: v.figures(predict(model, v.images, config)) for name, v in validations.items()}
    first, *others = results
    return results[first] | {name: results[name] for name in others}


def named_network(text: str) -> tuple[Config, GraphModule]:
    """The configuration and the network of CONFIG:CHECKPOINT."""
    name, _, path = text.partition(":")
    config = load_config(name)
    return config, trained_network(config.graph, pathlib.Path(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="face")
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True, help="of a run, or master weights (.safetensors)")
    parser.add_argument("--data", type=parse_source, action="append", required=True, help="FOLDER:STEM, repeatable")
    parser.add_argument("--backgrounds", type=pathlib.Path, help="zip of pictures without subjects (finders)")
    parser.add_argument("--limit", type=int, help="use only the first images")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    config = load_config(arguments.config)
    model = trained_network(config.graph, arguments.checkpoint)
    validations = TASKS[config.task].validations(arguments.data, arguments.backgrounds, config, arguments.limit)
    print(json.dumps(evaluate(model, validations, config), indent=2))


if __name__ == "__main__":
    main()
