"""smoke: a network of seconds, for trying the commands and for tests."""

from training.config import Config
from training.graph import GraphConfig

CONFIG = Config(
    name="smoke",
    task="face",
    graph=GraphConfig(channels=16, growth=4, input_size=64, stem_kernel=5),
    batch=4,
    steps=12,
    warmup=4,
)
