"""What has a server or a runner live ten times as fast, as far as leases and what waits for an answer are concerned."""

from __future__ import annotations

# Seconds; as code for the beginning of a script, and the script of such a server.
LEASE = 6.0
SHORT = """
from datetime import timedelta
from flowsource.runner import presence, service, startup
from flowsource.server import reaping, store_door
from flowsource.store import presence as rows
from flowsource.store.http import client, listening

for module in (presence, service, startup, reaping):
    module.LEASE = timedelta(seconds=6)
for module in (presence, reaping):
    module.RENEW_EVERY = timedelta(seconds=1.5)
for module in (client, listening, store_door):
    module.LISTEN_FOR = timedelta(seconds=3)
service.FENCE_AFTER = timedelta(seconds=4)
rows.RERUN_AFTER, rows.LOST_FOR = timedelta(seconds=1.5), timedelta(minutes=1)
client.PATIENCE = client.HttpStore._post.__kwdefaults__["patience"] = timedelta(seconds=3)
"""
SERVER = f"""{SHORT}
import sys
from flowsource.cli import main
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""
