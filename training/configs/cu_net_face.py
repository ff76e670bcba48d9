"""cu_net_face: the face network of github.com/zhiqiangdon/CU-Net with 8-bit weights and activations, for `import_reference`."""

from training.config import Config
from training.graph import GraphConfig

CONFIG = Config(
    name="cu-net-face",
    task="face",
    graph=GraphConfig(
        landmarks=68, stacks=8, order=1, channels=128, growth=32, input_size=256, stem_norm=True, weights="i8"
    ),
    roi_scale=1.1,
    losses=("regression",),
    subcell=False,
    decoder="quarter",
    stretch=True,
)
