"""pose-wide: `pose` with up to 144 channels where it is coarse; a candidate that is trained no further than training/RUNS.md says, and
ships no pack."""

import dataclasses

from training.configs.pose import CONFIG as POSE

CONFIG = dataclasses.replace(
    POSE,
    name="pose-wide",
    graph=dataclasses.replace(POSE.graph, deep_channels=(112, 144, 144, 128), deep_growth=(28, 36, 36, 32)),
)
