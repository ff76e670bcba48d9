"""Finders: codec, loss, composed frames, figures."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch

from training import centers_codec as codec
from training.config import Config
from training.crops import region_of
from training.evaluation_scenes import ignored_boxes, write_evaluation_scenes
from training.finder_samples import FaceFinderSamples, PersonFinderSamples, blob, made_strange, person_subject
from training.finder_validation import choose_threshold, match
from training.graph import GraphConfig
from training.images import LabelledImages, Mixture
from training.landmark_sets import LANDMARK_SETS, face_of_coco
from training.losses import centers_loss
from training.scenes import Scene, Subject, placement
from training.tests.helpers import face_template
from training.tests.test_pose import people

NOTHING = np.zeros((32, 32), bool)


def logits_of(targets: dict[str, np.ndarray]) -> np.ndarray:
    """An output whose scores are the heat."""
    heat = targets["heat"].clip(1e-6, 1 - 1e-6)
    return np.concatenate([np.log(heat / (1 - heat))[None], targets["values"]])


def test_decoding_encoded_subjects_gives_them_back():
    subjects = np.array([[30.5, 41.2, 22.0, 0.4], [90.0, 100.0, 60.0, -1.0], [3.0, 120.0, 8.0, 2.5]])
    found = codec.decode(logits_of(codec.encode(subjects, subjects[:, :2], NOTHING, 6)), 0.9)
    assert np.allclose(found[np.argsort(found[:, 0])][:, :4], subjects[np.argsort(subjects[:, 0])], atol=1e-4)
    flat = codec.decode(logits_of(codec.encode(subjects, subjects[:, :2], NOTHING, 4)), 0.9)
    assert len(flat) == 3 and (flat[:, 3] == 0).all()


def test_decoding_follows_the_contract():
    values = np.full((4, 4, 4), 0.0)
    values[0] = -9
    values[0, 1, 1] = values[0, 1, 2] = np.log(3)  # p = 0.75 twice: the first in row-major order is the peak
    values[1, 1, 1], values[2, 1, 1], values[3, 1, 1] = np.log(2), 0.25, -0.5
    found = codec.decode(values, 0.5)
    assert np.allclose(found, [[(1 + 0.5 + 0.25) * 4, (1 + 0.5 - 0.5) * 4, 32, 0, 0.75]])
    values[0, 3, 3] = 0.5  # 8.6 px away: nearer than 0.4 * 32
    assert len(codec.decode(values, 0.5)) == 1
    values[1, 1, 1] = np.log(16 / 16)
    assert len(codec.decode(values, 0.5)) == 2


def test_targets_have_one_centre_and_forget_ignored_cells():
    ignored = NOTHING.copy()
    ignored[:, :16] = True
    targets = codec.encode(np.array([[42.0, 66.0, 16.0, 0.0]]), np.array([[42.0, 66.0]]), ignored, 6)
    assert (targets["heat"] == 1).sum() == 1 and targets["heat"][16, 10] == 1
    assert np.isclose(targets["heat"][16, 11], np.exp(-1 / (2 * 0.6**2)))  # at least 0.6 cells, a tenth of 4 is less
    assert targets["weight"][16, 10] == 1 and targets["weight"][5, 3] == 0 and targets["weight"][5, 20] == 1
    # At the centre's cell: log(16 / 16), then (10.5, 16.5) - (10.5, 16.5), then cos and sin of 0; one cell to the right x is -1.
    assert targets["values"][:, 16, 10].tolist() == [0, 0, 0, 1, 0] and targets["values"][1, 16, 11] == -1
    # exp(-1 / 0.72) = 0.25 beside the centre is above NEAR, exp(-2 / 0.72) is not. A subject of 64 px is uncertain by 1.6 cells: what
    # is up to 2.87 cells away is near.
    assert (targets["positive"] > 0).sum() == 5
    wide = codec.encode(np.array([[66.0, 66.0, 64.0, 0.0]]), np.array([[66.0, 66.0]]), NOTHING, 6)["positive"]
    assert (wide > 0).sum() == 25 and np.isclose(wide[16, 18], np.exp(-4 / (2 * 1.6**2)))


def test_a_subject_is_known_by_its_anchor_and_has_its_own_centre():
    subjects, anchors = np.array([[60.0, 80.0, 64.0, 0.0]]), np.array([[50.0, 42.0]])
    targets = codec.encode(subjects, anchors, NOTHING, 4)
    assert targets["heat"][10, 12] == 1 and (targets["heat"] == 1).sum() == 1
    assert targets["values"][1:, 10, 12].tolist() == [15 - 12.5, 20 - 10.5]
    assert np.allclose(codec.decode(logits_of(targets), 0.9)[:, :4], subjects, atol=1e-4)


def test_loss_of_places_is_relative_to_large_sizes():
    heat, weight = torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)
    positive, output = torch.ones(1, 1, 1), torch.zeros(1, 4, 1, 1)
    for size, share in ((64.0, 0.25), (16.0, 1.0), (8.0, 1.0)):
        values = torch.tensor([np.log(size / 16), 3.0, -2.0]).float().view(1, 3, 1, 1)
        output[0, 1] = values[0, 0]
        assert np.isclose(float(centers_loss(output, heat, weight, values, positive)), 5 * share)


def test_loss_of_an_undecided_output():
    heat = torch.zeros(1, 2, 2)
    heat[0, 0, 0], heat[0, 0, 1] = 1, 0.5
    weight = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    positive = torch.tensor([[[1.0, 0.5], [0.0, 0.0]]])
    output, values = torch.zeros(1, 4, 2, 2), torch.zeros(1, 3, 2, 2)
    values[0, 0, 0, 0], values[0, 2, 0, 1] = 2, -1
    # p = 1/2 everywhere: 0.25 log 2 for the centre, nothing for its half-warm neighbour, 0.25 log 2 for a cold cell, one is ignored;
    # L1 (2 + 0.5 * 1) / 1.5.
    expected = 0.25 * np.log(2) * 2 + 2.5 / 1.5
    assert np.isclose(float(centers_loss(output, heat, weight, values, positive)), expected, atol=1e-6)


def test_frontal_coco_faces_have_a_box_others_are_vague():
    joints, scores = np.zeros((17, 2)), np.full(17, 0.9)
    joints[:5] = (50, 55), (55, 50), (45, 50), (61.4, 52), (38.6, 52)  # eyes 10 apart, ears 22.8
    corners, vague = face_of_coco(joints, scores)
    assert not vague
    # Half of the side: (2.18 * 10 + 2.18 / 2.28 * 22.8) / 4 = 10.9; centre 6.7 below the eyes.
    assert np.allclose(corners, [[39.1, 45.8], [60.9, 45.8], [60.9, 67.6], [39.1, 67.6]], atol=1e-4)
    scores[3] = 0.3
    assert face_of_coco(joints, scores)[1]
    assert face_of_coco(joints, np.zeros(17)) == (None, True)


def finder_config(task: str) -> Config:
    return Config(name="t", task=task, graph=GraphConfig(landmarks=6))


def faces() -> Mixture:
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 255, (144, 144, 3), dtype=np.uint8) for _ in range(4)]
    points = np.stack([face_template() + 72] * 4).astype(np.float32)
    known = np.ones((4, 68), np.float32)
    return Mixture([LabelledImages(images, points, known, known > 0, np.ones(4), {})], [1.0])


BACKGROUNDS = [np.random.default_rng(9).integers(0, 255, (160, 160, 3), dtype=np.uint8)]


@pytest.mark.parametrize(("samples", "task"), [(FaceFinderSamples, "face-finder"), (PersonFinderSamples, "person-finder")])
def test_frames_are_a_function_of_their_index(samples, task):
    data = Mixture(faces().sets + people().sets, [1.0, 1.0])
    whole, tail = (samples(data, BACKGROUNDS, finder_config(task), start, 40) for start in (0, 25))
    for a, b in zip(whole[30], tail[5], strict=True):
        assert torch.equal(a, b)
    frames = [whole.frame(i) for i in range(25)]
    assert sum(len(f.subjects) for f in frames) > 15
    assert all(len(whole.frame(i, empty=True).subjects) == 0 for i in range(5))
    for frame in frames:
        assert frame.image.shape == (128, 128, 3)
        assert ((frame.subjects[:, :2] >= 0) & (frame.subjects[:, :2] < 128)).all()
        assert (frame.subjects[:, 2] >= 0.06 * frame.height).all()


def test_scenes_for_the_evaluation_say_where_subjects_are(tmp_path):
    path = write_evaluation_scenes(faces(), BACKGROUNDS, finder_config("face-finder"), tmp_path, frames=12, empty=2, side=256)
    rows = json.loads(path.read_text())["images"]
    large = dataclasses.replace(finder_config("face-finder"), graph=GraphConfig(landmarks=6, input_size=256))
    samples = FaceFinderSamples(faces(), BACKGROUNDS, large, 0, 14)
    samples.strange = 0.0
    assert len(rows) == 14 and rows[12]["boxes"] == rows[13]["boxes"] == rows[13]["ignored"] == []
    assert sum(len(row["boxes"]) for row in rows) > 5
    for i, row in enumerate(rows[:12]):
        frame = samples.frame(i)
        assert cv2.imread(str(tmp_path / row["file"])).shape == (*(256 - 2 * frame.corner[::-1]), 3)
        counted = frame.subjects[frame.subjects[:, 2] > 0.12 * frame.height]
        found = np.array(row["boxes"]).reshape(-1, 4)
        assert np.allclose(found[:, :2] + found[:, 2:] / 2, counted[:, :2] - frame.corner, atol=0.02)
        assert np.allclose(found[:, 2], counted[:, 2], atol=0.02)


def test_turned_faces_are_drawn_more_readily_for_training_alone(tmp_path):
    data, config = faces(), dataclasses.replace(finder_config("face-finder"), turned=3.0)
    data.sets[0].fields["yaw"] = np.array([0, 35, -60, 90])
    assert np.allclose(FaceFinderSamples(data, BACKGROUNDS, config, 0, 1).faces.sets[0].weights, [1 / 3, 1 / 3, 1, 1])
    rows = [
        json.loads(write_evaluation_scenes(data, BACKGROUNDS, c, tmp_path / str(c.turned), frames=6, empty=0, side=128).read_text())
        for c in (config, dataclasses.replace(config, turned=1.0))
    ]
    assert rows[0] == rows[1]


def test_ignored_cells_are_boxes_in_pixels():
    cells = np.zeros((8, 8), bool)
    cells[1:3, 2:6] = cells[6, 7] = True
    assert sorted(ignored_boxes(cells)) == [[8, 4, 16, 8], [28, 24, 4, 4]]


def test_plain_frames_hold_their_subjects_whole_and_apart(monkeypatch):
    monkeypatch.setattr(FaceFinderSamples, "_filled", lambda *_: None)
    samples = FaceFinderSamples(faces(), BACKGROUNDS, finder_config("face-finder"), 0, 40)
    samples.strange, samples.plain = 0.0, True
    frames = [samples.frame(i) for i in range(40)]
    assert sum(len(frame.subjects) for frame in frames) > 40
    for frame in frames:
        for k, (x, y, size, _) in enumerate(frame.subjects):
            assert abs(y - 64) <= (frame.height - size) / 2 + 1
            assert all(np.hypot(x - o[0], y - o[1]) > 0.59 * (size + o[2]) for o in frame.subjects[:k])


@pytest.mark.parametrize("mirror", [False, True])
def test_a_pasted_face_is_found_where_it_was_put(mirror):
    data = faces().sets[0]
    scene = Scene(128, np.random.default_rng(0))
    subject = Subject(
        data.images[0], np.ones((144, 144), np.float32), data.points[0], (36, 45), np.array(LANDMARK_SETS["face"].mirror)
    )
    box = region_of(subject.points, 1.0, (36, 45))
    scene.paste(subject, placement(box, np.array([128.0, 140.0]), 60.0, 0.5, mirror))
    frame = scene.finish(32)
    assert np.allclose(frame.subjects, [[64, 70, 30, 0.5]], atol=1.0)
    assert np.allclose(frame.subjects[0, 3], 0.5, atol=0.02), "a mirrored face turns as a face, not upside down"


def test_what_is_covered_or_cut_is_ignored_or_gone():
    data = faces().sets[0]
    scene = Scene(128, np.random.default_rng(0))
    face = Subject(data.images[0], np.ones((144, 144), np.float32), data.points[0], (36, 45))
    box = region_of(face.points, 1.0, (36, 45))
    scene.paste(face, placement(box, np.array([128.0, 128.0]), 60.0, 0.0, False))
    cover = Subject(data.images[1], np.ones((144, 144), np.float32), None)
    half = np.array([[1.0, 0, 132], [0, 1, 60]])  # covers everything right of x = 132: a bit less than half of the face
    scene.paste(cover, half)
    assert len(scene.finish(32).subjects) == 1
    scene.paste(cover, half - [[0, 0, 20], [0, 0, 0]])  # now all right of 112
    frame = scene.finish(32)
    assert len(frame.subjects) == 0 and frame.ignored[16, 16] and not frame.ignored[2, 16]
    scene.paste(cover, half - [[0, 0, 80], [0, 0, 0]])
    frame = scene.finish(32)
    assert len(frame.subjects) == 0 and not frame.ignored.any()


def test_a_person_cut_by_the_frame_has_the_box_of_the_joints_inside():
    scene = Scene(128, np.random.default_rng(0))
    points = np.array([[10.0, 10], [30, 10], [10, 50], [30, 50], [20, 90]])
    person = Subject(np.zeros((100, 40, 3), np.uint8), np.ones((100, 40), np.float32), points)
    top = scene.corner[1] + scene.height - 60
    scene.paste(person, np.array([[1.0, 0, 100], [0, 1, top]]))
    assert np.allclose(scene.placed[0].centre, [120, top + 30]) and np.isclose(scene.placed[0].size, 40)


def test_a_person_whose_anchor_is_not_in_the_frame_is_ignored():
    points = np.array([[10.0, 10], [30, 10], [10, 50], [30, 50], [20, 90]])
    for above, found in ((0, 1), (30, 0)):
        scene = Scene(128, np.random.default_rng(0))
        person = Subject(np.zeros((100, 40, 3), np.uint8), np.ones((100, 40), np.float32), points, anchor=np.array([20.0, 20]))
        scene.paste(person, np.array([[1.0, 0, 100], [0, 1, scene.corner[1] - above]]))
        frame = scene.finish(32)
        assert len(frame.subjects) == len(frame.anchors) == found and frame.ignored.any() == (found == 0)
        if found:
            assert np.allclose(frame.anchors, [[60, (scene.corner[1] + 20) / 2]])


def test_people_are_known_by_their_thorax():
    image, points = np.zeros((1, 100, 100, 3), np.uint8), np.random.default_rng(0).uniform(10, 90, (1, 16, 2)).astype(np.float32)
    for thorax in (True, False):
        present = np.ones((1, 16), bool)
        present[0, 7] = thorax
        data = LabelledImages(list(image), points, present.astype(np.float32), present, np.ones(1), {})
        subject = person_subject(data, 0, np.random.default_rng(0))
        assert subject.vague == (not thorax) and np.allclose(subject.anchor, points[0, 7])


def test_matching_wants_the_place_and_the_size():
    true = np.array([[50.0, 50, 20, 0], [80, 80, 40, 0]])
    found = np.array([[54.0, 50, 20, 0, 0.9], [50, 50, 20, 0, 0.8], [80, 80, 61, 0, 0.7], [89, 80, 30, 0, 0.6]])
    assert match(found, true) == [0, -1, -1, 1]


def test_the_threshold_allows_one_false_alarm_in_fifty_scenes():
    empty = np.zeros((0, 5))
    found = [np.array([[0, 0, 1, 0, s]]) for s in (0.9, 0.7, 0.4321)] + [empty] * 97
    assert choose_threshold(found) == 0.433  # two alarms are allowed in a hundred scenes
    assert choose_threshold([empty] * 50) == 0.05


def test_strange_pictures_keep_their_shape():
    rng = np.random.default_rng(0)
    image, other = (rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(2))
    results = [made_strange(image, other, np.random.default_rng(i)) for i in range(40)]
    assert all(r.shape == image.shape and r.dtype == np.uint8 and r.flags["C_CONTIGUOUS"] for r in results)
    assert sum((r != image).any() for r in results) > 30
    assert blob([image], 96, rng).shape == (96, 96, 3)
