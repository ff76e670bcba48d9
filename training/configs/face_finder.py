"""face-finder: centres, sizes and turns of faces in a whole frame, 1-bit DU-Net(1), 40 channels, 128 px."""

from training.config import Config
from training.configs.face import CONFIG as FACE
from training.configs.pose import CONFIG as POSE
from training.graph import GraphConfig

CONFIG = Config(
    name="face-finder",
    task="face-finder",
    graph=GraphConfig(landmarks=6, stacks=1, order=0, channels=40, growth=12, neck=3, stem_kernel=5, shared_skip_norm=True),
    roi_scale=1.0,
    upright=None,
    average=0.999,
    presence=0.2,
    license=f"{FACE.license}; {POSE.license.partition('; ')[2]}",
    data=FACE.data[:1] + POSE.data,
)
