"""Presets: one commented TOML file each, read by `reelprior.pipeline.presets`."""
