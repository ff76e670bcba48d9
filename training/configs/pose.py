"""pose: 16 joints in MPII order, 1-bit DU-Net(2), order 1, 112 to 144 channels, 128 px."""

import dataclasses

from training.config import Config
from training.configs.face import CONFIG as FACE

CONFIG = Config(
    name="pose",
    task="pose",
    graph=dataclasses.replace(
        FACE.graph, landmarks=16, channels=112, growth=28, deep_channels=(112, 144, 144, 128), deep_growth=(28, 36, 36, 32)
    ),
    upright=None,
    negatives=0.1,
    turned=3.0,
    average=0.999,
    absent=1.0,
    presence=0.2,
    landmark=0.1,
    visible=0.25,
    count=8,
    license="Apache-2.0; trained on photos of Open Images (CC BY 2.0), COCO and PASCAL VOC, and on rendered people",
    data=(
        "Open Images, COCO and PASCAL VOC photos by way of Human Dataset v2 (CC BY 4.0), joints by MoveNet (Apache-2.0)",
        "People rendered from MakeHuman assets (CC0) and CMU motion capture",
        "Poly Haven panoramas (CC0) as backgrounds",
    ),
)
