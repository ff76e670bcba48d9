"""face-finder: centres, sizes and turns of faces in a whole frame, 1-bit DU-Net(1), 40 to 96 channels, 128 px."""

from training.config import Config
from training.configs.face import CONFIG as FACE
from training.configs.pose import CONFIG as POSE
from training.graph import GraphConfig

CONFIG = Config(
    name="face-finder",
    task="face-finder",
    graph=GraphConfig(
        landmarks=6, stacks=1, order=0, channels=40, growth=12, neck=3, depth=3, stem_kernel=3, shared_skip_norm=True,
        deep_channels=(48, 80, 96), deep_growth=(16, 24, 32),
    ),
    roi_scale=1.0,
    upright=None,
    turned=2.5,
    average=0.999,
    presence=0.15,
    license=f"{FACE.license}; {POSE.license.partition('; ')[2]}",
    data=FACE.data[:1] + POSE.data,
)
