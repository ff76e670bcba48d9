"""A random person: shape, skin, hair and clothes at rest, and the same person posed. No cameras, lights or pictures."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from training.synthetic import look, pose
from training.synthetic.assets import Proxy
from training.synthetic.library import Library
from training.synthetic.points import FACE_VERTICES, JOINT_VERTICES
from training.synthetic.raster import add_morph, chain, skin

RACES = ("african", "asian", "caucasian")
# Folder -> (standard deviation of a slider, share of sliders moved): faces vary a lot, bodies mostly by the macro morphs.
SLIDERS = {
    "head": (0.3, 0.5), "forehead": (0.4, 0.5), "eyebrows": (0.4, 0.6), "eyes": (0.35, 0.4), "nose": (0.4, 0.5), "mouth": (0.35, 0.4),
    "chin": (0.4, 0.5), "cheek": (0.4, 0.5), "ears": (0.35, 0.4), "neck": (0.3, 0.3), "asym": (0.15, 0.2), "measure": (0.3, 0.4),
    "torso": (0.3, 0.4), "hip": (0.3, 0.3), "stomach": (0.3, 0.3),
}
# Hair over one eye would otherwise be a quarter of all hair.
RARER = {"bob02": 0.4, "short03": 0.4}
OPPOSITES = (
    ("decr", "incr"), ("in", "out"), ("down", "up"), ("backward", "forward"), ("concave", "convex"), ("compress", "uncompress"), ("l", "r"),
)


@dataclasses.dataclass
class Part:
    """A textured mesh to draw. vertices float32 [n, 3]; kind 'skin' | 'cloth' | 'hair' | 'eye' decides shading and layering."""

    vertices: np.ndarray
    triangles: np.ndarray
    uvs: np.ndarray
    uv_triangles: np.ndarray
    texture: np.ndarray
    kind: str


@dataclasses.dataclass
class Person:
    """rest: morphed base mesh [n, 3]; worn: (fitted vertices [m, 3], wearable, texture, kind); shown: mask of body triangles."""

    rest: np.ndarray
    skeleton: pose.Skeleton
    skin: np.ndarray
    worn: list
    shown: np.ndarray


@dataclasses.dataclass
class Posed:
    """parts to draw; joints [16, 3]; face [68, 3] points; head: rotation of the head from rest [3, 3]; size: hip to head top, dm."""

    parts: list[Part]
    joints: np.ndarray
    face: np.ndarray
    head: np.ndarray
    size: float


@functools.cache
def sliders(library: Library) -> dict[str, list[tuple[str, ...]]]:
    """Morphs of each SLIDERS folder as sliders: pairs of opposites, or single morphs; left and right twins are joined by name."""
    out: dict[str, list[tuple[str, ...]]] = {}
    for folder in SLIDERS:
        names = sorted(n for n in library.targets if n.rpartition("/")[0] == folder and "pregnant" not in n)
        taken: set[str] = set()
        for name in names:
            stem, _, end = name.rpartition("-")
            other = next((b for a, b in OPPOSITES if a == end), None)
            if name in taken:
                continue
            pair = (name, f"{stem}-{other}") if other and f"{stem}-{other}" in library.targets else (name,)
            taken.update(pair)
            out.setdefault(folder, []).append(pair)
    return out


def mixture(value: float, names: tuple[str, str, str]) -> list[tuple[str, float]]:
    """Weights of a three-step scale at value -1..1, summing to 1: low, middle, high."""
    low, high = max(-value, 0), max(value, 0)
    return [(n, w) for n, w in zip(names, (low, 1 - low - high, high), strict=True) if w > 0]


def age_mixture(age: float) -> list[tuple[str, float]]:
    """Weights of the macro ages: child is about 11 years, young 25, old 80."""
    if age < 25:
        w = np.clip((age - 11) / 14, 0, 1)
        return [("child", 1 - w), ("young", w)]
    w = np.clip((age - 25) / 55, 0, 1)
    return [("young", 1 - w), ("old", w)]


def random_shape(library: Library, rng: np.random.Generator, sex: str, age: float, races: np.ndarray) -> np.ndarray:
    """Morphed base mesh float32 [n, 3]. Corners of the macro morphs are blended with weights that sum to 1 per group."""
    rest = library.mesh.vertices.copy()

    def add(name: str, weight: float) -> None:
        if abs(weight) > 1e-3 and name in library.targets:
            add_morph(rest, *library.targets[name], np.float32(weight))

    ages = age_mixture(age)
    muscle = mixture(np.clip(rng.normal(0, 0.4), -1, 1), ("minmuscle", "averagemuscle", "maxmuscle"))
    weight = mixture(np.clip(rng.normal(0.05, 0.45), -1, 1), ("minweight", "averageweight", "maxweight"))
    tall, ideal, cup = (min(max(rng.normal(m, d), -1), 1) for m, d in ((0, 0.4), (0.2, 0.5), (0, 0.5)))
    other = "female" if sex == "male" else "male"
    blend = rng.uniform(0, 0.25) if rng.random() < 0.3 else 0
    for gender, share in ((sex, 1 - blend), (other, blend)):
        for stage, old in ages:
            for race, part in zip(RACES, races, strict=True):
                add(f"macrodetails/{race}-{gender}-{stage}", share * old * part)
            for m, wm in muscle:
                for w, ww in weight:
                    add(f"macrodetails/universal-{gender}-{stage}-{m}-{w}", share * old * wm * ww)
            build = f"{gender}-{stage}-averagemuscle-averageweight"
            add(f"macrodetails/height/{build}-{'max' if tall > 0 else 'min'}height", share * old * abs(tall))
            add(f"macrodetails/proportions/{build}-{'ideal' if ideal > 0 else 'uncommon'}proportions", share * old * abs(ideal))
            if gender == "female" and stage != "child":
                add(f"breast/{build}-{'max' if cup > 0 else 'min'}cup-averagefirmness", share * old * abs(cup))
    moved: dict[str, float] = {}
    for folder, pairs in sliders(library).items():
        deviation, share = SLIDERS[folder]
        for pair in pairs:
            # Left and right sliders move together but for a little.
            key = pair[0].replace("/r-", "/l-")
            if key not in moved:
                moved[key] = rng.normal(0, deviation) if rng.random() < share else 0
            value = min(max(moved[key] * rng.uniform(0.85, 1.15), -1), 1)
            if len(pair) == 2:
                add(pair[int(value > 0)], abs(value))
            elif value > 0:
                add(pair[0], value * 0.7)
    shapes = sorted(n for n in library.targets if n.startswith(f"bodyshapes/bodyshapes-elvs-{'fem' if sex == 'female' else 'man'}"))
    if shapes and age > 15 and rng.random() < 0.5:
        add(shapes[rng.integers(len(shapes))], rng.uniform(0.1, 0.6))
    return rest


def random_person(library: Library, rng: np.random.Generator, backgrounds: list[np.ndarray]) -> Person:
    """A dressed person of random sex, age (8 to 85), origin, build and look."""
    sex = "female" if rng.random() < 0.5 else "male"
    age = float(rng.choice([rng.uniform(9, 20), rng.uniform(18, 45), rng.uniform(35, 65), rng.uniform(60, 85)], p=[0.13, 0.47, 0.27, 0.13]))
    races = rng.dirichlet([0.35] * 3)
    tone = float(np.clip(races[0] * 0.95 + races[1] * rng.uniform(0, 0.4) + races[2] * rng.uniform(0, 0.3) + rng.normal(0, 0.12), 0, 1))
    rest = random_shape(library, rng, sex, age, races)
    colour = look.hair_colour(rng, age, races[2] < 0.5)
    worn, hidden = [], np.zeros(len(rest), bool)

    def wear(kind: str, name: str, texture: np.ndarray | None = None, shading: str = "hair") -> None:
        item = library.wearables[kind][name]
        worn.append((fit(item.proxy, rest), item, item.texture if texture is None else texture, shading))
        hidden[item.proxy.hidden] = True

    def one_of(kind: str, chosen=lambda name: True) -> str | None:
        names = [n for n in sorted(library.wearables.get(kind, {})) if chosen(n)]
        shares = np.array([RARER.get(n, 1.0) for n in names])
        return str(rng.choice(names, p=shares / shares.sum())) if names else None

    suit = one_of("clothes", lambda n: n.startswith(sex)) or one_of("clothes", lambda n: not n.startswith("shoes"))
    shoes = one_of("clothes", lambda n: n.startswith("shoes"))
    for name in (suit, shoes if rng.random() < 0.93 else None):
        if name:
            texture = library.wearables["clothes"][name].texture
            wear("clothes", name, look.cloth_texture(texture, rng, backgrounds), "cloth")
    if name := one_of("eyes", lambda n: n == "high-poly"):
        dark = races[2] < 0.5 and rng.random() < 0.9
        irises = [n for n in sorted(library.irises) if not dark or n.startswith("brown")]
        wear("eyes", name, library.irises[irises[rng.integers(len(irises))]] if irises else None, "eye")
    for kind in ("teeth", "tongue"):
        if name := one_of(kind):
            wear(kind, name, shading="mouth")
    if name := one_of("eyebrows"):
        wear("eyebrows", name, look.coloured(library.wearables["eyebrows"][name].texture, np.minimum(colour * 0.8, 150)))
    if name := one_of("eyelashes"):
        wear("eyelashes", name)
    bald = rng.random() < (0.04 if sex == "female" else 0.14 if age < 45 else 0.3)
    short = sex == "male" and rng.random() < 0.88
    if not bald and (name := one_of("hair", lambda n: not short or n.startswith(("short", "afro")))):
        # Strands differ less in light hair; the curls of the afro texture are close to black and white.
        contrast = rng.uniform(0.6, 1) * (1 - 0.5 * colour.mean() / 255) * (0.45 if name.startswith("afro") else 1)
        wear("hair", name, look.coloured(library.wearables["hair"][name].texture, colour, contrast))
    covered = hidden[library.mesh.triangles].all(1)
    tinted = look.skin_texture(library.skins, sex, age, tone, rng)
    return Person(rest, pose.Skeleton(library.rig, rest), tinted, worn, ~covered)


def fit(proxy: Proxy, rest: np.ndarray) -> np.ndarray:
    """A proxy's vertices on a morphed base mesh, float32 [n, 3]."""
    return np.ascontiguousarray(proxy.fit(rest), np.float32)


def posed(library: Library, person: Person, local: np.ndarray, offset: np.ndarray, fine: bool) -> Posed:
    """The person under local bone rotations [b, 3, 3], shifted by `offset` [3] (dm). fine: with teeth, tongue and lashes, which a
    small face does not show."""
    rig, mesh = library.rig, library.mesh
    transforms = chain(rig.parents, person.skeleton.heads.astype(np.float32), local.astype(np.float32))
    transforms[:, :, 3] += offset
    body = skin(person.rest, rig.influences, rig.weights, transforms)
    shown = person.shown
    parts = [Part(body, mesh.triangles[shown], mesh.uvs, mesh.uv_triangles[shown], person.skin, "skin")]
    for rest, item, texture, kind in person.worn:
        if kind == "mouth" and not fine:
            continue
        m = item.proxy.mesh
        parts.append(Part(skin(rest, item.influences, item.weights, transforms), m.triangles, m.uvs, m.uv_triangles, texture, kind))
    joints = pose.means(body, JOINT_VERTICES)
    up = person.skeleton
    size = float(np.linalg.norm(up.at("head") - up.at("upperleg01.L")))
    head = transforms[up.index["head"], :, :3]
    return Posed(parts, joints, body[list(FACE_VERTICES)], head, size)
