"""face-full: `face` with 128 channels and growth 32, read as it is and mirrored, for accuracy where time and bytes matter less."""

import dataclasses

from training.configs.face import CONFIG as FACE

CONFIG = dataclasses.replace(
    FACE, name="face-full", graph=dataclasses.replace(FACE.graph, channels=128, growth=32), mirrored=True, negatives=0.05, presence=0.65
)
