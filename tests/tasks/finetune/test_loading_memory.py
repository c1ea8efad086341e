"""A model that is split is read once for all processes of a node, and not put into memory whole."""

import pytest

from bench.training.loading import run

pytestmark = pytest.mark.engine


def test_loading_takes_little_more_than_the_models_files():
    assert run(100e6) <= 1.3
