"""face-full: `face` with a second pass over the same weights, for accuracy where time and bytes matter less.

The convolution between the passes has 8 bits, so that training can begin with a second pass that repeats the first.
"""

import dataclasses

from training.configs.face import CONFIG as FACE

GRAPH = dataclasses.replace(FACE.graph, refinements=1, overrides=(("refine.", "b1"), ("refine", "i8")))
CONFIG = dataclasses.replace(FACE, name="face-full", graph=GRAPH, mirrored=True)
