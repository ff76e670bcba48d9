"""face: 68 landmarks, 1-bit DU-Net(2), order 1, 64 channels, growth 16, 128 px."""

from training.config import Config
from training.graph import GraphConfig

CONFIG = Config(
    name="face",
    task="face",
    graph=GraphConfig(landmarks=68, stacks=2, order=1, channels=64, growth=16, stem_kernel=5, shared_skip_norm=True),
)
