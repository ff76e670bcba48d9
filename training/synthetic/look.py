"""Colours and cloth: textures of one person made from those of the assets. uint8 RGBA in, uint8 RGBA out."""

from __future__ import annotations

import cv2
import numpy as np

# sRGB hair colours: black, dark browns, brown, chestnut, blonds, red, greys, white.
HAIR = (
    (18, 16, 16), (30, 24, 20), (45, 32, 24), (62, 43, 30), (88, 60, 40), (110, 74, 46), (150, 112, 70), (186, 150, 98), (208, 180, 132),
    (120, 52, 28), (105, 100, 96), (160, 156, 150), (215, 212, 206),
)


def coloured(texture: np.ndarray, colour: np.ndarray, contrast: float = 1.0) -> np.ndarray:
    """The brightness of the texture relative to the mean of its opaque part, raised to `contrast`, times a colour [3] or a picture
    [h, w, 3] (0..255)."""
    grey = cv2.cvtColor(texture, cv2.COLOR_RGBA2GRAY)
    mean = cv2.mean(grey, (texture[..., 3] > 127).astype(np.uint8))[0]
    relative = np.minimum(np.arange(256) / max(mean, 1), 2) ** contrast
    if np.ndim(colour) == 1:
        table = np.clip(relative[:, None] * colour, 0, 255).astype(np.uint8)
        out = cv2.merge([*(cv2.LUT(grey, table[:, i].copy()) for i in range(3)), texture[..., 3]])
    else:
        shade = cv2.LUT(grey, relative.astype(np.float32))
        out = np.empty_like(texture)
        out[..., :3] = cv2.multiply(colour.astype(np.float32), cv2.merge([shade] * 3), dtype=cv2.CV_8U)
        out[..., 3] = texture[..., 3]
    return out


def hair_colour(rng: np.random.Generator, age: float, dark: bool) -> np.ndarray:
    """A hair colour: grey becomes likely with age (years), black and dark brown with `dark`; now and then a dyed one."""
    if rng.random() < 0.04:
        return rng.uniform(20, 220, 3)
    if rng.random() < np.clip((age - 42) / 40, 0, 0.85):
        base = HAIR[rng.integers(10, 13)]
    else:
        base = HAIR[rng.integers(0, 4 if dark else 10)]
    return np.clip(np.array(base) * rng.uniform(0.8, 1.25) + rng.normal(0, 4, 3), 5, 245)


def skin_texture(skins: dict[str, np.ndarray], sex: str, age: float, tone: float, rng: np.random.Generator) -> np.ndarray:
    """A skin of one sex near an age in years. tone 0 (light) to 1 (dark): in between, a light and a dark skin are mixed."""
    stage = "young" if age < 34 else "middleage" if age < 58 else "old"

    def pick(shade: str) -> np.ndarray:
        fitting = [n for n in sorted(skins) if n.startswith(f"{stage}_{shade}skinned_{sex}")] or sorted(skins)
        return skins[rng.choice(fitting)]

    light, dark = pick("light"), pick("dark")
    if tone < 0.25 or light.shape != dark.shape:
        out = light
    elif tone > 0.75:
        out = dark
    else:
        mix = (tone - 0.25) / 0.5
        out = cv2.addWeighted(light, 1 - mix, dark, mix, 0)
    # Light, tan and blood differ between people of one tone; the dark skins of the release are very dark and red.
    gain = rng.uniform(0.85, 1.12) * np.exp(rng.normal(0, [0.02, 0.03, 0.05]) + tone * rng.uniform(0, 1) * np.array([0.12, 0.3, 0.4]))
    table = np.clip(np.arange(256)[:, None] * [*gain, 1.0], 0, 255).astype(np.uint8)
    return cv2.LUT(out, np.ascontiguousarray(table[None]))


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """An sRGB cloth colour: greys, muted or bright."""
    kind = rng.random()
    if kind < 0.35:
        return np.clip(rng.uniform(20, 235) + rng.normal(0, 6, 3), 5, 250)
    saturation = rng.uniform(60, 150) if kind < 0.75 else rng.uniform(150, 240)
    hsv = np.array([[[rng.uniform(0, 180), saturation, rng.uniform(40, 235)]]]).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)


def pattern(rng: np.random.Generator, height: int, width: int, backgrounds: list[np.ndarray]) -> np.ndarray:
    """A printed cloth [h, w, 3] (0..255): stripes, checks, dots, or a piece of a picture."""
    kind = rng.integers(4 if backgrounds else 3)
    if kind == 3:
        source = backgrounds[rng.integers(len(backgrounds))]
        side = int(rng.integers(min(60, min(source.shape[:2]) - 1), min(source.shape[:2])))
        x, y = rng.integers(0, source.shape[1] - side + 1), rng.integers(0, source.shape[0] - side + 1)
        return cv2.resize(source[y : y + side, x : x + side], (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    first, second = cloth_colour(rng), cloth_colour(rng)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    period, angle = rng.uniform(6, 40), rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    share = rng.uniform(0.2, 0.6)
    if kind == 0:
        mask = (u % period < share * period).astype(np.float32)
    elif kind == 1:
        mask = ((u % period < share * period).astype(np.float32) + (v % period < share * period)) / 2
    else:
        mask = ((u % period - period / 2) ** 2 + (v % period - period / 2) ** 2 < (share * period / 2) ** 2).astype(np.float32)
    return first + mask[..., None] * (second - first)


def cloth_texture(texture: np.ndarray, rng: np.random.Generator, backgrounds: list[np.ndarray]) -> np.ndarray:
    """The texture as it is, with shifted hue and brightness, in one new colour, with a print, or in two colours (top, trousers)."""
    kind = rng.random()
    plain = np.ptp(texture[::4, ::4, :3].astype(np.int16), 2).max() < 12
    if kind < 0.35 and not plain:
        hsv = cv2.cvtColor(texture[..., :3], cv2.COLOR_RGB2HSV)
        table = np.empty((256, 3))
        table[:, 0] = (np.arange(256) + rng.integers(180)) % 180
        table[:, 1] = np.arange(256) * rng.uniform(0.3, 1.3)
        table[:, 2] = 255 * (np.arange(256) / 255) ** rng.uniform(0.6, 1.7)
        out = texture.copy()
        out[..., :3] = cv2.cvtColor(cv2.LUT(hsv, np.clip(table, 0, 255).astype(np.uint8)[None]), cv2.COLOR_HSV2RGB)
        return out
    if kind < 0.65:
        return coloured(texture, cloth_colour(rng), rng.uniform(0.6, 1.1))
    if kind < 0.85:
        return coloured(texture, pattern(rng, *texture.shape[:2], backgrounds), rng.uniform(0.6, 1))
    # Pieces of one suit lie apart in the texture and differ in their own colour: split at the median hue and brightness.
    first, second = cloth_colour(rng), cloth_colour(rng)
    smooth = cv2.blur(texture[..., :3], (9, 9)).astype(np.float32) @ np.array([1.0, 0.3, -0.6], np.float32)
    return coloured(texture, np.where((smooth > np.median(smooth))[..., None], first, second), rng.uniform(0.6, 1))
