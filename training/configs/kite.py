"""kite: the guide's example of a landmark set of one's own, 5 points, minutes on one core (training/README.md)."""

from training.config import Config
from training.graph import GraphConfig

CONFIG = Config(
    name="kite",
    task="kite",
    opened_as="face",
    graph=GraphConfig(
        landmarks=5, stacks=1, order=0, channels=32, growth=16, depth=3, input_size=64, stem_kernel=5, shared_skip_norm=True
    ),
    upright=(1, 2),
    batch=16,
    steps=600,
    rate=5e-3,
    warmup=20,
    window=7,
    license="Apache-2.0; trained on drawn images",
    data=("training/kites.py",),
)
