"""Training configurations: one module per network, each with a `CONFIG`. Fields are documented in training/config.py."""

import importlib

from training.config import Config


def load_config(name: str) -> Config:
    """The configuration called `name`: a module of this package, with underscores where the name has hyphens, or a row `table-...`."""
    try:
        if name.startswith("table-"):
            from training.table_rows import config_of  # imports configurations itself

            return config_of(name)
        return importlib.import_module(f"training.configs.{name.replace('-', '_')}").CONFIG
    except (ModuleNotFoundError, KeyError) as error:
        raise SystemExit(f"no configuration '{name}' in training/configs: {error}") from error
