"""Trains one configuration: `python -m training.train --config face --data FOLDER:faces --backgrounds ZIP`.

One flat script: data, steps, checkpoints, log; what differs between tasks is in training/tasks.py. A killed run continues from
its last checkpoint with the same samples.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import pathlib
import time

import torch
from tqdm import tqdm

from training.configs import load_config
from training.evaluate import evaluate
from training.graph import build_graph
from training.images import load_mixture, parse_source, read_backgrounds
from training.model import GraphModule
from training.tasks import TASKS


def learning_rate(step: int, config) -> float:
    """Linear warm-up, then half a cosine to zero."""
    if step < config.warmup:
        return config.rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def start_from(model: GraphModule, path: pathlib.Path) -> list[str]:
    """Takes from another run's checkpoint every tensor whose name and shape fit, but no head; returns the names of the rest."""
    saved = torch.load(path, weights_only=True)["model"]
    own = model.state_dict()
    taken = {
        name: value for name, value in saved.items()
        if ".head" not in name.replace("/", ".") and name in own and own[name].shape == value.shape
    }
    model.load_state_dict(taken, strict=False)
    return sorted(own.keys() - taken.keys())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="face")
    parser.add_argument(
        "--data", type=parse_source, action="append", required=True,
        help="FOLDER:STEM[:SHARE] of <stem>_train and <stem>_val; repeat to mix sets by share",
    )
    parser.add_argument("--backgrounds", type=pathlib.Path, help="zip of pictures without subjects")
    parser.add_argument("--init", type=pathlib.Path, help="checkpoint of another run whose weights (but no heads) to start from")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("training/runs"))
    parser.add_argument("--steps", type=int, help="override the configuration's steps")
    parser.add_argument("--limit", type=int, help="use only the first images (for trying things)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes that make samples")
    parser.add_argument("--validate-every", type=int, default=1000, help="steps")
    parser.add_argument("--save-every", type=int, default=250, help="steps")
    parser.add_argument("--stop-after", type=int, help="stop after this step, as a kill would (the schedule stays)")
    arguments = parser.parse_args()

    config = load_config(arguments.config)
    if arguments.steps:
        config = dataclasses.replace(config, steps=arguments.steps)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(config.seed)
    run = arguments.runs / config.name
    run.mkdir(parents=True, exist_ok=True)

    task = TASKS[config.task]
    data = load_mixture(arguments.data, "train", arguments.limit)
    backgrounds = read_backgrounds(arguments.backgrounds, task.backgrounds) if arguments.backgrounds else []
    validations = task.validations(arguments.data, arguments.backgrounds, config, arguments.limit or 300)

    model = GraphModule(build_graph(config.graph)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.rate)
    step = 0
    checkpoint = run / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    elif arguments.init:
        print("not in the first checkpoint:", *start_from(model, arguments.init))

    def save() -> None:
        partial = checkpoint.with_suffix(".part")
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, partial)
        partial.replace(checkpoint)

    samples = task.samples(data, backgrounds, config, step * config.batch, config.steps * config.batch)
    loader = torch.utils.data.DataLoader(
        samples, batch_size=config.batch, num_workers=arguments.workers, prefetch_factor=4 if arguments.workers else None
    )
    log = (run / "log.jsonl").open("a")
    model.train()
    window_loss, window_start = 0.0, time.time()
    stop = min(config.steps, arguments.stop_after or config.steps)
    with tqdm(total=config.steps, initial=step, mininterval=5) as bar:
        for image, *targets in loader:
            if step >= stop:
                break
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, config)
            outputs = model(image)
            loss = sum(task.loss(output, targets, config, output is outputs[-1]) for output in outputs)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            model.clamp_latent()
            step += 1
            window_loss += loss.item()
            bar.update()
            if step % 100 == 0 or step == stop:
                row = {"step": step, "loss": window_loss / 100, "rate": learning_rate(step, config)}
                row["imagesPerSecond"] = round(100 * config.batch / (time.time() - window_start), 1)
                if step % arguments.validate_every == 0 or step == stop:
                    row |= evaluate(model, validations, config)
                    model.train()
                log.write(json.dumps(row) + "\n")
                log.flush()
                bar.set_postfix(loss=f"{row['loss']:.3f}")
                window_loss, window_start = 0.0, time.time()
            if step % arguments.save_every == 0 or step == stop:
                save()


if __name__ == "__main__":
    main()
