"""Rendered people and heads with exact labels, made from the CC0 MakeHuman assets. README.md is the guide."""
