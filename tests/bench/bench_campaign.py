"""Issue 8's limits: Dawid-Skene's speed, simulated annotators, and a busy PostGIS."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from .clock import pause

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ORACLE = ROOT / ".build" / "oracle" / "bin" / "python"  # see tests/bench/crowdkit_oracle.py
PEOPLE = tuple(f"p{i}" for i in range(8))
TASKS, COPIES = 10_000, 5


def _votes(pixels: int, classes: int = 7, seed: int = 0) -> tuple:
    """(truth, votes of three people 92, 85 and 61 % right, the last systematic), uint8."""
    random = np.random.default_rng(seed)
    truth = random.integers(1, classes + 1, pixels).astype(np.uint8)
    planes = []
    for right in (0.92, 0.85, 0.61):
        plane, wrong = truth.copy(), random.random(pixels) > right
        other = random.integers(1, classes, pixels).astype(np.uint8)
        step = np.uint8(1) if right == 0.61 else other[wrong]
        plane[wrong] = (truth[wrong] - 1 + step) % classes + 1
        planes.append(plane)
    return truth, planes


def bench_dawid_skene_10_megapixels(folder: Path) -> dict:
    """10 M pixels x 3 annotators x 7 classes, counting and look-up included; limit 0.25 s."""
    from concord.plugin.engine.consensus import aggregate

    with pause():
        truth, planes = _votes(10_000_000)
        aggregate.of_arrays([plane[:1000] for plane in planes], range(1, 8))
        runs = []
    for _ in range(3):
        start = time.perf_counter()
        classes, _, _, result = aggregate.of_arrays(planes, range(1, 8))
        runs.append(time.perf_counter() - start)
    return {
        "best_s": round(min(runs), 3), "worst_s": round(max(runs), 3), "limit_s": 0.25,
        "rounds": result.iterations, "accuracy": round(float((classes == truth).mean()), 4),
    }  # fmt: skip


def _timed(work) -> float:
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        runs.append(time.perf_counter() - start)
    return min(runs)


def bench_dawid_skene_against_others(folder: Path) -> dict:
    """One 256 x 256 chip against crowd-kit (if installed apart) and SimpleITK's STAPLE."""
    from concord.plugin.engine.consensus import aggregate

    with pause():
        _, flat = _votes(256 * 256)
        planes = [plane.reshape(256, 256) for plane in flat]
    own = _timed(lambda: aggregate.of_arrays(planes, range(1, 8)))
    figures = {"own_ms": round(own * 1000, 2)}
    try:
        import SimpleITK as sitk
    except ImportError:
        figures["staple"] = "SimpleITK is not installed"
    else:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        images = [sitk.GetImageFromArray(plane) for plane in planes]
        staple = _timed(lambda: sitk.MultiLabelSTAPLE(images, 255))
        figures.update(staple_ms=round(staple * 1000, 1), times_staple=round(staple / own, 1))
    if ORACLE.exists():
        file = folder / "votes.npy"
        np.save(file, np.stack(flat))
        command = [str(ORACLE), str(HERE / "crowdkit_oracle.py"), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={})
        seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]
        figures.update(crowdkit_s=round(seconds, 2), times_crowdkit=round(seconds / own))
    return figures


def _real_maps() -> list:
    """The 1 m land cover of the Chesapeake chips, 6 classes, 0 where there is none."""
    data = Path(os.environ.get("CONCORD_DATA", ROOT / ".." / "shared" / "data"))
    maps = []
    for path in sorted((data / "chesapeake").rglob("*.npz")):
        cover = np.load(path)["arr_0"][0, 8].astype(np.uint8)
        maps.append(np.where(cover == 15, 0, cover).astype(np.uint8))
    return maps


def _simulated(truth: np.ndarray, right: float, seed: int, name: str, edges: float) -> np.ndarray:
    """Wrong in blobs, and at edges where ``edges`` (pixels) is not 0; c takes k for k + 1."""
    from concord.plugin.engine.sample import annotators, noise

    random = noise.stream(seed, name)
    drawn = annotators.stray(random, truth, edges) if edges else truth.copy()
    drawn = np.where(truth == 0, 0, drawn)
    labelled = truth > 0
    kinds = noise.smooth(random, truth.shape, 9)
    step = np.ones(truth.shape, int) if name == "c" else np.digitize(kinds, (-1, 0, 1)) + 1
    other = (truth - 1 + step) % 6 + 1
    still = right - (1 - (drawn == truth)[labelled].mean())  # edges have used up a part
    field = noise.smooth(random, truth.shape, 3)
    wrong = labelled & (drawn == truth) & (field > np.quantile(field[labelled], 1 - (1 - right)))
    excess = (drawn == truth)[labelled].mean() - right
    if excess <= 0 or still <= 0:
        return drawn.astype(np.uint8)
    candidates = labelled & (drawn == truth)
    wrong = candidates & (field > np.quantile(field[candidates], 1 - excess / candidates.sum()
                                              * labelled.sum()))  # fmt: skip
    return np.where(wrong, other, drawn).astype(np.uint8)


def _score(edges: tuple) -> dict:
    from concord.plugin.engine.consensus import aggregate, judge

    maps = _real_maps()
    truth = np.concatenate(maps)
    known = truth > 0
    gains, errors, best, people = [], [], [], []
    for seed in range(5):
        planes = [
            np.concatenate([_simulated(m, right, 100 * seed + i, name, jitter)
                            for i, m in enumerate(maps)])
            for name, right, jitter in zip("abc", (0.92, 0.85, 0.61), edges)
        ]  # fmt: skip
        people.append([float((p == truth)[known].mean()) for p in planes])
        plain = aggregate.of_arrays(planes, range(1, 7), "majority")[0]
        classes, posterior, _, _ = aggregate.of_arrays(planes, range(1, 7))
        right = (classes == truth)[known]
        gains.append(100 * float(right.mean() - (plain == truth)[known].mean()))
        errors.append(judge.calibration_error(posterior[known] / 100, right))
        best.append(float(right.mean()))
    return {
        "people": [round(v, 3) for v in np.mean(people, axis=0)],
        "accuracy": [round(v, 4) for v in best],
        "points_above_majority": [round(v, 2) for v in gains],
        "calibration_error": [round(v, 4) for v in errors],
    }


def bench_simulated_annotators(folder: Path) -> dict:
    """5 seeds on real maps; at least 3 points above majority, calibration error up to 0.05."""
    return _score((0.0, 0.0, 0.0))


def bench_simulated_annotators_with_edges(folder: Path) -> dict:
    """The same when everybody also strays at the same edges, so that mistakes coincide."""
    return _score((0.5, 1.0, 2.0))


def _server():
    path = ROOT / "tests" / "campaign" / "server.py"
    spec = importlib.util.spec_from_file_location("concord_test_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Server()


def _plan(pool: bool):
    """10,000 tasks of 8 x 8 pixels, five people each, without any image."""
    from concord.plugin.engine.campaign import assign, sampling, values
    from concord.plugin.engine.grid import Grid

    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), 800, 800)
    sites = sampling.chip_sites(grid, 8)
    make = assign.pool if pool else assign.balance
    tasks = make(sites, [COPIES] * len(sites), list(PEOPLE))
    scheme = {"id": "two", "title": "", "classes": [{"code": 1, "name": "a"},
                                                     {"code": 2, "name": "b"}]}  # fmt: skip
    settings = values.Settings("Bench", grid, 8, ("none.tif",), scheme)
    return values.Plan(settings, values.team(PEOPLE, (), "lea"), tuple(tasks))


def _begin(server, schema: str, pool: bool):
    from concord.plugin.bridge import campaign_create, campaign_db

    where = campaign_db.address(server.uri(schema=schema))
    campaign_create.create(where, _plan(pool))
    server.allow(*PEOPLE)
    return where


def bench_ten_thousand_tasks(folder: Path) -> dict:
    """10,000 tasks x 5 in PostGIS, half of them done: next task 100 ms, overview 1 s at most."""
    from concord.plugin.bridge import campaign_db
    from concord.plugin.bridge.campaign_store import Store

    with pause():
        server = _server()
    try:
        start = time.perf_counter()
        where = _begin(server, "big", False)
        made = time.perf_counter() - start
        with Store(where) as lead:
            with pause():
                lead._db.run(
                    "insert into annotation (id, task_id, person, version, kind, created, seconds, "
                    "mask, shapes, digest) select md5(task_id || person), task_id, person, 1, "
                    "'submitted', stamp(), 60, '', '', '' from assignment where position % 2 = 0"
                )
                lead._db.run(
                    "update assignment set state = 'submitted', seconds = 60 where position % 2 = 0"
                )
                lead._db.run("analyze")
            overview = [_once(lead.overview) for _ in range(5)]
        with Store(campaign_db.address(server.uri("p1", "big"))) as mine:
            chip = np.ones((8, 8), np.uint8)
            nexts, submits = [], []
            for _ in range(50):
                start = time.perf_counter()
                task = mine.next_task()
                nexts.append(time.perf_counter() - start)
                submits.append(_once(lambda t=task: mine.submit(t.id, chip)))
            own = _once(mine.overview)
        return {
            "create_s": round(made, 2), "next_task_ms": round(1000 * max(nexts), 1),
            "submit_ms": round(1000 * max(submits), 1),
            "overview_ms": round(1000 * max(overview), 1),
            "annotators_overview_ms": round(1000 * own, 1), "limits_ms": [100, 1000],
        }  # fmt: skip
    finally:
        with pause():
            server.stop()


def _once(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bench_eight_annotators_at_once(folder: Path) -> dict:
    """Eight processes for CONCORD_BENCH_SECONDS (300), a restart and a kill in the middle."""
    from concord.plugin.bridge.campaign_store import Store

    seconds = float(os.environ.get("CONCORD_BENCH_SECONDS", "300"))
    with pause():
        server = _server()
        where = _begin(server, "busy", True)
    try:
        until = time.time() + seconds
        workers = {name: _work(server, name, folder, until) for name in PEOPLE}
        time.sleep(seconds * 0.4)
        (folder / "die-p3").touch()  # p3 ends itself between save and submit
        workers["p3"].wait(60)
        died = workers["p3"].returncode == -signal.SIGKILL
        workers["p3"] = _work(server, "p3", folder, until)
        time.sleep(seconds * 0.1)
        server.restart()
        for worker in workers.values():
            worker.wait(seconds + 60)
        with Store(where) as lead:
            return _verdict(lead, folder, workers, died)
    finally:
        with pause():
            server.stop()


def _work(server, name: str, folder: Path, until: float) -> subprocess.Popen:
    command = [sys.executable, str(HERE / "campaign_worker.py"), server.uri(name, "busy"), name,
               str(folder), str(until)]  # fmt: skip
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def _verdict(lead, folder: Path, workers: dict, died: bool) -> dict:
    said = [line.split() for name in PEOPLE
            for line in (folder / f"{name}.log").read_text().splitlines()]  # fmt: skip
    kept = {row[0] for row in lead._db.run("select id from annotation where kind = 'submitted'")}
    over = lead._db.run(
        "select count(*) from task t where t.copies < (select count(*) from assignment a "
        "where a.task_id = t.id)"
    )[0][0]
    twice = lead._db.run(
        "select count(*) from (select 1 from annotation where kind = 'submitted' "
        "group by task_id, person having count(*) > 1) d"
    )[0][0]
    resumed = (folder / "p3.resumed").exists()
    waits = np.array([float(line[1]) for line in said])
    return {
        "submitted": len(said), "lost": len({line[0] for line in said} - kept),
        "beyond_copies": int(over), "twice": int(twice), "killed_between_save_and_submit": died,
        "resumed": resumed, "exit_codes": sorted({w.returncode for w in workers.values()}),
        "next_task_ms_median": round(1000 * float(np.median(waits)), 1),
        "next_task_ms_99": round(1000 * float(np.quantile(waits, 0.99)), 1),
        "reconnects": sum(p.read_text().count("\n") for p in folder.glob("*.lost")),
    }  # fmt: skip
