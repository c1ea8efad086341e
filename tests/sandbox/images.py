"""The images beside the standard one, for tests that need them."""

from __future__ import annotations

from filelock import FileLock

from sandbox.image import build_image, find_image
from sandbox.images import IMAGES, ImageName
from sandbox.pool import NoEngine, connect
from tests.needs import lacking


def image_of(name: ImageName, lock: str) -> str:
    """The tag of an image, which is built if it is not there; or a skip that says why."""
    try:
        with FileLock(lock):
            client = connect()
            there = find_image(client, IMAGES[name].tag)
            client.close()
            if there is None:
                build_image(lambda _: None, name=name)
    except NoEngine as error:
        lacking(str(error))
    return IMAGES[name].tag
