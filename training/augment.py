"""Random damage that all tasks share: borders, occluders, light, noise. Pixels only; what is a subject is not known here."""

from __future__ import annotations

import cv2
import numpy as np

from training.crops import crop_matrix, warp


def background_view(backgrounds: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """A square window of a random background, uint8 [size, size, 3], slightly turned, sometimes mirrored."""
    image = backgrounds[rng.integers(len(backgrounds))]
    side = rng.uniform(0.15, 0.8) * image.shape[0]
    centre = rng.uniform(side / 2, np.array(image.shape[1::-1]) - side / 2)
    matrix = crop_matrix(centre, side, rng.normal(0, 0.2), size, rng.random() < 0.5)
    return warp(image, matrix, size, cv2.BORDER_REFLECT_101)


def scrap(image: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A piece of a subject that is too small a part to be one: cheek, forehead, hair, cloth."""
    side = rng.uniform(0.12, 0.3) * image.shape[0]
    centre = rng.uniform(side / 2, np.array(image.shape[1::-1]) - side / 2)
    return warp(image, crop_matrix(centre, side, rng.uniform(-3, 3), size), size, cv2.BORDER_REPLICATE)


def warp_with_border(
    image: np.ndarray, matrix: np.ndarray, size: int, rng: np.random.Generator, backgrounds: list[np.ndarray]
) -> np.ndarray:
    """The crop; beyond the picture lie its replicated edge, a colour, or a background."""
    border = rng.random()
    if 0.4 <= border < 0.55:
        crop = warp(image, matrix, size, cv2.BORDER_CONSTANT, rng.uniform(0, 255, 3).tolist())
    else:
        crop = warp(image, matrix, size, cv2.BORDER_REPLICATE)
    if border >= 0.55 and backgrounds:
        full = np.full(image.shape[:2], 255, np.uint8)
        inside = warp(full, matrix, size, cv2.BORDER_CONSTANT)[..., None] >= 128
        crop = np.where(inside, crop, background_view(backgrounds, size, rng))
    return crop


def occlude(
    image: np.ndarray, points: np.ndarray, rng: np.random.Generator, backgrounds: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Sometimes covers a part: mask over the mouth, glasses, or a patch anywhere (colour, noise or background).

    Returns the image and which points [n, 2] can no longer be seen, bool [n].
    """
    kind = rng.random()
    if kind > 0.3:
        return image, np.zeros(len(points), bool)
    size = image.shape[0]
    cover = np.zeros(image.shape[:2], np.uint8)
    if kind < 0.05 and len(points) == 68:
        hull = np.concatenate([points[2:15], points[28:30]])
        cv2.fillConvexPoly(cover, cv2.convexHull(hull.round().astype(np.int32)), 255)
    elif kind < 0.1 and len(points) == 68:
        for eye in (points[36:42], points[42:48]):
            radius = np.ptp(eye[:, 0]) * rng.uniform(0.6, 1.0)
            axes = (int(max(radius, 2)), int(max(radius * rng.uniform(0.6, 1), 2)))
            cv2.ellipse(cover, tuple(eye.mean(0).round().astype(int).tolist()), axes, 0, 0, 360, 255, -1)
    else:
        centre = tuple(rng.integers(0, size, 2).tolist())
        axes = tuple(rng.integers(size // 12, size // 4, 2).tolist())
        if rng.random() < 0.5:
            cv2.ellipse(cover, centre, axes, rng.uniform(0, 180), 0, 360, 255, -1)
        else:
            box = cv2.boxPoints((centre, (axes[0] * 1.6, axes[1] * 1.6), rng.uniform(0, 180)))
            cv2.fillConvexPoly(cover, box.round().astype(np.int32), 255)
    filling = rng.random()
    if filling < 0.4 or not backgrounds:
        fill = np.broadcast_to(rng.uniform(0, 255, 3), image.shape)
        fill = fill + rng.normal(0, rng.uniform(0, 25), image.shape)
    elif filling < 0.7:  # skin-like: another part of the picture
        fill = np.roll(image, rng.integers(10, size - 10, 2).tolist(), axis=(0, 1))
    else:
        source = backgrounds[rng.integers(len(backgrounds))]
        fill = cv2.resize(source, (size, size), interpolation=cv2.INTER_AREA)
    opaque = rng.random() < 0.8
    alpha = (cover[..., None] / 255.0) * (1.0 if opaque else rng.uniform(0.4, 0.9))
    x, y = np.clip(points.astype(int), 0, size - 1).T
    hidden = (cover[y, x] > 0) & opaque
    return np.clip(image * (1 - alpha) + fill * alpha, 0, 255).astype(np.uint8), hidden


def photometric(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light, colour, resolution, blur, noise and JPEG damage of uint8 [h, w, 3]; geometry stays."""
    height, width = image.shape[:2]
    if rng.random() < 0.15:  # a small picture, enlarged
        share = rng.uniform(0.25, 0.7)
        image = cv2.resize(image, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (width, height), interpolation=rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    if rng.random() < 0.12:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))
    if rng.random() < 0.06:
        length = int(rng.integers(3, 9))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1.0 / length
        turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
        kernel = cv2.warpAffine(kernel, turn, (length, length))
        image = cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6))
    if rng.random() < 0.85:
        # Gains, contrast and gamma in one table per channel.
        levels = np.arange(256, dtype=np.float32) / 255
        gamma = np.exp(rng.normal(0, 0.25))
        gain = np.exp(rng.normal(0, 0.2))
        offset = rng.normal(0, 0.06)
        if rng.random() < 0.1:  # low light
            gamma *= rng.uniform(1.3, 2.2)
            gain *= rng.uniform(0.4, 0.9)
        colour = np.exp(rng.normal(0, 0.1, 3))
        table = np.stack([np.clip(levels**gamma * gain * c + offset, 0, 1) * 255 for c in colour], -1)
        image = cv2.LUT(image, table.astype(np.uint8)[None].reshape(1, 256, 3))
        if rng.random() < 0.3:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            image = cv2.addWeighted(image, t := float(rng.uniform(0, 1)), grey, 1 - t, 0)
    if rng.random() < 0.15:  # light from one side
        angle = rng.uniform(0, 2 * np.pi)
        across, down = (np.linspace(-1, 1, n, dtype=np.float32) for n in (width, height))
        field = across[None] * np.cos(angle) + down[:, None] * np.sin(angle)
        image = np.clip(image * (1 + rng.uniform(0.2, 0.8) * field[..., None]), 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        cv2.randn(noise, 0, float(rng.uniform(2, 14)))
        image = np.clip(image.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 75))])[1]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return image
