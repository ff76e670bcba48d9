"""smoke_float: `smoke` in float."""

import dataclasses

from training.configs.smoke import CONFIG as SMOKE

CONFIG = dataclasses.replace(SMOKE, name="smoke_float", graph=SMOKE.graph.float_twin())
