"""Threads that wait without spinning: tests share their machine with others. Set before PyTorch is imported."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")
