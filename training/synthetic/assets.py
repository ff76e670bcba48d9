"""Readers of MakeHuman's file formats: mesh, morph target, fitted proxy, material, rig, motion. One file in, arrays out; nothing
about people, poses or pictures. Every text file may be gzipped (`name.ext.gz`).
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import pathlib

import numpy as np

# Vertices of clothes blend up to three body vertices, so six influences lose next to nothing.
INFLUENCES = 6


class AssetError(ValueError):
    """An asset file is missing or not in the expected format; the text names the file and what to do."""


def locate(path: pathlib.Path) -> pathlib.Path:
    """The file itself or its gzipped twin; raises AssetError if there is neither."""
    packed = path.with_name(path.name + ".gz")
    if path.exists():
        return path
    if packed.exists():
        return packed
    raise AssetError(f"{path}: found neither this file nor {packed.name}; training/synthetic/README.md says how to get the assets")


def read_lines(path: pathlib.Path) -> list[str]:
    """Lines of a text file, plain or gzipped."""
    path = locate(path)
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    return data.decode("utf-8", errors="replace").splitlines()


def read_json(path: pathlib.Path) -> dict:
    """A JSON file, plain or gzipped."""
    return json.loads("\n".join(read_lines(path)))


@dataclasses.dataclass
class Mesh:
    """vertices float32 [n, 3]; uvs float32 [m, 2]; triangles and uv_triangles int32 [t, 3]; group int32 [t], index into groups."""

    vertices: np.ndarray
    uvs: np.ndarray
    triangles: np.ndarray
    uv_triangles: np.ndarray
    group: np.ndarray
    groups: list[str]


def read_mesh(path: pathlib.Path) -> Mesh:
    """A Wavefront OBJ file; polygons become fans of triangles. Corners without a texture coordinate get the first one."""
    vertices, uvs, corners, group, groups = [], [], [], [], [""]
    for line in read_lines(path):
        key, _, rest = line.partition(" ")
        if key == "v":
            vertices.append([float(x) for x in rest.split()[:3]])
        elif key == "vt":
            uvs.append([float(x) for x in rest.split()[:2]])
        elif key == "g":
            name = rest.strip()
            if name not in groups:
                groups.append(name)
            current = groups.index(name)
        elif key == "f":
            face = [[int(x or 1) - 1 for x in (corner + "/1").split("/")[:2]] for corner in rest.split()]
            for i in range(1, len(face) - 1):
                corners.append([face[0], face[i], face[i + 1]])
                group.append(current if len(groups) > 1 else 0)
    if not vertices or not corners:
        raise AssetError(f"{path}: found {len(vertices)} vertices and {len(corners)} triangles, expected an OBJ mesh")
    corners = np.array(corners, np.int32)
    return Mesh(
        np.array(vertices, np.float32),
        np.array(uvs or [[0, 0]], np.float32),
        np.ascontiguousarray(corners[:, :, 0]),
        np.ascontiguousarray(corners[:, :, 1]),
        np.array(group, np.int32),
        groups,
    )


def read_target(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """A morph: vertex indices int32 [k] and offsets float32 [k, 3], to be added to the base mesh times a weight."""
    lines = [line for line in read_lines(path) if line and not line.startswith(("#", '"'))]
    values = np.array(" ".join(lines).split(), np.float64).reshape(-1, 4)
    return values[:, 0].astype(np.int32), values[:, 1:].astype(np.float32)


@dataclasses.dataclass
class Proxy:
    """A mesh tied to the base mesh (clothes, hair, eyes): vertex = sum_k weights_k base[anchors_k] + scale * offsets.

    anchors int32 [n, 3], weights float32 [n, 3], offsets float32 [n, 3]; scale_pairs: per axis (vertex a, vertex b, distance) or
    None; hidden: base vertices under the cloth, int32; texture: path or None.
    """

    mesh: Mesh
    anchors: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray
    scale_pairs: list
    hidden: np.ndarray
    texture: pathlib.Path | None

    def fit(self, base: np.ndarray) -> np.ndarray:
        """Vertices [n, 3] on a morphed base mesh [b, 3]."""
        scale = np.ones(3, np.float32)
        for axis, pair in enumerate(self.scale_pairs):
            if pair:
                scale[axis] = abs(base[pair[0], axis] - base[pair[1], axis]) / pair[2]
        return np.einsum("nk,nkc->nc", self.weights, base[self.anchors]) + self.offsets * scale


def read_proxy(path: pathlib.Path) -> Proxy:
    """A .mhclo file with its mesh and the texture of its material."""
    pairs, rows, hidden, section = [None, None, None], [], [], ""
    names = {}
    for line in read_lines(path):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] in ("verts", "delete_verts", "weights"):
            section = words[0]
        elif words[0] in ("x_scale", "y_scale", "z_scale"):
            pairs["xyz".index(words[0][0])] = (int(words[1]), int(words[2]), float(words[3]))
        elif words[0] in ("obj_file", "material"):
            names[words[0]] = words[1]
        elif section == "verts" and words[0].isdigit():
            rows.append([float(w) for w in words])
        elif section == "delete_verts":
            hidden += _ranges(words)
    anchors = np.array([[r[0]] * 3 if len(r) == 1 else r[:3] for r in rows], np.int32)
    weights = np.array([[1, 0, 0] if len(r) == 1 else r[3:6] for r in rows], np.float32)
    offsets = np.array([[0, 0, 0] if len(r) < 9 else r[6:9] for r in rows], np.float32)
    mesh = read_mesh(path.parent / names["obj_file"])
    if len(mesh.vertices) != len(rows):
        raise AssetError(f"{path}: {len(rows)} fitted vertices, but its mesh has {len(mesh.vertices)}; the files are of different releases")
    texture = read_material(path.parent / names["material"]) if "material" in names else None
    return Proxy(mesh, anchors, weights, offsets, pairs, np.array(sorted(set(hidden)), np.int32), texture)


def _ranges(words: list[str]) -> list[int]:
    """`a - b c` to [a, ..., b, c]."""
    out, i = [], 0
    while i < len(words):
        if i + 2 < len(words) and words[i + 1] == "-":
            out += range(int(words[i]), int(words[i + 2]) + 1)
            i += 3
        else:
            out.append(int(words[i]))
            i += 1
    return out


def read_material(path: pathlib.Path) -> pathlib.Path | None:
    """Path of the diffuse texture of a .mhmat file, or None if it names none."""
    for line in read_lines(path):
        words = line.split()
        if len(words) > 1 and words[0] == "diffuseTexture":
            return path.parent / words[1]
    return None


@dataclasses.dataclass
class Rig:
    """Bones in an order that puts parents first.

    names [b]; parents int32 [b] (-1: none); heads and tails: base vertices whose mean is the joint, one array per bone;
    influences int32 [n, INFLUENCES] and weights float32 [n, INFLUENCES] per base vertex, weights sum to 1.
    """

    names: list[str]
    parents: np.ndarray
    heads: list[np.ndarray]
    tails: list[np.ndarray]
    influences: np.ndarray
    weights: np.ndarray


def read_rig(skeleton: pathlib.Path, weights: pathlib.Path, count: int) -> Rig:
    """A .mhskel file and its .mhw weights, for a base mesh of `count` vertices. Vertices without weights follow the first bone."""
    data = read_json(skeleton)
    bones, joints = data["bones"], data["joints"]
    names: list[str] = []

    def add(name: str) -> None:
        if name not in names:
            if bones[name]["parent"]:
                add(bones[name]["parent"])
            names.append(name)

    for name in bones:
        add(name)
    dense = np.zeros((count, len(names)), np.float32)
    for name, pairs in read_json(weights)["weights"].items():
        if pairs:
            index, value = np.array(pairs).T
            np.add.at(dense[:, names.index(name)], index.astype(int), value.astype(np.float32))
    dense[dense.sum(1) == 0, 0] = 1
    influences, strongest = strongest_influences(dense)
    return Rig(
        names,
        np.array([names.index(bones[n]["parent"]) if bones[n]["parent"] else -1 for n in names], np.int32),
        [np.array(joints[bones[n]["head"]], np.int32) for n in names],
        [np.array(joints[bones[n]["tail"]], np.int32) for n in names],
        influences,
        strongest,
    )


def strongest_influences(dense: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The INFLUENCES strongest bones of each vertex of dense weights [n, b] and their weights, normalised to sum 1."""
    k = min(INFLUENCES, dense.shape[1])
    bones = np.argsort(-dense, 1, kind="stable")[:, :k].astype(np.int32)
    weights = np.take_along_axis(dense, bones, 1)
    return bones, (weights / weights.sum(1, keepdims=True)).astype(np.float32)


@dataclasses.dataclass
class Motion:
    """names [j]; parents [j]; offsets float64 [j, 3]; rotations float64 [frames, j, 3, 3] (local); translations [frames, j, 3]."""

    names: list[str]
    parents: list[int]
    offsets: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray


def read_motion(path: pathlib.Path) -> Motion:
    """A BVH file. A joint's rotation is the product of its channels in the order listed."""
    lines = read_lines(path)
    split = next((i for i, line in enumerate(lines) if line.strip() == "MOTION"), None)
    if split is None:
        raise AssetError(f"{path}: no MOTION section, expected a BVH file")
    names, parents, offsets, channels, stack = [], [], [], [], []
    for line in lines[:split]:
        words = line.split()
        if not words:
            continue
        if words[0] in ("ROOT", "JOINT"):
            parents.append(next((j for j in reversed(stack) if j >= 0), -1))
            names.append(words[1])
            offsets.append([0.0, 0.0, 0.0])
            pending = len(names) - 1
        elif words[0] == "End":
            pending = -1
        elif words[0] == "{":
            stack.append(pending)
        elif words[0] == "}":
            stack.pop()
        elif words[0] == "OFFSET" and stack[-1] >= 0:
            offsets[stack[-1]] = [float(w) for w in words[1:4]]
        elif words[0] == "CHANNELS":
            channels += [(stack[-1], w) for w in words[2:]]
    values = np.array(" ".join(lines[split + 3 :]).split(), np.float64).reshape(-1, len(channels))
    rotations = np.tile(np.eye(3), (len(values), len(names), 1, 1))
    translations = np.zeros((len(values), len(names), 3))
    for (joint, channel), column in zip(channels, values.T, strict=True):
        axis = "XYZ".index(channel[0])
        if channel.endswith("rotation"):
            rotations[:, joint] = rotations[:, joint] @ axis_rotation(axis, np.radians(column))
        else:
            translations[:, joint, axis] = column
    return Motion(names, parents, np.array(offsets), rotations, translations)


def axis_rotation(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] about coordinate axis 0, 1 or 2, angles in radians, counter-clockwise seen from the axis' tip."""
    angle = np.asarray(angle, np.float64)
    out = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i] = np.sin(angle)
    out[..., i, j] = -np.sin(angle)
    return out
