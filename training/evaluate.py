"""Accuracy on validation data: `python -m training.evaluate --config pose --checkpoint FILE --data FOLDER:STEM`.

The float network with simulated quantisation is measured here, the integer one by training/export.py with the same
functions, the engine that ships by `npm run evaluate`.
"""

from __future__ import annotations

import argparse
import json
import pathlib

import numpy as np
import torch

from training.checkpoints import weights_of
from training.configs import load_config
from training.graph import build_graph
from training.images import parse_source
from training.model import GraphModule
from training.tasks import TASKS


@torch.no_grad()
def predict(model: GraphModule, images: np.ndarray, config, batch: int = 50) -> list:
    """What the task's codec decodes from the last head for images uint8 [n, 3, S, S], in evaluation mode; one item per image."""
    model.eval()
    device = next(model.parameters()).device
    found = []
    for i in range(0, len(images), batch):
        logits = model(torch.from_numpy(images[i : i + batch]).to(device))[-1]
        found += TASKS[config.task].decode(logits.double().cpu(), config)
    return found


def evaluate(model: GraphModule, validations: dict, config) -> dict:
    """Figures of the first validation set, and those of further ones under their names."""
    results = {name: v.figures(predict(model, v.images, config)) for name, v in validations.items()}
    first, *others = results
    return results[first] | {name: results[name] for name in others}


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
    model = GraphModule(build_graph(config.graph))
    model.load_state_dict(weights_of(arguments.checkpoint))
    validations = TASKS[config.task].validations(arguments.data, arguments.backgrounds, config, arguments.limit)
    print(json.dumps(evaluate(model, validations, config), indent=2))


if __name__ == "__main__":
    main()
