"""cu_net_human: the body network of github.com/zhiqiangdon/CU-Net with 8-bit weights and activations, for `import_reference`."""

import dataclasses

from training.configs.cu_net_face import CONFIG as FACE

CONFIG = dataclasses.replace(
    FACE, name="cu-net-human", task="pose", graph=dataclasses.replace(FACE.graph, landmarks=16, stacks=16), roi_scale=1.25, upright=None
)
