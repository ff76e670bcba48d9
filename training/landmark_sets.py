"""Landmark names, mirror tables and connections per task. Data only. Sets of your own are added here."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class LandmarkSet:
    """names[k]; mirror[k] = landmark of the mirrored image that is landmark k; connections for drawing."""

    names: tuple[str, ...]
    mirror: tuple[int, ...]
    connections: tuple[tuple[int, int], ...]


def _face68() -> LandmarkSet:
    """The 300-W (iBUG) order: jaw, brows, nose, eyes, lips; left and right are the person's own."""
    parts = [
        ("jaw", 17), ("right_brow", 5), ("left_brow", 5), ("nose_bridge", 4), ("nose_base", 5),
        ("right_eye", 6), ("left_eye", 6), ("outer_lip", 12), ("inner_lip", 8),
    ]
    names = tuple(f"{part}_{i}" for part, n in parts for i in range(n))
    mirror = list(range(68))

    def pair(a: list[int], b: list[int]) -> None:
        for i, j in zip(a, b, strict=True):
            mirror[i], mirror[j] = j, i

    pair(list(range(0, 8)), list(range(16, 8, -1)))
    pair(list(range(17, 22)), list(range(26, 21, -1)))
    pair([31, 32], [35, 34])
    pair([36, 37, 38, 39, 40, 41], [45, 44, 43, 42, 47, 46])
    pair([48, 49, 50], [54, 53, 52])
    pair([59, 58], [55, 56])
    pair([60, 61, 67], [64, 63, 65])

    def path(first: int, last: int, closed: bool = False) -> list[tuple[int, int]]:
        lines = [(i, i + 1) for i in range(first, last)]
        return lines + [(last, first)] if closed else lines

    connections = path(0, 16) + path(17, 21) + path(22, 26) + path(27, 30) + path(31, 35)
    connections += path(36, 41, True) + path(42, 47, True) + path(48, 59, True) + path(60, 67, True)
    return LandmarkSet(names, tuple(mirror), tuple(connections))


LANDMARK_SETS = {"face": _face68()}
