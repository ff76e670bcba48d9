"""The quantised path learns: a 1-bit network with 8-bit inputs, also with 8-bit gradients, memorises 64 drawn images."""

import dataclasses
import types

import cv2
import numpy as np
import pytest
import torch

from training import heatmap_codec as codec
from training.graph import GraphConfig, build_graph
from training.losses import heads_loss
from training.model import GraphModule
from training.schedule import learning_rate

COLOURS = ((255, 60, 60), (60, 255, 60), (60, 60, 255), (255, 255, 80))
SIZE, STEPS = 64, 80
GRAPH = GraphConfig(landmarks=4, stacks=1, order=0, channels=32, growth=16, depth=3, input_size=SIZE, stem_kernel=5)


def drawn_images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images uint8 [n, 3, 64, 64] of four discs, each of its colour, on a grey ground, and their centres in pixels [n, 4, 2]."""
    rng = np.random.default_rng(0)
    corners = np.array([[18, 18], [46, 18], [18, 46], [46, 46]])
    points = corners + rng.uniform(-8, 8, (count, 4, 2))
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for image, centres in zip(images, points, strict=True):
        image[:] = rng.uniform(40, 160)
        for colour, centre in zip(COLOURS, centres, strict=True):
            cv2.circle(image, np.round((centre - 0.5) * 256).astype(int).tolist(), 5 * 256, colour, -1, cv2.LINE_AA, 8)
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(points).float()


def memorise(graph: GraphConfig) -> float:
    """NME, percent of the distance between the first two points, of a network trained on what it is measured on."""
    torch.manual_seed(1)
    images, points = drawn_images(64)
    config = types.SimpleNamespace(
        losses=("likelihood",), sigma=1.0, window=7, coordinate_loss=1.0, rate=1e-2, warmup=10, steps=STEPS
    )
    model = GraphModule(build_graph(graph), momentum=0.1).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        some = torch.randperm(64)[:12]
        targets = [points[some] / 4, torch.ones(12, 4), torch.zeros(12, 4)]
        optimizer.zero_grad()
        heads_loss(model(images[some]), targets, config).backward()
        optimizer.step()
        model.clamp_latent()
    model.eval()
    with torch.no_grad():
        found = codec.decode(model(images)[-1], config.window)[0] * 4
    distance = (points[:, 0] - points[:, 1]).norm(dim=-1)
    return float(((found - points).norm(dim=-1).mean(-1) / distance).mean() * 100)


@pytest.mark.parametrize("gradient_bits", [32, 8])
def test_a_one_bit_network_memorises_64_images(gradient_bits):
    assert memorise(dataclasses.replace(GRAPH, gradient_bits=gradient_bits)) < 1.0
