"""Pictures of nobody that a finder and its reader take for somebody."""

import numpy as np
import torch

from training import hard_negatives
from training.config import Config
from training.graph import GraphConfig

FINDER = Config(name="f", task="face-finder", graph=GraphConfig(landmarks=6, input_size=64))
READER = Config(name="r", task="face", graph=GraphConfig(landmarks=3, input_size=32), roi_scale=1.25, count=2)


class Frames(torch.utils.data.Dataset):
    """Frames of twice the finder's side, black, with a white square of 20 px in the middle of what is found."""

    def __len__(self) -> int:
        return 3

    def frame(self, i: int, empty: bool):
        assert empty
        image = np.zeros((128, 128, 3), np.uint8)
        image[50:70, 30:50] = 255
        return type("Frame", (), {"image": image})


def test_pictures_are_what_both_take_for_somebody(monkeypatch):
    finds = [np.array([[20, 30, 16, 0.0, 0.5], [50, 50, 10, 0.0, 0.1]]), np.zeros((0, 5)), np.array([[20, 30, 16, 0.0, 0.3]])]
    scores = iter([[0.1, 0.3, 0.3], [0.9, 0.2, 0.2]])
    asked = []

    def predict(network, images, config):
        if network == "finder":
            assert images.shape == (3, 3, 64, 64)
            return finds
        asked.append(images)
        return [(np.zeros((3, 2)), np.array(next(scores))) for _ in images]

    monkeypatch.setattr(hard_negatives, "predict", predict)
    pictures = list(hard_negatives.hard_negatives((FINDER, "finder"), (READER, "reader"), Frames(), (0.2, 0.5)))
    # The find with a score of 0.1 is not read; of the two read one has a mean of its two best scores of 0.3, the other of 0.55.
    assert [len(images) for images in asked] == [2] and len(pictures) == 1
    side = round(1.5 * 32)
    assert pictures[0].shape == (side, side, 3)
    white = pictures[0][..., 0] > 128
    # 20 px of a region of 1.25 * 16 * 2 = 40 px, which is 32 px of the picture, in its middle.
    assert abs(np.sqrt(white.sum()) - 16) < 1 and np.allclose(np.argwhere(white).mean(0), side / 2 - 0.5, atol=0.6)
