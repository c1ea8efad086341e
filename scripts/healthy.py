"""What the health checks of docker-compose.yml run: exit 0 when a part of the station is well.

    healthy.py http://127.0.0.1:4200/api/ready    an address answers with success
    healthy.py services                           Prefect's services do: they beat in Redis

The services have no port. Their worker notes every two seconds in Redis that it lives.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.request

SECONDS = 5.0
# Ten beats, and a margin for a busy machine.
SILENCE_SECONDS = 30.0
# Prefect calls the queue of its services so; pydocket keeps the beats under this name.
BEATS = "prefect:workers"


def main() -> int:
    """The exit code."""
    what = sys.argv[1]
    return 0 if (_services() if what == "services" else _address(what)) else 1


def _address(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as reply:
            return reply.status == 200
    except OSError as error:
        print(error)
        return False


def _services() -> bool:
    import redis

    address = os.environ["PREFECT_SERVER_DOCKET_URL"]
    try:
        with redis.Redis.from_url(address, socket_timeout=SECONDS) as client:
            latest = client.zrange(BEATS, -1, -1, withscores=True)
    except redis.RedisError as error:
        print(error)
        return False
    return bool(latest) and time.time() - float(latest[0][1]) < SILENCE_SECONDS


if __name__ == "__main__":
    sys.exit(main())
