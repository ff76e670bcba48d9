"""Trains one configuration: `python -m training.train --config face --data FOLDER:faces --backgrounds ZIP`.

One flat script: data, steps, checkpoints, log; what differs between tasks is in training/tasks.py. A killed run continues from
its last checkpoint with the same samples. Several devices or hosts share every batch, with the same result, under
`torchrun --nproc-per-node 2 -m training.train ...`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import pathlib
import time

import torch
from tqdm import tqdm

from training import checkpoints, distributed
from training.config import Config
from training.configs import load_config
from training.evaluate import evaluate, named_network
from training.graph import build_graph
from training.images import load_mixture, parse_source, read_all, read_backgrounds
from training.landmark_samples import LandmarkSamples
from training.losses import distillation_loss
from training.model import GraphModule
from training.schedule import Average, has_float_weights, is_settling, learning_rate
from training.tasks import TASKS


def parser() -> argparse.ArgumentParser:
    """The options of a run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--config", default="face")
    options.add_argument(
        "--data", type=parse_source, action="append", required=True,
        help="FOLDER:STEM[:SHARE] of <stem>_train and <stem>_val; repeat to mix sets by share",
    )
    options.add_argument("--backgrounds", type=pathlib.Path, help="zip of pictures without subjects")
    options.add_argument("--negatives", type=pathlib.Path, help="zip of pictures taken for a subject (training/hard_negatives.py); landmark tasks")
    options.add_argument("--init", type=pathlib.Path, help="checkpoint or master weights to start from; may be of a narrower network")
    options.add_argument("--teacher", help="CONFIG:CHECKPOINT to learn from where the configuration has `distillation`")
    options.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("training/runs"))
    options.add_argument("--steps", type=int, help="override the configuration's steps")
    options.add_argument("--rate", type=float, help="override the configuration's peak learning rate")
    options.add_argument("--settle", type=float, help="override the configuration's share of steps with settled weights; 1: all")
    options.add_argument("--seed", type=int, help="override the configuration's seed")
    options.add_argument("--distillation", type=float, help="override the configuration's weight of what `--teacher` says")
    options.add_argument("--limit", type=int, help="use only the first images (for trying things)")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--workers", type=int, default=1, help="processes that make samples")
    options.add_argument("--autocast", choices=("bf16",), help="convolutions in 16 bits (accumulators overflow fp16); pays on GPUs and on CPUs that have it")
    options.add_argument("--compile", action="store_true", help="torch.compile the network; pays on GPUs, needs keep_bits 0")
    options.add_argument("--tensorboard", action="store_true", help="also log to <run>/tensorboard")
    options.add_argument("--log-every", type=int, default=100, help="steps")
    options.add_argument("--validate-every", type=int, default=1000, help="steps")
    options.add_argument("--save-every", type=int, default=250, help="steps")
    options.add_argument("--stop-after", type=int, help="stop after this step, as a kill would (the schedule stays)")
    return options


def main() -> None:
    arguments = parser().parse_args()
    config = load_config(arguments.config)
    fields = ("steps", "rate", "seed", "settle", "distillation")
    changes = {name: getattr(arguments, name) for name in fields if getattr(arguments, name) is not None}
    config = dataclasses.replace(config, **changes)
    if (config.distillation > 0) != (arguments.teacher is not None):
        raise SystemExit(f"distillation is {config.distillation}, --teacher {arguments.teacher}: expected both or neither")
    if arguments.compile and config.keep_bits:
        raise SystemExit(f"--compile with keep_bits {config.keep_bits}: expected 0, a compiled network decides itself what it keeps")
    task = TASKS[config.task]
    data = load_mixture(arguments.data, "train", arguments.limit)
    backgrounds = read_backgrounds(arguments.backgrounds, task.backgrounds) if arguments.backgrounds else []
    samples = task.samples(data, backgrounds, config, 0, config.steps * config.batch)
    if arguments.negatives:
        if not isinstance(samples, LandmarkSamples):
            raise SystemExit(f"'{config.task}' composes its frames: expected no --negatives")
        samples.hard = read_all(arguments.negatives)
    validations = task.validations(arguments.data, arguments.backgrounds, config, arguments.limit or 300)
    train(config, samples, validations, arguments)


def train(config: Config, samples: torch.utils.data.Dataset, validations: dict, arguments: argparse.Namespace) -> None:
    """Runs a configuration, or the rest of it, on samples 0 to steps * batch; `arguments` are those of `parser`."""
    device = distributed.start()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(config.seed)
    run = arguments.runs / config.name
    run.mkdir(parents=True, exist_ok=True)

    model = GraphModule(build_graph(config.graph), keep_bits=config.keep_bits).to(device, memory_format=torch.channels_last)
    checkpoint = run / "checkpoint.pt"
    if arguments.init and not checkpoint.exists():
        print("not started from the file:", *checkpoints.start_from(model, arguments.init))
    teacher = named_network(arguments.teacher)[1].eval().requires_grad_(False).to(device) if arguments.teacher else None
    optimizer = torch.optim.Adam(model.parameters(), lr=config.rate, fused=True)
    average = Average(model, config.average) if config.average else None
    parts = {"model": model, "optimizer": optimizer}
    parts |= {"average": average} if average else {}
    step = 0
    if checkpoint.exists():
        step = checkpoints.load(checkpoint, parts, device)
    if is_settling(step, config):  # to the end, so their gradients, a fifth of a step's time, need not be worked out
        for weight in model.low_bit_weights():
            weight.requires_grad_(False)
    network = torch.compile(model) if arguments.compile else model
    if distributed.world_size() > 1:
        network = torch.nn.parallel.DistributedDataParallel(network, broadcast_buffers=False)
    cast = torch.autocast(device.type, torch.bfloat16) if arguments.autocast else contextlib.nullcontext()

    loader = torch.utils.data.DataLoader(
        samples, batch_sampler=distributed.BatchShare(config.batch, step, config.steps), num_workers=arguments.workers,
        prefetch_factor=4 if arguments.workers else None, pin_memory=device.type == "cuda",
    )
    first = distributed.rank() == 0
    log = (run / "log.jsonl").open("a") if first else None
    board = None
    if arguments.tensorboard and first:
        from torch.utils.tensorboard import SummaryWriter  # slow to import

        board = SummaryWriter(run / "tensorboard", purge_step=step + 1)
    model.train()
    losses, window_start, skipped = [], time.time(), 0
    stop = min(config.steps, arguments.stop_after or config.steps)
    with tqdm(total=config.steps, initial=step, mininterval=5, disable=not first) as bar:
        for image, *targets in loader:
            if step >= stop:
                break
            # Stochastic rounding depends on the step alone, so that a resumed run draws the same numbers.
            torch.manual_seed((config.seed * config.steps + step) * distributed.world_size() + distributed.rank())
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, config)
            model.float_weights = has_float_weights(step, config)
            settling = is_settling(step, config)
            if settling and average and not is_settling(step - 1, config):
                model.load_state_dict(average.tensors)
            image, *targets = (t.to(device, non_blocking=True) for t in (image, *targets))
            with cast:
                outputs = [logits.float() for logits in network(image)]
            loss = TASKS[config.task].loss(outputs, targets, config)
            if teacher is not None:
                with torch.no_grad(), cast:
                    taught = teacher(image)[-1].float()
                loss = loss + config.distillation * distillation_loss(outputs[-1], taught, targets[1])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if settling:
                for weight in model.low_bit_weights():
                    weight.grad = None  # Adam leaves such parameters alone; a run that begins to settle in its midst has these gradients
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            if not torch.isfinite(norm):
                # One broken batch must not end a run of hours; the norms' statistics have seen it, so it is said.
                optimizer.zero_grad(set_to_none=True)
                skipped += 1
            optimizer.step()
            model.clamp_latent()
            if average:
                average.update(model)
            step += 1
            losses.append(distributed.mean(loss.detach()).item())
            bar.update()
            if step % arguments.log_every == 0 or step == stop:
                row = {"step": step, "loss": sum(losses) / len(losses), "rate": learning_rate(step, config)}
                if skipped:
                    row["skipped"] = skipped
                row["imagesPerSecond"] = round(len(losses) * config.batch / (time.time() - window_start), 1)
                if first and (step % arguments.validate_every == 0 or step == stop):
                    model.float_weights = False
                    row |= evaluate_with(average, model, validations, config)
                    model.train()
                if first:
                    log.write(json.dumps(row) + "\n")
                    log.flush()
                for name, value in row.items() if board else ():
                    if isinstance(value, int | float):
                        board.add_scalar(name, value, step)
                bar.set_postfix(loss=f"{row['loss']:.3f}")
                losses, window_start, skipped = [], time.time(), 0
            if first and (step % arguments.save_every == 0 or step == stop):
                checkpoints.save(checkpoint, step, parts)
    if board:
        board.close()
    distributed.stop()


def evaluate_with(average: Average | None, model: GraphModule, validations: dict, config: Config) -> dict:
    """Figures of the averaged weights where the run keeps them; the network's own are put back."""
    if average is None:
        return evaluate(model, validations, config)
    own = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(average.tensors)
    figures = evaluate(model, validations, config)
    model.load_state_dict(own)
    return figures


if __name__ == "__main__":
    main()
