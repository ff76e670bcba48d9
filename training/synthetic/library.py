"""Everything of an asset folder that a renderer needs, loaded once and kept in a cache file. No randomness, no pictures.

Expected folders, as in MakeHuman's releases: 3dobjs targets rigs poses poseunits expressions skins eyes eyebrows eyelashes teeth
tongue hair clothes, and cmu_bvh with motion-capture clips (optional).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import pickle

import cv2
import numpy as np
from tqdm import tqdm

from training.synthetic import assets
from training.synthetic.clips import level, read_clip
from training.synthetic.points import FACE_VERTICES, JOINT_VERTICES

# Folders of morphs that change shape; expression morphs are a mixture of three races each and are left to the face bones.
TARGET_FOLDERS = (
    "macrodetails", "macrodetails/height", "macrodetails/proportions", "head", "forehead", "eyebrows", "eyes", "nose", "mouth", "chin",
    "cheek", "ears", "neck", "asym", "bodyshapes", "measure", "torso", "hip", "stomach", "breast",
)
CACHE_VERSION = 2


@dataclasses.dataclass
class Wearable:
    """A proxy with skin weights (influences, weights [n, k]) and texture uint8 [h, w, 4]; None: coloured by the caller."""

    proxy: assets.Proxy
    influences: np.ndarray
    weights: np.ndarray
    texture: np.ndarray


@dataclasses.dataclass(eq=False)
class Library:
    """mesh: base mesh with the body's triangles alone; rig; targets: name -> (index, offset); wearables: folder -> name ->
    Wearable; skins and irises: name -> texture; poses: name -> local rotations [b, 3, 3]; units: name -> rotation vectors [b, 3];
    expressions: name -> {unit: weight}; clips: bone directions and frames of motion capture (clips.py), all frames joined.
    """

    mesh: assets.Mesh
    rig: assets.Rig
    targets: dict[str, tuple[np.ndarray, np.ndarray]]
    wearables: dict[str, dict[str, Wearable]]
    skins: dict[str, np.ndarray]
    irises: dict[str, np.ndarray]
    poses: dict[str, np.ndarray]
    units: dict[str, np.ndarray]
    expressions: dict[str, dict[str, float]]
    clips: dict[str, np.ndarray]


def load_library(folder: pathlib.Path, cache: pathlib.Path) -> Library:
    """The library of an asset folder; reads the cache file if it was made from the same files (names, sizes, times)."""
    if not (folder / "3dobjs").is_dir():
        raise assets.AssetError(f"{folder}: found no folder 3dobjs, expected MakeHuman assets; see training/synthetic/README.md")
    files = sorted((str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file())
    key = hashlib.sha256(json.dumps([CACHE_VERSION, files]).encode()).hexdigest()[:16]
    path = cache / f"library_{key}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    library = build_library(folder)
    cache.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(library, protocol=5))
    part.replace(path)
    return library


def build_library(folder: pathlib.Path) -> Library:
    """Parses an asset folder (about a minute for the whole release)."""
    mesh = assets.read_mesh(folder / "3dobjs" / "base.obj")
    body = mesh.group == mesh.groups.index("body")
    mesh.triangles, mesh.uv_triangles, mesh.group = mesh.triangles[body], mesh.uv_triangles[body], mesh.group[body]
    needed = max(max(FACE_VERTICES), max(max(v) for v in JOINT_VERTICES))
    if len(mesh.vertices) <= needed:
        raise assets.AssetError(f"{folder}/3dobjs/base.obj: found {len(mesh.vertices)} vertices, expected more than {needed} (mesh hm08)")
    rig = assets.read_rig(folder / "rigs" / "default.mhskel", folder / "rigs" / "default_weights.mhw", len(mesh.vertices))
    targets = {}
    for name in TARGET_FOLDERS:
        for stem in tqdm(stems(folder / "targets" / name, ".target"), desc=f"targets/{name}", disable=None):
            targets[f"{name}/{stem}"] = assets.read_target(folder / "targets" / name / f"{stem}.target")
    wearables = {
        kind: {p.stem: read_wearable(p, rig) for p in proxies(folder / kind)}
        for kind in ("hair", "clothes", "eyebrows", "eyelashes", "eyes", "teeth", "tongue")
    }
    skins = {}
    for path in sorted((folder / "skins").rglob("*.mhmat")):
        texture = assets.read_material(path)
        # The special suit is clothing painted on skin.
        if texture and "suit" not in texture.stem:
            skins[texture.stem.removesuffix("_diffuse")] = read_texture(texture)
    if not skins:
        raise assets.AssetError(f"{folder}/skins: found no material with a texture, expected at least one skin")
    irises = {p.stem: read_texture(assets.read_material(p)) for p in sorted((folder / "eyes" / "materials").glob("*.mhmat"))}
    poses = {s: rig_rotations(assets.read_motion(folder / "poses" / f"{s}.bvh"), rig)[0] for s in stems(folder / "poses", ".bvh")}
    names = assets.read_json(folder / "poseunits" / "face-poseunits.json")["framemapping"]
    frames = rig_rotations(assets.read_motion(folder / "poseunits" / "face-poseunits.bvh"), rig)
    units = {n: rotation_vectors(f) for n, f in zip(names, frames, strict=True)}
    expressions = {
        p.name.split(".")[0]: assets.read_json(p)["unit_poses"] for p in sorted((folder / "expressions").glob("*.mhpose"))
    }
    clips = [read_clip(folder / "cmu_bvh" / f"{s}.bvh") for s in stems(folder / "cmu_bvh", ".bvh")]
    joined = {k: np.concatenate([c[k] for c in clips]) for k in clips[0]} if clips else {}
    for name in ("root", "chest", "head") if clips else ():
        joined[name] = level(joined[name])
    return Library(mesh, rig, targets, wearables, skins, irises, poses, units, expressions, joined)


def stems(folder: pathlib.Path, suffix: str) -> list[str]:
    """Names without suffix of the files `*suffix` or `*suffix.gz` in a folder (none if there is no folder)."""
    names = {p.name.removesuffix(".gz") for p in folder.glob(f"*{suffix}*")}
    return sorted(n.removesuffix(suffix) for n in names if n.endswith(suffix))


def proxies(folder: pathlib.Path) -> list[pathlib.Path]:
    """Paths `<folder>/<name>/<name>.mhclo`, gzipped or not (none if there is no folder)."""
    return sorted(d / f"{s}.mhclo" for d in folder.glob("*") if d.is_dir() for s in stems(d, ".mhclo"))


def read_wearable(path: pathlib.Path, rig: assets.Rig) -> Wearable:
    """A proxy whose skin weights are the same mixture of body weights as its vertices are of body vertices."""
    proxy = assets.read_proxy(path)
    mix = np.clip(proxy.weights, 0, None)
    mix /= mix.sum(1, keepdims=True)
    dense = np.zeros((len(mix), len(rig.names)), np.float32)
    rows = np.arange(len(mix))
    for k in range(3):
        anchors = proxy.anchors[:, k]
        for j in range(rig.influences.shape[1]):
            np.add.at(dense, (rows, rig.influences[anchors, j]), mix[:, k] * rig.weights[anchors, j])
    bones, weights = assets.strongest_influences(dense)
    texture = read_texture(proxy.texture, 256 if path.parts[-3] == "clothes" else 512) if proxy.texture else None
    if texture is None:
        texture = np.full((4, 4, 4), 255, np.uint8)
    return Wearable(proxy, bones, weights, texture)


def read_texture(path: pathlib.Path, size: int = 512) -> np.ndarray:
    """uint8 RGBA [h, w, 4], at most `size` wide; opaque where the file has no alpha."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise assets.AssetError(f"{path}: not a readable image")
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGBA if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    if image.shape[1] > size:
        image = cv2.resize(image, (size, image.shape[0] * size // image.shape[1]), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image)


def rig_rotations(motion: assets.Motion, rig: assets.Rig) -> np.ndarray:
    """Local rotations float32 [frames, b, 3, 3] of a motion made for the rig. Its z axis is up: conjugated to y up."""
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)
    out = np.tile(np.eye(3, dtype=np.float32), (len(motion.rotations), len(rig.names), 1, 1))
    for j, name in enumerate(motion.names):
        if name in rig.names:
            out[:, rig.names.index(name)] = turn @ motion.rotations[:, j] @ turn.T
    return out


def rotation_vectors(rotations: np.ndarray) -> np.ndarray:
    """Axis times angle, [b, 3], of rotation matrices [b, 3, 3]."""
    return np.array([cv2.Rodrigues(r.astype(np.float64))[0][:, 0] for r in rotations])
