"""A MakeHuman-like asset folder that anybody can write: a person of boxes with the real vertex numbers, a shirt, one pose."""

import gzip
import json
import zipfile

import cv2
import numpy as np

from training.synthetic.points import FACE_VERTICES, JOINT_VERTICES, JOINTS

COUNT = 15000
# Right half of the joints in decimetres; the left half mirrors x.
MIDDLE = {"pelvis": (0, 0, 0), "thorax": (0, 5, 0), "upper_neck": (0, 6.2, 0), "head_top": (0, 8.4, 0)}
RIGHT = {
    "r_ankle": (-1, -8.2, 0), "r_knee": (-1, -4, 0.1), "r_hip": (-1, 0, 0), "r_shoulder": (-1.8, 5, 0), "r_elbow": (-3.8, 3.2, 0),
    "r_wrist": (-5.6, 1.6, 0),
}
# Bone -> (parent, head, tail); .R bones are mirrored to .L.
BONES = {
    "root": (None, (0, 0, 0), (0, 0.5, 0)), "spine05": ("root", (0, 0.5, 0), (0, 1.5, 0)), "spine04": ("spine05", (0, 1.5, 0), (0, 2.5, 0)),
    "spine03": ("spine04", (0, 2.5, 0), (0, 3.5, 0)), "spine02": ("spine03", (0, 3.5, 0), (0, 4.2, 0)),
    "spine01": ("spine02", (0, 4.2, 0), (0, 5.3, 0)), "neck01": ("spine01", (0, 5.3, 0), (0, 5.7, 0)),
    "neck02": ("neck01", (0, 5.7, 0), (0, 6.0, 0)), "neck03": ("neck02", (0, 6.0, 0), (0, 6.3, 0)),
    "head": ("neck03", (0, 6.5, 0), (0, 8.4, 0)), "jaw": ("head", (0, 6.6, 0.2), (0, 6.3, 0.9)),
    "eye.R": ("head", (-0.3, 7.4, 0.8), (-0.3, 7.4, 1)), "clavicle.R": ("spine01", (-0.3, 5, 0), (-1.8, 5, 0)),
    "upperarm01.R": ("clavicle.R", (-1.8, 5, 0), (-3.8, 3.2, 0)), "lowerarm01.R": ("upperarm01.R", (-3.8, 3.2, 0), (-4.7, 2.4, 0)),
    "lowerarm02.R": ("lowerarm01.R", (-4.7, 2.4, 0), (-5.6, 1.6, 0)), "wrist.R": ("lowerarm02.R", (-5.6, 1.6, 0), (-6, 1.3, 0)),
    "upperleg01.R": ("root", (-1, 0, 0), (-1, -4, 0.1)), "lowerleg01.R": ("upperleg01.R", (-1, -4, 0.1), (-1, -8.2, 0)),
    "foot.R": ("lowerleg01.R", (-1, -8.2, 0), (-1, -8.6, 1.2)),
}
for _f in range(1, 6):
    for _j in range(1, 4):
        _at = (-6 - 0.25 * _j, 1.3 - 0.2 * _j, 0.3 - 0.12 * _f)
        _parent = "wrist.R" if _j == 1 else f"finger{_f}-{_j - 1}.R"
        BONES[f"finger{_f}-{_j}.R"] = (_parent, _at, (_at[0] - 0.25, _at[1] - 0.2, _at[2]))
# Box name -> (bone that carries it, low corner, high corner).
BOXES = {
    "torso": ("spine03", (-1.7, -0.6, -0.8), (1.7, 5.2, 0.8)), "head": ("head", (-0.8, 6.2, -0.9), (0.8, 8.5, 0.9)),
    "arm": ("upperarm01.R", (-4, 3, -0.3), (-1.7, 5, 0.3)), "leg": ("upperleg01.R", (-1.5, -8.5, -0.5), (-0.5, 0, 0.5)),
}


def mirrored(name: str) -> str:
    """The left twin of a right name."""
    return name.replace(".R", ".L").replace("r_", "l_") if name.endswith(".R") or name.startswith("r_") else name


def write(path, text: str) -> None:
    """A text file, its folders made; gzipped where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def write_assets(folder) -> None:
    """Fills `folder` with the least that a renderer needs."""
    vertices = np.zeros((COUNT, 3))
    places = dict(MIDDLE)
    for name, at in RIGHT.items():
        places[name], places[mirrored(name)] = at, (-at[0], *at[1:])
    for name, own in zip(JOINTS, JOINT_VERTICES, strict=True):
        if name not in ("pelvis", "thorax"):
            vertices[own] = places[name]
    vertices[JOINT_VERTICES[7]] = places["thorax"]
    for k, v in enumerate(FACE_VERTICES):
        vertices[v] = (-0.6 + 1.2 * (k % 9) / 8, 7.9 - 1.4 * (k // 9) / 7, 0.9)
    bones = {}
    for name, (parent, head, tail) in BONES.items():
        bones[name] = (parent, head, tail)
        if name.endswith(".R"):
            bones[mirrored(name)] = (parent and mirrored(parent), (-head[0], *head[1:]), (-tail[0], *tail[1:]))
    rig = {"bones": {}, "joints": {}}
    for k, (name, (parent, head, tail)) in enumerate(bones.items()):
        vertices[14700 + 2 * k], vertices[14701 + 2 * k] = head, tail
        rig["bones"][name] = {"parent": parent, "head": f"{name}_head", "tail": f"{name}_tail"}
        rig["joints"] |= {f"{name}_head": [14700 + 2 * k], f"{name}_tail": [14701 + 2 * k]}
    weights = {"head": [[v, 1] for v in (*FACE_VERTICES, *JOINT_VERTICES[9], *JOINT_VERTICES[8])]}
    carriers = {0: "lowerleg01.R", 1: "lowerleg01.R", 10: "lowerarm02.R", 11: "lowerarm01.R", 12: "upperarm01.R"}
    for k, name in carriers.items():
        weights.setdefault(name, []).extend([v, 1] for v in JOINT_VERTICES[k])
        twin = JOINTS.index(mirrored(JOINTS[k]))
        weights.setdefault(mirrored(name), []).extend([v, 1] for v in JOINT_VERTICES[twin])
    weights["spine01"] = [[v, 1] for v in JOINT_VERTICES[7]]
    lines, first = ["g body"], 12400
    for bone, low, high in [b for name, b in BOXES.items()] + [
        (mirrored(b), (-h[0], *lo[1:]), (-lo[0], *h[1:])) for b, lo, h in BOXES.values() if b.endswith(".R")
    ]:
        corners = [[(low, high)[(i >> a) & 1][a] for a in range(3)] for i in range(8)]
        vertices[first : first + 8] = corners
        weights.setdefault(bone, []).extend([v, 1] for v in range(first, first + 8))
        for quad in ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)):
            lines.append("f " + " ".join(f"{first + q + 1}/{c + 1}" for c, q in enumerate(quad)))
        first += 8
    text = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices] + ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"] + lines
    write(folder / "3dobjs" / "base.obj.gz", "\n".join(text))
    write(folder / "rigs" / "default.mhskel", json.dumps(rig))
    write(folder / "rigs" / "default_weights.mhw", json.dumps({"weights": weights}))
    write(folder / "targets" / "nose" / "nose-hump-incr.target.gz", "# comment\n6 0 0.5 0\n41 .1 0 -1\n")
    write(folder / "skins" / "young" / "young.mhmat", "name young\ndiffuseTexture ../young_lightskinned_male_diffuse.png\n")
    cv2.imwrite(str(folder / "skins" / "young_lightskinned_male_diffuse.png"), np.full((8, 8, 3), (120, 150, 200), np.uint8))
    write_shirt(folder / "clothes" / "male_shirt")
    write(folder / "poses" / "raised.bvh", POSE)
    write(folder / "poseunits" / "face-poseunits.json", json.dumps({"framemapping": ["Rest", "JawDrop"]}))
    write(folder / "poseunits" / "face-poseunits.bvh", FACE_UNITS)


def write_shirt(folder) -> None:
    """The torso box again: four copied vertices, four mixed ones with offsets scaled by the torso's width (34 / 2 = 1.7)."""
    rows = [str(12400 + i) for i in range(4)] + [f"{12400 + i} {12400 + i} {12400 + i} 0.5 0.25 0.25 0 0 1" for i in range(4, 8)]
    head = ["# shirt", "obj_file shirt.obj", "material shirt.mhmat", "z_scale 12400 12404 1.6", "verts 0"]
    write(folder / "male_shirt.mhclo", "\n".join([*head, *rows, "delete_verts", "12400 - 12407"]))
    quads = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))
    text = ["v 0 0 0"] * 8 + ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"]
    text += ["f " + " ".join(f"{q + 1}/{c + 1}" for c, q in enumerate(quad)) for quad in quads]
    write(folder / "shirt.obj", "\n".join(text))
    write(folder / "shirt.mhmat", "diffuseTexture shirt.png")
    cv2.imwrite(str(folder / "shirt.png"), np.full((8, 8, 3), (200, 60, 40), np.uint8))


def write_backgrounds(path) -> None:
    """A zip with two pictures."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(2):
            image = cv2.resize(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), (128, 128))
            archive.writestr(f"field_{k}.jpg", cv2.imencode(".jpg", image)[1].tobytes())


POSE = """HIERARCHY
ROOT root
{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Xrotation Yrotation Zrotation
 JOINT upperarm01.R
 {
  OFFSET 1 0 0
  CHANNELS 3 Xrotation Yrotation Zrotation
  End Site
  {
   OFFSET 9 9 9
  }
 }
 JOINT upperarm01.L
 {
  OFFSET 0 1 0
  CHANNELS 3 Xrotation Yrotation Zrotation
 }
}
MOTION
Frames: 1
Frame Time: 0.04
1 2 3 0 0 90 90 0 90 0 0 0
"""

FACE_UNITS = """HIERARCHY
ROOT root
{
 OFFSET 0 0 0
 CHANNELS 3 Xrotation Yrotation Zrotation
 JOINT jaw
 {
  OFFSET 0 0 0
  CHANNELS 3 Xrotation Yrotation Zrotation
 }
}
MOTION
Frames: 2
Frame Time: 0.04
0 0 0 0 0 0
0 0 0 20 0 0
"""
