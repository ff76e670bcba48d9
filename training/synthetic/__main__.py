"""The command that writes a data set of rendered people, heads or cutouts (README.md). Files and processes; pictures come from samples.py."""

from __future__ import annotations

import argparse
import multiprocessing
import pathlib
import time
import zipfile

import cv2
import numpy as np
from tqdm import tqdm

from training.images import read_backgrounds
from training.synthetic import samples
from training.synthetic.library import load_library

# Items in one part file; a stopped run goes on after the last part written.
PART = 250
QUALITY = (72, 95)
_studio: samples.Studio


def start(folder: pathlib.Path, cache: pathlib.Path, backgrounds: pathlib.Path, seed: int) -> None:
    """Loads the library once per process."""
    global _studio
    cv2.setNumThreads(0)
    _studio = samples.Studio(load_library(folder, cache), read_backgrounds(backgrounds), seed)


def render_part(job: tuple[str, int, int, pathlib.Path]) -> tuple[int, float]:
    """Items first..last of a kind into one npz: encoded pictures and label rows. Returns how many, and the CPU seconds they took."""
    kind, first, last, path = job
    began = time.process_time()
    rows: dict[str, list] = {}
    for i in range(first, last):
        sample = _studio.sample(kind, i)
        if sample.image.shape[2] == 4:
            ok, data = cv2.imencode(".png", cv2.cvtColor(sample.image, cv2.COLOR_RGBA2BGRA))
        else:
            quality = int(np.random.default_rng((i, 7)).integers(*QUALITY))
            image = cv2.cvtColor(sample.image, cv2.COLOR_RGB2BGR)
            ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not ok:
            raise RuntimeError(f"item {i}: the picture of shape {sample.image.shape} could not be encoded")
        for name, value in {"ids": i, "images": data.tobytes(), **labels(kind, i, sample)}.items():
            rows.setdefault(name, []).append(value)
    images = rows.pop("images")
    sizes = np.array([len(d) for d in images])
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, sizes=sizes, data=np.frombuffer(b"".join(images), np.uint8), **{k: np.array(v) for k, v in rows.items()})
    part.replace(path)
    return last - first, time.process_time() - began


def labels(kind: str, i: int, sample: samples.Sample) -> dict:
    """The label fields of a kind, as README.md lists them."""
    yaw, pitch, roll = sample.angles
    angles = {"yaw": yaw, "pitch": pitch, "roll": roll}
    body = {"landmarks": sample.joints, "visibility": sample.joints_visible.astype(np.float32)}
    face = {"landmarks": sample.face, "visibility": sample.face_visible.astype(np.float32)}
    if kind == "people":
        return body | angles
    if kind == "heads":
        return face | angles
    return body | angles | {"face": face["landmarks"], "face_visibility": face["visibility"], "cut": sample.cut, "head": samples.is_head(kind, i)}


def join(parts: list[pathlib.Path], out: pathlib.Path, stem: str, ending: str) -> int:
    """Writes `<stem>.zip` and `<stem>.npz` from part files; returns the number of items."""
    rows: dict[str, list[np.ndarray]] = {}
    with zipfile.ZipFile(out / f"{stem}.zip.part", "w", zipfile.ZIP_STORED) as archive:
        for path in parts:
            with np.load(path) as data:
                ends = np.cumsum(data["sizes"])
                blob = data["data"].tobytes()
                for i, end, size in zip(data["ids"], ends, data["sizes"], strict=True):
                    archive.writestr(f"{i}.{ending}", blob[end - size : end])
                for name in data.files:
                    if name not in ("sizes", "data"):
                        rows.setdefault(name, []).append(data[name])
    (out / f"{stem}.zip.part").replace(out / f"{stem}.zip")
    joined = {k: np.concatenate(v) for k, v in rows.items()}
    np.savez(out / f"{stem}.npz", **joined)
    return len(joined["ids"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.synthetic", description=__doc__)
    parser.add_argument("--assets", type=pathlib.Path, required=True, help="folder of MakeHuman assets")
    parser.add_argument("--backgrounds", type=pathlib.Path, required=True, help="zip of <panorama>_<number>.jpg that show nobody")
    parser.add_argument("--kind", choices=list(samples.SIZES), required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the data set")
    parser.add_argument("--stem", required=True, help="name of the data set")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("training/.cache"), help="folder for the parsed assets")
    args = parser.parse_args()
    if args.count < 1:
        parser.error(f"--count is {args.count}, expected at least 1")
    folder = args.out / f"{args.stem}_{args.kind}_{args.seed}.parts"
    folder.mkdir(parents=True, exist_ok=True)
    spans = [(first, min(first + PART, args.count)) for first in range(0, args.count, PART)]
    paths = [folder / f"{first:06d}_{last:06d}.npz" for first, last in spans]
    jobs = [(args.kind, *span, path) for span, path in zip(spans, paths, strict=True) if not path.exists()]
    setup = (args.assets, args.cache, args.backgrounds, args.seed)
    began, done, busy = time.perf_counter(), 0, 0.0
    if jobs:
        # The parent builds the cache once, so that several processes do not.
        load_library(args.assets, args.cache)
        with multiprocessing.Pool(args.processes, start, setup) as pool, tqdm(total=sum(j[2] - j[1] for j in jobs), unit="image") as bar:
            for count, seconds in pool.imap_unordered(render_part, jobs):
                done, busy = done + count, busy + seconds
                bar.update(count)
    seconds = time.perf_counter() - began
    total = join(paths, args.out, args.stem, "png" if args.kind == "cutouts" else "jpg")
    print(f"{total} images in {args.out / args.stem}.zip")
    if done:
        print(f"rendered {done} in {seconds:.0f} s: {done / seconds:.1f} images/s, {done / busy:.1f} per second of CPU time")


if __name__ == "__main__":
    main()
