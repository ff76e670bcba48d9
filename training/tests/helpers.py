"""A tiny face set that anybody can draw: random blobs with 68 points, written in the format of training/images.py."""

import zipfile

import cv2
import numpy as np


def write_face_set(folder, stem: str, count: int, seed: int = 0) -> None:
    """`<stem>.npz` and `<stem>.zip` with drawn faces of 144 px."""
    rng = np.random.default_rng(seed)
    template = face_template()
    points, ids = [], np.arange(1, count + 1)
    with zipfile.ZipFile(folder / f"{stem}.zip", "w") as archive:
        for i in ids:
            p = template * rng.uniform(0.9, 1.1, 2) + 72 + rng.normal(0, 3, 2)
            image = np.full((144, 144, 3), rng.uniform(0, 255, 3), np.uint8)
            hull = cv2.convexHull(p.round().astype(np.int32))
            cv2.fillConvexPoly(image, hull, rng.uniform(60, 255, 3).tolist())
            for a in range(17, 68):
                cv2.circle(image, tuple(p[a].round().astype(int).tolist()), 2, rng.uniform(0, 90, 3).tolist(), -1)
            archive.writestr(f"{i}.jpg", cv2.imencode(".jpg", image)[1].tobytes())
            points.append(p - 0.5)
    np.savez(folder / f"{stem}.npz", ids=ids, landmarks=np.array(points, np.float16), yaw=np.zeros(count, np.float16))


def face_template() -> np.ndarray:
    """68 plausible points around the origin, in pixels of a 144 px image."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([46 * np.cos(angle), 4 + 50 * np.sin(angle)], -1)
    brows = [[x, -26 - 3 * np.cos(x / 9)] for x in (-36, -29, -22, -15, -8, 8, 15, 22, 29, 36)]
    nose = [[0, -15], [0, -7], [0, 1], [0, 8], [-9, 14], [-4, 16], [0, 17], [4, 16], [9, 14]]
    eye = np.array([[-8, 0], [-3, -4], [3, -4], [8, 0], [3, 3], [-3, 3]], float)
    eyes = np.concatenate([eye + [-22, -14], eye + [22, -14]])
    turn = np.linspace(np.pi, -np.pi, 13)[:12]
    outer = np.stack([19 * np.cos(turn), 31 - 8 * np.sin(turn)], -1)
    turn = np.linspace(np.pi, -np.pi, 9)[:8]
    inner = np.stack([13 * np.cos(turn), 31 - 4 * np.sin(turn)], -1)
    return np.concatenate([jaw, brows, nose, eyes, outer, inner])
