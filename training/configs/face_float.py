"""face_float: the float twin of `face`, for the cost of quantisation. Never exported."""

import dataclasses

from training.configs.face import CONFIG as FACE

CONFIG = dataclasses.replace(FACE, name="face_float", graph=FACE.graph.float_twin())
