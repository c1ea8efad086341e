"""The paper's experiments, one command each: `restem study NAME`."""
