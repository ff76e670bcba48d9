"""Measures what training needs: `python -m training.memory` prints bytes and seconds of one step as a Markdown table.

Bytes are those of PyTorch's CPU allocator, taken from its profiler, in one forward and backward pass: "kept" is what lives between
the two (without weights), "peak" the most at any moment. Seconds are processor time, of all threads together. Rows differ only in how
features are kept (training/storage.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import torch
from torch.profiler import ProfilerActivity, profile

from training.graph import GraphConfig, build_graph
from training.model import GraphModule

MODES = {0: "naive", 32: "recomputed", 16: "16 bits", 8: "8 bits", 6: "6 bits"}


@dataclasses.dataclass
class Need:
    """Bytes between forward and backward, bytes at the peak, processor seconds of a step (the fastest of those timed)."""

    kept: int
    peak: int
    seconds: float


def allocated(run) -> list[int]:
    """Bytes that `run()` holds after each of its allocations and releases, relative to the start."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = run()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    total, held = 0, []
    for event in sorted(events, key=lambda e: e.start_ns()):
        total += event.nbytes()
        held.append(total)
    del result
    return held


def measure(graph: GraphConfig, keep_bits: int, batch: int = 4, repeats: int = 3) -> Need:
    """One training step of a network on noise."""
    torch.manual_seed(0)
    model = GraphModule(build_graph(graph), keep_bits=keep_bits).to(memory_format=torch.channels_last).train()
    image = torch.randint(0, 256, (batch, 3, graph.input_size, graph.input_size), dtype=torch.uint8)

    def step() -> None:
        sum(logits.square().mean() for logits in model(image)).backward()
        model.zero_grad(set_to_none=True)

    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
    return Need(allocated(lambda: model(image))[-1], max(allocated(step)), min(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stacks", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--input-size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| N | weights | features kept | kept MB | of naive float | peak MB | step ms |\n| --- | --- | --- | --- | --- | --- | --- |")
    for stacks in arguments.stacks:
        shape = GraphConfig(
            stacks=stacks, channels=arguments.channels, growth=arguments.channels // 4, input_size=arguments.input_size
        )
        whole = None
        for graph, name, modes in ((shape.float_twin(), "float", (0, 32)), (shape, "1 bit", (0, 32, 16, 8, 6))):
            for bits in modes:
                need = measure(graph, bits, arguments.batch)
                whole = whole or need.kept
                print(
                    f"| {stacks} | {name} | {MODES[bits]} | {need.kept / 1e6:.1f} | {need.kept / whole:.3f} "
                    f"| {need.peak / 1e6:.1f} | {need.seconds * 1000:.0f} |", flush=True,
                )


if __name__ == "__main__":
    main()
