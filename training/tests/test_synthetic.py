"""The renderer without its assets: parsing, skinning, aiming, drawing and labels on a person made of boxes (fake_assets.py)."""

import sys
import zipfile

import cv2
import numpy as np
import pytest

from training.images import load_set, read_backgrounds
from training.synthetic import __main__ as command
from training.synthetic import assets, body, clips, contact_sheet, pose, raster, samples, scene
from training.synthetic.body import Part
from training.synthetic.library import build_library, load_library
from training.synthetic.points import FACE_VERTICES, JOINT_VERTICES, JOINTS
from training.tests.fake_assets import write, write_assets, write_backgrounds

WHITE = np.full((2, 2, 4), 255, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("assets")
    write_assets(path / "makehuman")
    write_backgrounds(path / "backgrounds.zip")
    return path


@pytest.fixture(scope="module")
def library(folder):
    return build_library(folder / "makehuman")


def square(x, y, z, half, texture=WHITE, kind="cloth"):
    """A square facing +z, as a part of two triangles."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * half + np.float32([x, y, z])
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Part(corners, triangles, uvs, triangles, texture, kind)


def disc(x, y, radius):
    """A disc facing +z, as a fan of 40 triangles: unlike a square's, its edges cross pixels at all angles."""
    angle = np.arange(40) * 2 * np.pi / 40
    rim = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle), 0 * angle], 1)
    corners = np.concatenate([[[x, y, 0]], rim]).astype(np.float32)
    triangles = np.array([[0, k + 1, (k + 1) % 40 + 1] for k in range(40)], np.int32)
    return Part(corners, triangles, np.zeros((41, 2), np.float32), triangles, WHITE, "cloth")


def flat_light():
    """Light that shows every surface in its own colour."""
    return scene.Light(np.array([0, 0, 1.0]), np.zeros(3), np.ones(3), np.ones(3), False)


def front_camera(size=64, side=4.0, distance=10.0):
    """In front of the origin; the plane z = 0 is shown `side` decimetres wide."""
    return scene.framed(scene.orbit(np.zeros(3), 0, 0, 0, distance), np.zeros(2), side / distance, size)


# Files


def test_mesh_reads_polygons_groups_and_missing_texture_corners(tmp_path):
    write(tmp_path / "m.obj.gz", "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt .5 .25\nvt 1 1\ng one\nf 1/2 2/1 3/1 4/1\ng two\nf 1 2 3\n")
    mesh = assets.read_mesh(tmp_path / "m.obj")
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert mesh.uv_triangles.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert [mesh.groups[g] for g in mesh.group] == ["one", "one", "two"]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(assets.AssetError, match=r"m\.obj: found neither this file nor m\.obj\.gz"):
        assets.read_mesh(tmp_path / "m.obj")


def test_proxy_fits_by_anchors_weights_and_scaled_offsets(folder, library):
    item = library.wearables["clothes"]["male_shirt"]
    base = library.mesh.vertices.copy()
    base[12404:12408, 2] += 0.8
    fitted = item.proxy.fit(base)
    # Copies stay; the others move 1 dm times (1.6 + 0.8) / 1.6 = 1.5 along z from their anchors.
    np.testing.assert_allclose(fitted[:4], base[12400:12404])
    np.testing.assert_allclose(fitted[4:], base[12404:12408] + [0, 0, 1.5], atol=1e-6)
    assert item.proxy.hidden.tolist() == list(range(12400, 12408))


def test_proxy_of_another_release_is_refused(tmp_path):
    write(tmp_path / "a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    write(tmp_path / "a.mhclo", "obj_file a.obj\nverts 0\n1\n2\n")
    with pytest.raises(assets.AssetError, match="2 fitted vertices, but its mesh has 3"):
        assets.read_proxy(tmp_path / "a.mhclo")


def test_motion_multiplies_channels_in_order_and_skips_end_sites(folder):
    motion = assets.read_motion(folder / "makehuman" / "poses" / "raised.bvh")
    assert motion.names == ["root", "upperarm01.R", "upperarm01.L"]
    assert motion.parents == [-1, 0, 0]
    assert motion.offsets.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert motion.translations[0, 0].tolist() == [1, 2, 3]
    # X 90 then Z 90, column vectors: Rx Rz takes x to Rx y = z.
    np.testing.assert_allclose(motion.rotations[0, 1] @ [1, 0, 0], [0, 0, 1], atol=1e-12)


def test_library_turns_motion_from_z_up_to_y_up(library):
    # A turn of 90 degrees about the file's z (up) takes the rig's z (forward) to x (left).
    root = library.poses["raised"][library.rig.names.index("root")]
    np.testing.assert_allclose(root @ [0, 0, 1], [1, 0, 0], atol=1e-6)


def test_library_cache_is_reused_and_follows_the_files(folder, tmp_path, monkeypatch):
    load_library(folder / "makehuman", tmp_path)
    assert len(list(tmp_path.glob("library_*.pickle"))) == 1
    monkeypatch.setattr("training.synthetic.library.build_library", lambda _: pytest.fail("built again"))
    again = load_library(folder / "makehuman", tmp_path)
    assert again.rig.names[0] == "root"
    index, offset = again.targets["nose/nose-hump-incr"]
    assert index.tolist() == [6, 41]
    np.testing.assert_allclose(offset, [[0, 0.5, 0], [0.1, 0, -1]])


def test_folder_without_assets_is_refused(tmp_path):
    with pytest.raises(assets.AssetError, match="no folder 3dobjs"):
        load_library(tmp_path, tmp_path / "cache")


# Bodies


def test_skinning_follows_a_bent_chain():
    parents = np.array([-1, 0], np.int32)
    heads = np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    turned = np.stack([np.eye(3), assets.axis_rotation(2, np.pi / 2)]).astype(np.float32)
    transforms = raster.chain(parents, heads, turned)
    points = np.array([[2, 0, 0], [2, 0, 0], [0.5, 0, 0]], np.float32)
    bones = np.array([[1, 0], [1, 0], [0, 1]], np.int32)
    weights = np.array([[1, 0], [0.5, 0.5], [1, 0]], np.float32)
    # The elbow at (1, 0, 0) turns (2, 0, 0) up to (1, 1, 0); half of it is the mean with (2, 0, 0).
    np.testing.assert_allclose(raster.skin(points, bones, weights, transforms), [[1, 1, 0], [1.5, 0.5, 0], [0.5, 0, 0]], atol=1e-6)


def test_children_inherit_their_parents_turn():
    parents = np.array([-1, 0], np.int32)
    heads = np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    turned = np.tile(assets.axis_rotation(2, np.pi / 2), (2, 1, 1)).astype(np.float32)
    # Head of the second bone goes to (0, 1, 0), its tip turns by 180 degrees.
    tip = raster.chain(parents, heads, turned)[1] @ np.float32([2, 0, 0, 1])
    np.testing.assert_allclose(tip, [-1, 1, 0], atol=1e-6)


def test_arm_reaches_by_the_cosine_rule(library):
    skeleton = pose.Skeleton(library.rig, library.mesh.vertices)
    shoulder, elbow, wrist = (skeleton.at(f"{n}.L") for n in ("upperarm01", "lowerarm01", "wrist"))
    place = shoulder + [0.4, -0.6, 2.5]
    upper, lower = pose.arm(skeleton, "L", place, np.random.default_rng(0))
    a, b = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
    np.testing.assert_allclose(shoulder + a * upper + b * lower, place, atol=1e-9)


def test_followed_directions_and_frames_arrive(library):
    skeleton = pose.Skeleton(library.rig, library.mesh.vertices)
    root = pose.turn(x=10, z=5)
    frames = {"root": root, "chest": root @ pose.turn(y=20), "head": root @ pose.turn(30, -40, 10)}
    aims = {"upperarm01.R": np.array([-0.6, 0.8, 0]), "lowerarm01.R": np.array([0, 0.6, 0.8])}
    local = pose.follow(skeleton, frames, aims)
    transforms = raster.chain(library.rig.parents, skeleton.heads.astype(np.float32), local.astype(np.float32))
    moved = {n: transforms[skeleton.index[n]] @ np.append(skeleton.at(n), 1).astype(np.float32) for n in skeleton.index}
    np.testing.assert_allclose(clips.unit(moved["lowerarm01.R"] - moved["upperarm01.R"]), aims["upperarm01.R"], atol=1e-5)
    np.testing.assert_allclose(clips.unit(moved["wrist.R"] - moved["lowerarm01.R"]), aims["lowerarm01.R"], atol=1e-5)
    np.testing.assert_allclose(transforms[skeleton.index["head"], :, :3], frames["head"], atol=1e-5)


def test_turns_have_the_stated_signs():
    np.testing.assert_allclose(pose.turn(y=90) @ [0, 0, 1], [1, 0, 0], atol=1e-12)  # to the person's left
    np.testing.assert_allclose(pose.turn(x=90) @ [0, 0, 1], [0, -1, 0], atol=1e-12)  # nod
    np.testing.assert_allclose(pose.turn(z=90) @ [0, 1, 0], [-1, 0, 0], atol=1e-12)  # tilt to the right


def test_clip_frames_ignore_heading(tmp_path):
    path = tmp_path / "clip.bvh"
    path.write_text(clip_text(heading=90))
    out = clips.read_clip(path)
    np.testing.assert_allclose(out["root"][0], np.eye(3), atol=1e-6)
    np.testing.assert_allclose(out["upperarm01.L"][0], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(out["lowerleg01.R"][0], [0, -1, 0], atol=1e-6)
    np.testing.assert_allclose(out["foot.R"][0], [0, 0, 1], atol=1e-6)


def clip_text(heading: float) -> str:
    """A T-pose with the joints of LIMBS, turned about y."""
    tree = {"Hip": (None, (0, 100, 0)), "Spine01": ("Hip", (0, 20, 0)), "NeckTwist01": ("Spine01", (0, 30, 0)), "Head": ("NeckTwist01", (0, 10, 0))}
    for side, s in (("L", 1), ("R", -1)):
        tree |= {f"{side}_Thigh": ("Hip", (10 * s, 0, 0)), f"{side}_Calf": (f"{side}_Thigh", (0, -40, 0)), f"{side}_Foot": (f"{side}_Calf", (0, -40, 0))}
        tree |= {f"{side}_ToeBase": (f"{side}_Foot", (0, 0, 12)), f"{side}_Clavicle": ("NeckTwist01", (3 * s, 0, 0))}
        tree |= {f"{side}_Upperarm": (f"{side}_Clavicle", (14 * s, 0, 0)), f"{side}_Forearm": (f"{side}_Upperarm", (25 * s, 0, 0))}
        tree |= {f"{side}_Hand": (f"{side}_Forearm", (25 * s, 0, 0)), f"{side}_Mid1": (f"{side}_Hand", (9 * s, 0, 0)), f"{side}_Eye": ("Head", (3 * s, 4, 8))}
    rows = []

    def emit(name: str) -> None:
        parent, at = tree[name]
        rows.extend([f"{'JOINT' if parent else 'ROOT'} CC_Base_{name}", "{", "OFFSET {} {} {}".format(*at), "CHANNELS 3 Xrotation Yrotation Zrotation"])
        for child in tree:
            if tree[child][0] == name:
                emit(child)
        rows.append("}")

    emit("Hip")
    values = ["0"] * (3 * len(tree))
    values[1] = str(heading)
    return "\n".join(["HIERARCHY", *rows, "MOTION", "Frames: 1", "Frame Time: 0.1", " ".join(values)])


def test_posed_joints_sit_at_their_cubes(library):
    person = body.random_person(library, np.random.default_rng(1), [])
    still = np.tile(np.eye(3), (len(library.rig.names), 1, 1))
    out = body.posed(library, person, still, np.float32([1, 2, 3]), True)
    for k, name in enumerate(JOINTS):
        np.testing.assert_allclose(out.joints[k], library.mesh.vertices[JOINT_VERTICES[k]].mean(0) + [1, 2, 3], atol=1e-4, err_msg=name)
    assert out.joints[JOINTS.index("r_wrist"), 0] < out.joints[JOINTS.index("l_wrist"), 0]
    # The shirt hides the twelve triangles of the torso box.
    assert len(out.parts[0].triangles) == len(library.mesh.triangles) - 12
    assert out.face.shape == (len(FACE_VERTICES), 3)


# Pictures


def test_camera_projects_by_hand():
    camera = scene.framed(scene.orbit(np.zeros(3), 0, 0, 0, 10), np.array([0.1, 0.0]), 0.4, 100)
    # Focal length 100 / 0.4 = 250 px: x = 50 + 250 (2 / 8 - 0.1), y = 50 - 250 * 1 / 8, 8 dm away.
    np.testing.assert_allclose(camera.project(np.array([[2.0, 1, 2]])), [[87.5, 18.75, 8]])


def test_orbit_and_roll_have_the_stated_signs():
    left = scene.orbit(np.zeros(3), 90, 0, 0, 10)
    np.testing.assert_allclose(left.position, [10, 0, 0], atol=1e-9)
    above = scene.orbit(np.zeros(3), 0, 30, 0, 10)
    np.testing.assert_allclose(above.position[1], 5)
    rolled = scene.orbit(np.zeros(3), 0, 0, 90, 10)
    # What was up is now to the right: clockwise.
    np.testing.assert_allclose(rolled.project(np.array([[0, 1.0, 0]]))[0, :2], [0.1, 0], atol=1e-9)


def test_head_angles_have_the_stated_signs():
    np.testing.assert_allclose(samples.head_angles(pose.turn(y=30)), [30, 0, 0], atol=1e-4)
    np.testing.assert_allclose(samples.head_angles(pose.turn(x=20)), [0, 20, 0], atol=1e-4)
    np.testing.assert_allclose(samples.head_angles(pose.turn(z=-15)), [0, 0, 15], atol=1e-4)


def test_square_covers_exactly_its_pixels():
    picture = scene.render([[square(0, 0, 0, 1)]], front_camera(), flat_light(), 64)
    assert picture.alpha.sum() == pytest.approx(32 * 32)
    assert (picture.alpha[16:48, 16:48] == 1).all()


def test_nearer_surface_wins_in_any_order_and_backs_are_culled():
    red, blue = (np.full((2, 2, 4), (*c, 255), np.uint8) for c in ((255, 0, 0), (0, 0, 255)))
    near, far = square(0, 0, 1, 1, red, "skin"), square(0, 0, 0, 1, blue, "skin")
    away = square(0, 0, 2, 1, blue, "skin")
    away.triangles = away.triangles[:, ::-1].copy()
    for order in ([near, far, away], [away, far, near]):
        picture = scene.render([order], front_camera(), flat_light(), 64)
        assert picture.colour[32, 32, 0] > 200
        assert picture.colour[32, 32, 2] < 50


def test_transparent_texels_are_not_drawn():
    texture = WHITE.copy()
    texture[..., 3] = 0
    picture = scene.render([[square(0, 0, 0, 1, texture)]], front_camera(), flat_light(), 64)
    assert picture.alpha.sum() == 0


def test_texture_is_perspective_correct():
    # An edge from distance 1 to distance 3: the middle of the picture shows (1/2 * 1/3) / (1/2 + 1/2 * 1/3) = 1/4 of it.
    ramp = np.zeros((1, 256, 4), np.uint8)
    ramp[..., :3] = np.arange(256)[None, :, None]
    ramp[..., 3] = 255
    points = np.array([[0, 0, 1], [0, 9, 1], [9, 9, 1 / 3], [9, 0, 1 / 3]], np.float32)
    uvs = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    colour, depth, owners = np.zeros((9, 9, 3), np.float32), np.zeros((9, 9), np.float32), np.zeros((9, 9), np.uint8)
    identity = (np.arange(256) / 255).astype(np.float32)
    light = np.array([[1, 1, 1, 0]] * 4, np.float32)
    raster.draw(points, light, triangles, uvs, triangles, ramp, 3, False, np.float32(0), colour, depth, owners, identity, raster.BAYER)
    assert colour[4, 4, 0] == pytest.approx(0.25, abs=0.004)
    assert depth[4, 4] == pytest.approx((1 + 1 / 3) / 2, abs=1e-5)
    assert owners[4, 4] == 3


def test_a_dot_lies_where_its_label_says():
    camera = front_camera(size=64, side=4.3)
    for x, y in ((0.0, 0.0), (0.513, -0.271), (-1.1, 0.93)):
        picture = scene.render([[disc(x, y, 0.25)]], camera, flat_light(), 64)
        rows, columns = np.mgrid[:64, :64]
        weight = picture.alpha / picture.alpha.sum()
        label = camera.project(np.array([[x, y, 0]]))[0, :2] - 0.5
        np.testing.assert_allclose([(columns * weight).sum(), (rows * weight).sum()], label, atol=0.1)


def test_shadow_falls_on_what_lies_behind():
    light = scene.Light(np.array([0, 0, 1.0]), np.ones(3), np.zeros(3), np.zeros(3), True)
    wall, board = square(0, 0, 0, 2), square(0.5, 0, 3, 0.4)
    middle = Part(np.array([[0.5, 0, 0], [-1, 0, 0], [0, 1, 0]], np.float32), np.array([[0, 1, 2]], np.int32), wall.uvs, wall.uv_triangles, WHITE, "cloth")
    shares = scene.key_shares([wall, board, middle], light)
    np.testing.assert_allclose(shares[2], [0, 1, 1])
    np.testing.assert_allclose(shares[1], 1)


def test_visibility_knows_self_others_and_borders():
    camera = front_camera()
    own, other = square(0, 0, 0, 1), square(-0.5, 0, 1, 0.3)
    picture = scene.render([[own], [other]], camera, flat_light(), 64)
    points = np.array([[0.5, 0, -0.4], [0.5, 0, -1.2], [-0.5, 0, -0.4], [1.5, 0, -5], [9, 0, 0]])
    # 0.4 dm inside, 1.2 dm inside, behind the other, beside everything, outside of the picture.
    assert scene.visible(picture, camera.project(points), np.full(5, 0.8)).tolist() == [True, False, False, True, False]


def test_a_cover_hides_what_lies_under_it():
    cover = np.zeros((10, 10), np.float32)
    cover[:, 5:] = 1
    assert samples.covered(cover, np.array([[4.9, 3, 1], [5.1, 3, 1]])).tolist() == [False, True]


# Items


@pytest.fixture(scope="module")
def backgrounds(folder):
    return read_backgrounds(folder / "backgrounds.zip")


@pytest.mark.parametrize("kind", ["people", "heads", "cutouts"])
def test_item_is_a_function_of_seed_and_index(library, backgrounds, kind):
    one, two = samples.Studio(library, backgrounds, 5), samples.Studio(library, backgrounds, 5)
    first = [one.sample(kind, i) for i in range(5)]
    for i in (4, 0, 2):
        again = two.sample(kind, i)
        np.testing.assert_array_equal(first[i].image, again.image)
        np.testing.assert_array_equal(first[i].joints, again.joints)
        np.testing.assert_array_equal(first[i].face_visible, again.face_visible)
    assert not np.array_equal(first[0].image, samples.Studio(library, backgrounds, 6).sample(kind, 0).image)


def test_heads_turn_as_far_as_promised_and_stay_inside(library, backgrounds):
    studio = samples.Studio(library, backgrounds, 1)
    items = [studio.sample("heads", i) for i in range(40)]
    yaw = np.array([s.angles[0] for s in items])
    assert 55 < np.abs(yaw).max() < 95
    assert min(s.face.min() for s in items) > -0.5
    assert max(s.face.max() for s in items) < samples.SIZES["heads"] - 0.5


def test_studio_needs_backgrounds(library):
    with pytest.raises(ValueError, match="found no background pictures"):
        samples.Studio(library, [], 1)


def test_command_writes_sets_that_training_reads_and_resumes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "PART", 3)

    def run(kind: str, count: int) -> None:
        argv = ["synthetic", "--assets", folder / "makehuman", "--backgrounds", folder / "backgrounds.zip", "--kind", kind]
        argv += ["--count", count, "--seed", 1, "--out", tmp_path, "--stem", f"set_{kind}", "--cache", tmp_path / "cache"]
        monkeypatch.setattr(sys, "argv", [str(a) for a in argv])
        command.main()

    run("people", 3)
    part = next((tmp_path / "set_people_people_1.parts").iterdir())
    written = part.stat().st_mtime_ns
    run("people", 5)
    assert part.stat().st_mtime_ns == written
    data = load_set(tmp_path, "set_people")
    assert len(data) == 5
    assert data.points.shape == (5, 16, 2)
    assert data.images[0].shape == (192, 192, 3)
    assert data.fields["visibility"].shape == (5, 16)
    studio = samples.Studio(build_library(folder / "makehuman"), read_backgrounds(folder / "backgrounds.zip"), 1)
    np.testing.assert_allclose(data.points[4], studio.sample("people", 4).joints + 0.5, atol=1e-4)
    run("heads", 2)
    run("cutouts", 3)
    with np.load(tmp_path / "set_cutouts.npz") as fields, zipfile.ZipFile(tmp_path / "set_cutouts.zip") as archive:
        assert fields["head"].tolist() == [False, False, True]
        assert fields["face"].shape == (3, 68, 2)
        image = cv2.imdecode(np.frombuffer(archive.read("2.png"), np.uint8), cv2.IMREAD_UNCHANGED)
        assert image.shape == (192, 192, 4)
        assert 0 < (image[..., 3] == 255).mean() < 1
    sheet = tmp_path / "sheet.jpg"
    monkeypatch.setattr(sys, "argv", ["contact_sheet", "--data", str(tmp_path), "--stems", "set_people", "set_heads", "set_cutouts", "--out", str(sheet)])
    contact_sheet.main()
    assert cv2.imread(str(sheet)).shape == (7 * contact_sheet.TILE, contact_sheet.COLUMNS * contact_sheet.TILE, 3)
