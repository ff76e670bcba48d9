"""face-full: `face` with a second pass over the same weights, for accuracy where time and bytes matter less."""

import dataclasses

from training.configs.face import CONFIG as FACE

CONFIG = dataclasses.replace(FACE, name="face-full", graph=dataclasses.replace(FACE.graph, refinements=1))
