"""Camera, light and the picture of posed people. What is in front of a point is read from the depth buffer here.

World: decimetres, y up, a person faces +z. Camera axes: x right, y up, z towards the viewer. Picture coordinates are continuous:
(0, 0) is the left top corner of the first pixel; labels of data sets subtract 0.5.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from training.synthetic import raster
from training.synthetic.body import Part
from training.synthetic.clips import unit
from training.synthetic.pose import turn

SUPERSAMPLING = 2
SHADOW_SIZE = 192
SHADOW_BIAS = 0.12
# Wrap of the diffuse cosine, strength and sharpness of the highlight, brightness (a mouth is dark inside).
SURFACES = {
    "skin": (0.15, 0.05, 14, 1), "cloth": (0, 0.02, 8, 1), "hair": (0.35, 0.06, 20, 1), "eye": (0, 0.5, 60, 1), "mouth": (0, 0.1, 20, 0.45),
}
# Layers that lie on others, in decimetres towards the camera.
LIFTS = {"skin": 0.0, "eye": 0.0, "mouth": 0.0, "cloth": 0.05, "hair": 0.06}


@dataclasses.dataclass
class Camera:
    """position [3]; rotation [3, 3] (rows: right, up, back); focal length and picture centre (x, y) in pixels."""

    position: np.ndarray
    rotation: np.ndarray
    focal: float = 1.0
    centre: tuple[float, float] = (0.0, 0.0)

    def project(self, points: np.ndarray) -> np.ndarray:
        """[n, 3] world points to [n, 3]: picture x, y and distance along the viewing axis (not positive: behind the camera)."""
        own = (points - self.position) @ self.rotation.T
        z = -own[:, 2]
        w = self.focal / np.where(np.abs(z) < 1e-6, 1e-6, z)
        return np.stack([self.centre[0] + own[:, 0] * w, self.centre[1] - own[:, 1] * w, z], 1)


def orbit(target: np.ndarray, azimuth: float, elevation: float, roll: float, distance: float) -> Camera:
    """A camera looking at `target`; angles in degrees. Azimuth 0 is in front of a person, 90 at the person's left; roll turns the
    picture's content clockwise."""
    away = turn(y=azimuth) @ turn(x=-elevation) @ np.array([0, 0, 1.0])
    right = unit(np.cross([0, 1.0, 0], away))
    rotation = np.stack([right, np.cross(away, right), away])
    return Camera(np.asarray(target) + distance * away, turn(z=-roll) @ rotation)


def framed(camera: Camera, centre: np.ndarray, side: float, size: int) -> Camera:
    """A camera of focal length 1 made to show the square window (centre, side; picture plane units) in `size` pixels."""
    focal = size / side
    return dataclasses.replace(camera, focal=focal, centre=(size / 2 - focal * centre[0], size / 2 - focal * centre[1]))


@dataclasses.dataclass
class Light:
    """Linear RGB of key, sky and ground light; direction [3] to the key light; whether the key light casts shadows."""

    direction: np.ndarray
    key: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    shadows: bool


def random_light(rng: np.random.Generator, background: np.ndarray, azimuth: float) -> Light:
    """Light coloured by a background uint8 [h, w, 3]; mostly from the camera's side, sometimes hard, from the side, behind, or low."""
    linear = raster.LINEAR[cv2.resize(background, (16, 16), interpolation=cv2.INTER_AREA)]
    grey = linear.mean() + 1e-3
    mute = rng.uniform(0.3, 1)
    sky, ground = (((linear[rows].mean((0, 1)) / grey + 0.1) ** mute) for rows in (slice(0, 8), slice(8, 16)))
    bright = np.sort(linear.reshape(-1, 3), 0)[-20:].mean(0)
    key = (bright / bright.max() + 0.05) ** mute
    spread = 35 if rng.random() < 0.55 else 110
    direction = turn(y=azimuth + rng.normal(0, spread)) @ turn(x=-rng.uniform(0, 70)) @ np.array([0, 0, 1.0])
    strength = np.exp(rng.uniform(np.log(0.15), np.log(3.5)))
    low = rng.random()
    level = rng.uniform(0.1, 0.35) if low < 0.1 else rng.uniform(0.6, 1.4)
    total = level / (1 + strength)
    return Light(direction, key * total * strength * 1.35, sky * total * 1.05, ground * total * rng.uniform(0.4, 0.9), rng.random() < 0.8)


@dataclasses.dataclass
class Picture:
    """colour float32 [s, s, 3], sRGB 0..255 where covered; alpha float32 [s, s]; depth (inverse distance) and owners [2s, 2s]."""

    colour: np.ndarray
    alpha: np.ndarray
    depth: np.ndarray
    owners: np.ndarray


def render(people: list[list[Part]], camera: Camera, light: Light, size: int) -> Picture:
    """Draws people (owner 1, 2, ...) into a picture of `size` pixels."""
    fine = size * SUPERSAMPLING
    colour = np.zeros((fine, fine, 3), np.float32)
    depth = np.zeros((fine, fine), np.float32)
    owners = np.zeros((fine, fine), np.uint8)
    parts = [(part, owner) for owner, own in enumerate(people, 1) for part in own]
    shares = key_shares([p for p, _ in parts], light)
    eye, axes = camera.position.astype(np.float32), camera.rotation.astype(np.float32)
    for (part, owner), share in zip(parts, shares, strict=True):
        points = raster.project(part.vertices, eye, axes, *(np.float32(SUPERSAMPLING * x) for x in (camera.focal, *camera.centre)))
        lit = shade(part, eye, light, share)
        lift = np.float32(LIFTS[part.kind] * points[len(points) // 2, 2])
        raster.draw(
            points, lit, part.triangles, part.uvs, part.uv_triangles, part.texture, owner, part.kind == "skin", lift,
            colour, depth, owners, raster.LINEAR, raster.BAYER,
        )
    covered = (owners > 0).astype(np.float32)
    alpha = cv2.resize(covered, (size, size), interpolation=cv2.INTER_AREA)
    colour = cv2.resize(colour, (size, size), interpolation=cv2.INTER_AREA) / np.maximum(alpha, 1e-3)[..., None]
    return Picture(encode(colour), alpha, depth, owners)


def encode(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB 0..255, with a soft shoulder above 0.8 as a camera has."""
    over = np.maximum(linear - 0.8, 0)
    value = np.where(over > 0, 0.8 + 0.2 * (1 - np.exp(-over / 0.2)), linear)
    index = np.clip(value * 4095, 0, 4095).astype(np.int32)
    return _ENCODE[index]


_STEPS = np.arange(4096) / 4095
_ENCODE = (255 * np.where(_STEPS <= 0.0031308, 12.92 * _STEPS, 1.055 * _STEPS ** (1 / 2.4) - 0.055)).astype(np.float32)


def shade(part: Part, eye: np.ndarray, light: Light, share: np.ndarray) -> np.ndarray:
    """Light float32 [n, 4] at the vertices of a part, as raster.shade makes it."""
    normals = raster.vertex_normals(part.vertices, part.triangles)
    toward, sky, ground, key = (v.astype(np.float32) for v in (light.direction, light.sky, light.ground, light.key))
    surface = (np.float32(v) for v in SURFACES[part.kind])
    return raster.shade(part.vertices, normals, share, eye, toward, sky, ground, key, *surface, part.kind in ("hair", "cloth"))


def key_shares(parts: list[Part], light: Light) -> list[np.ndarray]:
    """Share 0..1 of the key light that reaches each vertex of each part, [n] each: a shadow map of parallel rays over all parts."""
    if not light.shadows:
        return [np.ones(len(p.vertices), np.float32) for p in parts]
    back = unit(light.direction)
    right = unit(np.cross([0.02, 1, 0.01], back))
    axes = np.stack([right, np.cross(back, right), back], 1).astype(np.float32)
    seen = [p.vertices @ axes for p in parts]
    large = [s for p, s in zip(parts, seen, strict=True) if p.kind in ("skin", "cloth", "hair")]
    low, high = np.min([s.min(0) for s in large], 0), np.max([s.max(0) for s in large], 0)
    scale = (SHADOW_SIZE - 2) / max(float((high - low)[:2].max()), 1e-3)
    for own in seen:
        own[:, :2] -= low[:2]
        own[:, :2] *= np.float32(scale)
    depth = np.full((SHADOW_SIZE, SHADOW_SIZE), -1e9, np.float32)
    for part, own in zip(parts, seen, strict=True):
        if part.kind in ("skin", "cloth", "hair"):
            raster.draw_depth(own, part.triangles, depth)
    # A texel is wider than the bias on steep faces, hence its part.
    return [raster.lit_share(own, depth, np.float32(SHADOW_BIAS + 1 / scale)) for own in seen]


def visible(picture: Picture, at: np.ndarray, depths: np.ndarray, owner: int = 1) -> np.ndarray:
    """Which projected points [n, 3] (x, y, distance) are seen: inside the picture, nothing of others in front, and the own surface at
    most `depths` [n] (dm) in front. bool [n]."""
    height, width = picture.depth.shape
    x, y = (np.floor(at[:, :2] * SUPERSAMPLING).astype(int)).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (at[:, 2] > 0)
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    inverse, who = picture.depth[y, x], picture.owners[y, x]
    surface = np.where(inverse > 0, 1 / np.maximum(inverse, 1e-9), np.inf)
    allowed = np.where(who == owner, depths, 0)
    return inside & (surface >= at[:, 2] - allowed)
