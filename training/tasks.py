"""What each task has of its own: samples, loss, validation and codec. The one place that train, evaluate and export ask."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

import torch
from torch import Tensor

from training import centers_codec, finder_validation, landmark_validation
from training.config import Config
from training.face_samples import FaceSamples
from training.finder_samples import FaceFinderSamples, PersonFinderSamples
from training.images import Source, load_set
from training.landmark_validation import FaceValidation, PoseValidation
from training.losses import centers_loss, heads_loss
from training.pose_samples import PoseSamples


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of network.

    samples(mixture, backgrounds, config, start, stop): data set whose items are an image and the targets of `loss`
    loss(outputs, targets, config): of all heads, the most refined last
    validations(sources, backgrounds zip or None, config, limit): sets by name, each with `images` uint8 [n, 3, S, S],
        `figures(found)`, and `compared`: the figure in which float and integer network may differ, and by how many points or,
        if that is more, by what share of it
    decode(logits, config): one `found` per image
    codec(config, scale): codec of the manifest; scale is the logit per unit of the integer output
    backgrounds: part of the panoramas that training sees; None is all
    """

    samples: type
    loss: Callable[[list[Tensor], list[Tensor], Config], Tensor]
    validations: Callable[[list[Source], pathlib.Path | None, Config, int | None], dict]
    decode: Callable[[Tensor, Config], list]
    codec: Callable[[Config, float], dict]
    backgrounds: str | None = "train"


def _landmark_task(samples: type, validation: type, backgrounds: str | None) -> Task:
    def validations(sources: list[Source], _zip: pathlib.Path | None, config: Config, limit: int | None) -> dict:
        found = [s for s in sources if s.path("val").exists()]
        return {s.stem: validation(load_set(s.folder, f"{s.stem}_val", limit), config) for s in found}

    def codec(config: Config, scale: float) -> dict:
        return {"type": "softmax", "stride": 4, "window": config.window, "scale": scale}

    return Task(samples, heads_loss, validations, landmark_validation.decode, codec, backgrounds)


def _finder_task(samples: type) -> Task:
    def loss(outputs: list[Tensor], targets: list[Tensor], _config: Config) -> Tensor:
        return torch.stack([centers_loss(output, *targets) for output in outputs]).sum()

    def validations(sources: list[Source], backgrounds: pathlib.Path | None, config: Config, limit: int | None) -> dict:
        return {"frames": finder_validation.FinderValidation(samples, sources, backgrounds, config, limit)}

    def codec(_config: Config, scale: float) -> dict:
        return {"type": "centers", "stride": centers_codec.STRIDE, "scale": scale, "unit": centers_codec.UNIT}

    return Task(samples, loss, validations, finder_validation.decode, codec)


TASKS = {
    "face": _landmark_task(FaceSamples, FaceValidation, "train"),
    "pose": _landmark_task(PoseSamples, PoseValidation, "train"),
    "kite": _landmark_task(FaceSamples, FaceValidation, None),
    "face-finder": _finder_task(FaceFinderSamples),
    "person-finder": _finder_task(PersonFinderSamples),
}
