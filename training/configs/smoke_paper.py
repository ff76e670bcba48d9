"""smoke_paper: `smoke` with everything the paper has: BW-QIG(818), a second pass, a loss of its own for each, packed features."""

import dataclasses

from training.configs.smoke import CONFIG as SMOKE
from training.precision import with_precision

CONFIG = dataclasses.replace(
    SMOKE, name="smoke_paper", graph=with_precision(dataclasses.replace(SMOKE.graph, refinements=1), "BW-QIG(818)"),
    losses=("detection", "regression"), keep_bits=8, average=0.9, float_weights=0.25, settle=0.5,
)
