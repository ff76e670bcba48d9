"""Pose: joints of two orders, cuts of the frame, samples, the figure."""

import dataclasses

import numpy as np
import torch

from training import metrics
from training.config import Config
from training.crops import transform
from training.graph import GraphConfig
from training.images import LabelledImages, Mixture
from training.landmark_sets import LANDMARK_SETS, mpii_from_coco
from training.landmark_validation import PoseValidation
from training.losses import landmark_loss
from training.pose_samples import PoseSamples, frame_cut

NAMES = LANDMARK_SETS["pose"].names
CONFIG = Config(name="t", task="pose", graph=GraphConfig(landmarks=16), upright=None, negatives=0.0, absent=0.25)


def upright_person() -> np.ndarray:
    """Joints of a standing person in a 192 px image, seen from the front: the person's right is on the image's left."""
    right = {"ankle": (82, 170), "knee": (84, 140), "hip": (86, 110), "wrist": (62, 112), "elbow": (66, 88), "shoulder": (78, 62)}
    points = np.zeros((16, 2), np.float32)
    for k, name in enumerate(NAMES):
        if name[:2] in ("r_", "l_"):
            x, y = right[name[2:]]
            points[k] = (x, y) if name[0] == "r" else (192 - x, y)
    points[6:10] = (96, 110), (96, 62), (96, 50), (96, 30)
    return points


def people(count: int = 6) -> Mixture:
    images = [np.random.default_rng(i).integers(0, 255, (192, 192, 3), dtype=np.uint8) for i in range(count)]
    points = np.stack([upright_person()] * count)
    known = np.ones((count, 16), np.float32)
    return Mixture([LabelledImages(images, points, known, known > 0, np.ones(count), {})], [1.0])


def test_mirror_table_swaps_left_and_right():
    mirror = LANDMARK_SETS["pose"].mirror
    for k, name in enumerate(NAMES):
        swapped = {"r_": "l_", "l_": "r_"}.get(name[:2], name[:2]) + name[2:]
        assert NAMES[mirror[k]] == swapped


def test_coco_joints_become_mpii_joints():
    joints = np.arange(34, dtype=np.float32).reshape(1, 17, 2)  # joint k lies at (2k, 2k + 1)
    scores = np.full((1, 17), 0.9, np.float32)
    scores[0, 12], scores[0, 5], scores[0, 9] = 0.5, 0.3, 0.1  # right hip, left shoulder, left wrist
    points, known, present = (x[0] for x in mpii_from_coco(joints, scores))
    of = {name: k for k, name in enumerate(NAMES)}
    assert points[of["r_ankle"]].tolist() == [32, 33] and points[of["l_elbow"]].tolist() == [14, 15]
    assert points[of["pelvis"]].tolist() == [23, 24] and np.isclose(known[of["pelvis"]], 0.5)  # hips 11 and 12
    assert points[of["thorax"]].tolist() == [11, 12] and np.isclose(known[of["thorax"]], 0.3)
    assert known[of["l_wrist"]] == 0 and not present[of["l_wrist"]]
    assert known[of["head_top"]] == 0 and present[of["head_top"]]
    # From thorax (11, 12) through the nose (0, 1): 11 - 1.6 * 11.
    assert np.allclose(points[of["head_top"]], [-6.6, -5.6], atol=1e-5)


def test_pck_counts_what_lies_within_a_fifth_of_the_torso():
    true = np.zeros((2, 16, 2))
    true[:, 13] = (30, 40)  # left shoulder; right hip at the origin: the torso is 50, a fifth 10
    predicted = true.copy()
    predicted[0, 0, 0], predicted[0, 1, 0], predicted[1, 5, 1] = 9.9, 10.1, 200
    counted = np.ones((2, 16), bool)
    assert np.allclose(metrics.torso(true), 50)
    assert np.isclose(metrics.pck(predicted, true, metrics.torso(true), counted), 30 / 32 * 100)
    counted[1, 5] = False
    assert np.isclose(metrics.pck(predicted, true, metrics.torso(true), counted), 30 / 31 * 100)


def test_validation_finds_exact_joints_correct_and_counts_a_displaced_group():
    validation = PoseValidation(people(4).sets[0], CONFIG)
    assert validation.images.shape == (4, 3, 128, 128)
    cells = [(transform(upright_person(), m), np.full(16, 0.9)) for m in validation.matrices]
    assert validation.figures(cells)["pck"] == 100
    for points, _ in cells[:2]:
        points[[10, 15]] += 60
    row = validation.figures(cells)
    assert row["groups"]["wrists"] == 50 and row["groups"]["ankles"] == 100
    assert row["pck"] == 93.75  # 4 of 64


def test_loss_of_flat_heatmaps_is_the_entropy_of_the_target_and_of_the_uniform_distribution():
    logits = torch.zeros(1, 2, 8, 8)
    points = torch.tensor([[[4.5, 4.5], [0.0, 0.0]]])
    seen = torch.tensor([[1.0, 0.0]])
    loss = landmark_loss(logits, points, seen, 0.25 * (1 - seen), 1.0, 5, 0.0)
    # log 64 = 6 log 2 for the seen one; a quarter of it, averaged over two joints, for the absent one.
    assert torch.isclose(loss, torch.tensor(1.125 * 6 * 0.693147), atol=1e-4)


def test_samples_are_pure_and_their_weights_exclude_each_other():
    samples = PoseSamples(people(), [], CONFIG, 0, 60)
    again = PoseSamples(people(), [], CONFIG, 20, 60)
    for a, b in zip(samples[25], again[5], strict=True):
        assert torch.equal(a, b)
    absent = 0
    for i in range(60):
        image, cells, mask, flat = samples[i]
        assert image.shape == (3, 128, 128)
        assert ((mask > 0) != (flat > 0)).all()  # every joint of these people is known: it is either seen or absent
        assert ((cells[mask > 0] >= 0) & (cells[mask > 0] <= 32)).all()
        absent += int((flat > 0).sum())
    assert absent > 60


def test_the_persons_right_stays_right_in_mirrored_samples():
    samples = PoseSamples(people(), [], CONFIG, 0, 40)
    sides = set()
    for i in range(40):
        _, cells, _, _ = samples[i]
        down, across = cells[6] - cells[7], cells[13] - cells[12]
        # Facing the camera, from the thorax down and from the right shoulder to the left: mirrored or not, the
        # labels keep this turn because a mirrored person swaps left and right.
        sides.add(bool(down[0] * across[1] - down[1] * across[0] < 0))
    assert sides == {True}


def test_people_who_turn_away_are_drawn_more_readily():
    data = people(4)
    data.sets[0].fields["yaw"] = np.array([-30, 45, -60, 180])
    weights = PoseSamples(data, [], dataclasses.replace(CONFIG, turned=3.0), 0, 1).data.sets[0].weights
    assert np.allclose(weights, [1 / 3, 1 / 3, 2 / 3, 1])


def test_a_cut_frame_keeps_the_upper_body():
    points, present = upright_person(), np.ones(16, bool)
    heights = []
    for seed in range(200):
        width, height = frame_cut(points, present, 192, 192, np.random.default_rng(seed))
        heights.append(height)
        assert height > 62 and width > 96
    cut = [h for h in heights if h < 192]
    assert 40 < len(cut) < 100 and min(cut) < 110 < max(cut)
