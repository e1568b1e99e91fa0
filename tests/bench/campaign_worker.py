"""One annotator of bench_eight_annotators_at_once: campaign_worker.py URI NAME FOLDER UNTIL.

Every submission that the database has confirmed is written to NAME.log with the time that the
next task took. A lost connection is tried again under the same id.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from concord.plugin.bridge import campaign_db
from concord.plugin.bridge.campaign_acts import new_id
from concord.plugin.bridge.campaign_store import Store
from concord.plugin.engine.errors import ConcordError


def patient(act, log, until: float):
    """Try again for a minute after a lost connection."""
    end = max(until, time.time()) + 60
    while True:
        try:
            return act()
        except ConcordError as error:
            if time.time() > end or "connection" not in str(error) and "reached" not in str(error):
                raise
            log.write(f"{error}\n")
            log.flush()
            time.sleep(0.2)


def main(uri: str, name: str, folder: str, until: float) -> int:
    """Work until the time is over."""
    place = Path(folder)
    random = np.random.default_rng(sum(name.encode()))
    resumed = (place / f"{name}.died").exists()
    with open(place / f"{name}.log", "a") as done, open(place / f"{name}.lost", "a") as lost:
        where = campaign_db.address(uri)
        store = patient(lambda: Store(where), lost, until)
        while time.time() < until:
            start = time.perf_counter()
            task = patient(store.next_task, lost, until)
            waited = time.perf_counter() - start
            if task is None:
                break
            if resumed:
                resumed = False
                if str(task.id) == (place / f"{name}.died").read_text():
                    (place / f"{name}.resumed").touch()
            mask = random.integers(1, 3, (8, 8)).astype(np.uint8)
            patient(lambda t=task, m=mask: store.save(t.id, m), lost, until)
            if (place / f"die-{name}").exists():
                (place / f"die-{name}").unlink()
                (place / f"{name}.died").write_text(str(task.id))
                os.kill(os.getpid(), signal.SIGKILL)
            ident = new_id()
            patient(lambda t=task, m=mask, i=ident: store.submit(t.id, m, ident=i), lost, until)
            done.write(f"{ident} {waited}\n")
            done.flush()
            time.sleep(float(random.uniform(0.02, 0.2)))
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
