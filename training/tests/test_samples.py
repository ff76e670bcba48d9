"""Crops, mirror table and augmentation geometry."""

import dataclasses
import json
import zipfile

import cv2
import numpy as np

from training import augment, crops
from training.config import Config
from training.configs import load_config
from training.evaluation_set import skin_tone, write_evaluation_set
from training.face_samples import FaceSamples
from training.graph import GraphConfig
from training.images import PEOPLED, Mixture, Source, load_mixture, load_set, read_all, read_backgrounds
from training.landmark_sets import LANDMARK_SETS
from training.landmark_validation import FaceValidation
from training.tests.helpers import face_template, write_face_set


def test_mirror_table_is_an_involution_that_mirrors_the_template():
    mirror = np.array(LANDMARK_SETS["face"].mirror)
    assert (mirror[mirror] == np.arange(68)).all()
    template = face_template()
    flipped = template * [-1, 1]
    assert np.abs(flipped[mirror] - template).max() < 8  # only a left/right swap brings the points back to their places


def test_region_is_upright_and_scaled():
    points = np.zeros((68, 2))
    points[36], points[45], points[8] = (10, 10), (30, 30), (10, 30)
    centre, side, angle = crops.region_of(points[[36, 45, 8]], 2.0, (0, 1))
    assert np.isclose(angle, np.pi / 4)
    # In the region's own axes the box is 28.28 wide and 14.14 high.
    assert np.isclose(side, 2 * np.hypot(20, 20))
    assert np.allclose(centre, [15, 25])


def test_a_disc_lands_where_the_matrix_says():
    image = np.zeros((144, 144, 3), np.uint8)
    cv2.circle(image, (60, 80), 5, (255, 255, 255), -1)
    for mirror in (False, True):
        matrix = crops.crop_matrix(np.array([70.0, 75.0]), 100.0, 0.4, 128, mirror)
        crop = crops.warp(image, matrix, 128, cv2.BORDER_CONSTANT)[..., 0].astype(float)
        y, x = np.mgrid[0:128, 0:128] + 0.5
        found = np.array([(crop * x).sum(), (crop * y).sum()]) / crop.sum()
        expected = crops.transform(np.array([[60.5, 80.5]]), matrix)[0]
        assert np.abs(found - expected).max() < 0.05


def test_samples_are_a_function_of_their_index(tmp_path):
    write_face_set(tmp_path, "faces_train", 8)
    data = load_mixture([Source(tmp_path, "faces")], "train")
    backgrounds = [np.random.default_rng(0).integers(0, 255, (160, 160, 3), dtype=np.uint8)]
    config = Config(name="t", task="face", graph=GraphConfig())
    whole = FaceSamples(data, backgrounds, config, 0, 40)
    tail = FaceSamples(data, backgrounds, config, 25, 40)
    for a, b in zip(whole[30], tail[5], strict=True):
        assert (a == b).all()


def test_occlusion_low_light_and_noise_keep_the_shape():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (128, 128, 3), dtype=np.uint8)
    for _ in range(60):
        out = augment.photometric(augment.occlude(image, face_template() + 64, rng, [])[0], rng)
        assert out.shape == (128, 128, 3) and out.dtype == np.uint8


def test_what_is_covered_is_said():
    rng = np.random.default_rng(3)
    image, points = np.full((128, 128, 3), 200, np.uint8), face_template() + 64
    shares = []
    for _ in range(200):
        out, hidden = augment.occlude(image, points, rng, [])
        x, y = points.astype(int).T
        # A cover may have the picture's own colour, but what it does not reach stays as it is.
        assert (out[y[~hidden], x[~hidden]] == 200).all() or not hidden.any()
        shares.append(hidden.mean())
    assert 20 < sum(share > 0 for share in shares) < 80 and max(shares) < 0.9


def test_covered_and_cut_landmarks_of_faces_have_flat_targets_too(tmp_path):
    write_face_set(tmp_path, "faces_train", 8)
    config = Config(name="t", task="face", graph=GraphConfig(), negatives=0.0, hidden=0.5, absent=0.25)
    samples = FaceSamples(load_mixture([Source(tmp_path, "faces")], "train"), [], config, 0, 200)
    items = [samples[i] for i in range(200)]
    cut = sum(int(((mask == 0) & (absent == 0.25)).sum()) for _, _, mask, absent in items)
    covered = sum(int(((mask == 1) & (absent == 0.5)).sum()) for _, _, mask, absent in items)
    seen = sum(int(((mask == 1) & (absent == 0)).sum()) for _, _, mask, absent in items)
    assert cut + covered + seen == 200 * 68 and min(cut, covered) > 100 and seen > 0.7 * 200 * 68


def test_stretching_uses_the_whole_range_of_each_crop():
    crop = np.array([[[10, 20]], [[30, 60]], [[35, 110]]], np.uint8)
    assert crops.stretch(crop).flatten().tolist() == [0, 26, 51, 128, 64, 255]  # 2.55 per step: 25.5 and 127.5 to even
    assert crops.stretch(np.full((3, 1, 2), 7, np.uint8)).max() == 0


def test_samples_and_validation_are_stretched_where_the_configuration_says_so(tmp_path):
    write_face_set(tmp_path, "faces_train", 2)
    data = load_set(tmp_path, "faces_train")
    data.images = [image // 2 + 60 for image in data.images]
    for stretched in (False, True):
        config = dataclasses.replace(load_config("smoke"), stretch=stretched, negatives=0.0)
        images = [FaceSamples(Mixture([data], [1.0]), [], config, 0, 8)[5][0].numpy(), *FaceValidation(data, config).images]
        assert all(((crop.min(), crop.max()) == (0, 255)) == stretched for crop in images)


def test_every_configuration_loads():
    assert load_config("face").graph.weights == "b1"
    assert load_config("face_float").graph.input_bits == 32


def test_evaluation_set_moves_points_to_pixel_edges(tmp_path):
    write_face_set(tmp_path, "faces_val", 3)
    path = write_evaluation_set(tmp_path, "faces_val", tmp_path / "out", limit=2)
    rows = json.loads(path.read_text())["images"]
    points = np.load(tmp_path / "faces_val.npz")["landmarks"].astype(float)
    assert [row["file"] for row in rows] == ["1.jpg", "2.jpg"]
    assert np.allclose(rows[1]["points"], points[1] + 0.5, atol=1e-3)
    assert (tmp_path / "out" / "2.jpg").stat().st_size > 100
    assert "normalizer" not in rows[0]
    path = write_evaluation_set(tmp_path, "faces_val", tmp_path / "out", 1, (0, 16))
    distance = np.hypot(*(points[0, 0] - points[0, 16]))
    assert json.loads(path.read_text())["images"][0]["normalizer"] == round(distance, 3)


def test_sets_are_mixed_by_their_shares(tmp_path):
    write_face_set(tmp_path, "a_train", 3)
    write_face_set(tmp_path, "b_train", 2)
    mixture = load_mixture([Source(tmp_path, "a", 3.0), Source(tmp_path, "b", 1.0)], "train")
    rng = np.random.default_rng(0)
    first = sum(mixture.draw(rng)[0] is mixture.sets[0] for _ in range(2000))
    assert 1420 < first < 1580
    assert mixture.with_points(16) is None and len(mixture.with_points(68).sets) == 2


def test_backgrounds_are_held_out_by_panorama(tmp_path):
    picture = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name in "abcdefghi":
            for view in range(3):
                archive.writestr(f"{name}_1k_{view}.jpg", picture)
        archive.writestr(f"{PEOPLED[0]}_0.jpg", picture)
    counts = {part: len(read_backgrounds(tmp_path / "b.zip", part)) for part in (None, "train", "tune", "val")}
    assert counts == {None: 27, "train": 21, "tune": 3, "val": 3}


def test_half_of_the_pictures_of_nobody_are_hard_ones_if_there_are_any(tmp_path):
    write_face_set(tmp_path, "faces_train", 4)
    data = load_mixture([Source(tmp_path, "faces")], "train")
    config = Config(name="t", task="face", graph=GraphConfig(), negatives=1.0)
    samples = FaceSamples(data, [np.zeros((160, 160, 3), np.uint8)], config, 0, 200)
    for some in data.sets:
        some.images = [np.full_like(image, 128) for image in some.images]
    assert not any(is_red(samples[i][0].numpy()) for i in range(50))
    picture = cv2.imencode(".png", np.full((192, 192, 3), (0, 0, 220), np.uint8))[1].tobytes()
    with zipfile.ZipFile(tmp_path / "hard.zip", "w") as archive:
        archive.writestr("0.png", picture)
    samples.hard = read_all(tmp_path / "hard.zip")
    red = [i for i in range(200) if is_red(samples[i][0].numpy())]
    assert 70 < len(red) < 130
    _, _, mask, absent = samples[red[0]]
    assert (mask == 0).all() and (absent == 1).all()


def is_red(image: np.ndarray) -> bool:
    """Whether a picture [3, h, w] is redder than any damage makes a grey one."""
    return float(image[0].mean()) > 2 * float(image[1].mean()) + 10


def test_profiles_weigh_less_unless_their_labels_are_exact(tmp_path):
    write_face_set(tmp_path, "faces_train", 3)
    fields = dict(np.load(tmp_path / "faces_train.npz")) | {"yaw": np.array([0, -45, 80])}
    np.savez(tmp_path / "faces_train.npz", **fields)
    assert np.allclose(load_set(tmp_path, "faces_train").weights, [1, 0.625, 0.25])
    np.savez(tmp_path / "faces_train.npz", **fields, visibility=np.ones((3, 68)))
    assert (load_set(tmp_path, "faces_train").weights == 1).all()


def test_turned_faces_are_drawn_more_readily(tmp_path):
    write_face_set(tmp_path, "faces_train", 3)
    fields = dict(np.load(tmp_path / "faces_train.npz")) | {"yaw": np.array([10, -25, 35])}
    np.savez(tmp_path / "faces_train.npz", **fields)
    data = load_set(tmp_path, "faces_train")
    assert np.allclose(data.favouring_turned(2.0, (15, 35)).weights, [0.5, 0.75, 1])
    assert data.favouring_turned(1.0, (15, 35)) is data


def test_skin_tone_is_that_of_the_cheeks():
    points = np.random.default_rng(0).uniform(0, 96, (68, 2))
    points[[36, 45]] = [[30, 40], [70, 40]]
    points[[2, 3, 31, 41]], points[[13, 14, 35, 46]] = [30, 60], [70, 60]
    image = np.zeros((96, 96, 3), np.uint8)
    image[50:70] = [224, 190, 165]  # L* 79.3, b* 17.1, worked out by hand: atan2(29.3, 17.1)
    assert abs(skin_tone(image, points) - 59.6) < 0.5
    image[50:70] = [80, 55, 40]
    assert skin_tone(image, points) < -30
