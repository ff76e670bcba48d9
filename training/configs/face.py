"""face: 68 landmarks, 1-bit DU-Net(2), order 1, 80 channels, growth 16, 128 px."""

from training.config import Config
from training.graph import GraphConfig

CONFIG = Config(
    name="face",
    task="face",
    graph=GraphConfig(landmarks=68, stacks=2, order=1, channels=80, growth=16, stem_kernel=5, shared_skip_norm=True),
    negatives=0.15,
    turned=2.0,
    absent=0.25,
    hidden=0.5,
    average=0.999,
    presence=0.12,
    license="Apache-2.0; trained on FairFace (CC BY 4.0, K. Karkkainen and J. Joo)",
    data=(
        "FairFace images (CC BY 4.0), landmarks by MediaPipe Face Mesh (Apache-2.0)",
        "Heads rendered from MakeHuman assets (CC0)",
        "Poly Haven panoramas (CC0) as backgrounds",
    ),
)
