"""person-finder: centres and sizes of people in a whole frame, the network of `face-finder` without the turn."""

import dataclasses

from training.configs.face_finder import CONFIG as FACE_FINDER
from training.configs.pose import CONFIG as POSE

CONFIG = dataclasses.replace(
    FACE_FINDER,
    name="person-finder",
    task="person-finder",
    graph=dataclasses.replace(FACE_FINDER.graph, landmarks=4),
    turned=1.0,
    presence=0.15,
    license=POSE.license,
    data=POSE.data,
)
