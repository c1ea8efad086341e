"""Runs untrusted programs in Docker containers; imports nothing of the rest of this project."""

# Name of the image. The number rises with every change that could change a verdict.
TAG = "restem-sandbox:1"
