"""Training many stacked networks: loop, members, checkpoints, threads, randomness; no science."""
