"""The synthetic sample scene: same bytes, plausible land, labels as wrong as they claim to be."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from scipy import ndimage

from concord.plugin.engine import errors, progress, rasters, sensors, taxonomy
from concord.plugin.engine.sample import scene, write

SIZE = 384


@pytest.fixture(scope="module")
def sample():
    return scene.generate(1, SIZE)


@pytest.fixture(scope="module")
def written(sample, tmp_path_factory):
    return write.write(tmp_path_factory.mktemp("sample"), sample)


def digest(sample) -> str:
    total = hashlib.sha256()
    planes = [sample.optical, sample.radar, sample.elevation, sample.truth, sample.noisy]
    planes += [*sample.annotators.values(), sample.objects]
    for plane in planes:
        total.update(np.ascontiguousarray(plane).tobytes())
    total.update(repr(sample.prompts).encode())
    return total.hexdigest()


def test_a_seed_gives_the_same_values_every_time():
    first = digest(scene.generate(7, 160))
    np.random.seed(3)  # the global generator must not matter
    assert digest(scene.generate(7, 160)) == first
    assert digest(scene.generate(8, 160)) != first


def test_files_have_the_same_bytes_every_time(sample, written, tmp_path):
    again = write.write(tmp_path, sample)
    assert list(again) == list(written)
    for name, path in written.items():
        assert again[name].read_bytes() == path.read_bytes(), name


@pytest.mark.parametrize("size", [128, 129, 200])
def test_any_size_from_128_works(size):
    made = scene.generate(5, size)
    assert made.optical.shape == (4, size, size) and made.optical.dtype == np.float32
    assert made.radar.shape == (2, size, size) and made.radar.dtype == np.float32
    assert made.elevation.shape == (size // 2, size // 2)
    for labels in (made.truth, made.noisy, *made.annotators.values()):
        assert labels.shape == (size, size) and labels.dtype == np.uint8
    assert all(np.isfinite(plane).all() for plane in (made.optical, made.radar, made.elevation))


@pytest.mark.parametrize("seed, size", [(1, 127), (-1, 256)])
def test_impossible_requests_are_refused_in_a_sentence(seed, size):
    with pytest.raises(errors.ConcordError, match="ask for 128|give 0 or"):
        scene.generate(seed, size)


def test_cancel_stops_the_generator():
    with pytest.raises(errors.Cancelled):
        scene.generate(1, 128, progress.Progress(cancelled=lambda: True))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_class_has_a_plausible_share(seed):
    truth = scene.generate(seed, SIZE).truth
    share = np.bincount(truth.ravel(), minlength=7) / truth.size
    assert share[0] == 0
    bounds = {1: (0.01, 0.10), 2: (0.12, 0.40), 3: (0.12, 0.45), 4: (0.20, 0.60)}
    bounds.update({5: (0.008, 0.08), 6: (0.02, 0.20)})
    for code, (low, high) in bounds.items():
        assert low < share[code] < high, (code, share[code])


def test_covers_look_as_they_do_from_above(sample):
    blue, _, red, nir = sample.optical
    ndvi = (nir - red) / (nir + red)
    median = {code: np.median(ndvi[sample.truth == code]) for code in range(1, 7)}
    assert median[1] < 0 < median[6] < median[3] < median[2]
    assert 0 < sample.optical.min() and sample.optical.max() <= 1.2
    vv = {code: np.median(sample.radar[0][sample.truth == code]) for code in range(1, 7)}
    assert vv[1] < vv[6] - 4 and vv[2] > vv[3] + 2
    assert (sample.radar[0] > sample.radar[1]).mean() > 0.9
    assert np.median(blue) < 0.1


def test_speckle_has_the_looks_of_a_grd_product(sample):
    # Open water only: along the banks the land shines in.
    water = ndimage.binary_erosion(sample.truth == 1, iterations=3)
    power = 10 ** (sample.radar[0][water] / 10)
    assert power.mean() ** 2 / power.var() == pytest.approx(4.4, abs=0.5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_labels_are_as_wrong_as_they_claim(seed):
    made = scene.generate(seed, SIZE)
    assert 0.15 <= (made.noisy != made.truth).mean() <= 0.20
    for name, claimed in (("anna", 0.95), ("ben", 0.88), ("cleo", 0.72)):
        labels = made.annotators[name]
        seen = labels > 0
        assert (labels == made.truth)[seen].mean() == pytest.approx(claimed, abs=0.02), name
        assert 0.004 < 1 - seen.mean() < 0.06, name


def test_the_careless_annotator_takes_crops_for_grass(sample):
    labels = sample.annotators["cleo"]
    wrong = (labels != sample.truth) & (labels > 0)
    confused = wrong & (sample.truth == 4) & (labels == 3)
    assert confused.sum() > 0.4 * wrong.sum()


def test_prompts_lie_on_their_objects():
    made = scene.generate(1, 512)
    assert len(np.unique(made.objects)) - 1 >= 10
    assert {prompt.kind for prompt in made.prompts} == {"building", "pond", "field"}
    for prompt in made.prompts:
        inside = made.objects[prompt.row, prompt.col] == prompt.object
        assert inside == (prompt.label == 1), prompt


def test_files_are_what_a_user_would_have(sample, written):
    for name, path in written.items():
        if path.suffix != ".tif":
            continue
        info = rasters.info(path)
        assert info.tags["CONCORD_SYNTHETIC"] == "yes", name
        assert info.grid.crs == "EPSG:32632", name
        assert info.grid.bounds == sample.grid.bounds, name
        assert info.grid.pixel_size == ((20, 20) if name == "dem" else (10, 10)), name
    assert rasters.info(written["nir"]).bands[0].dtype == "uint16"
    assert rasters.info(written["nir"]).bands[0].nodata == 0
    stored = rasters.read(written["nir"])[0] / 1e4
    assert np.abs(stored - sample.optical[3]).max() < 1e-4
    scheme = taxonomy.load("concord-sample")
    for name in ("truth", "noisy", *sample.annotators):
        info = rasters.info(written[name])
        assert info.categories == scheme.names, name
        assert all(info.colours[code] == rgb for code, rgb in scheme.colours.items()), name
    assert "synthetic" in written["readme"].read_text(encoding="utf-8")


def test_the_presets_recognise_the_images(written):
    expected = {"blue": "sentinel-2-l2a", "nir": "sentinel-2-l2a", "vh": "sentinel-1-grd"}
    expected["dem"] = "dem"
    for name, sensor in expected.items():
        found = sensors.recognise(rasters.info(written[name]))
        assert found.sensor == sensor, (name, found)
        assert found.bands[0].name == {"dem": "elevation"}.get(name, name)


def test_prompts_file_keeps_the_scene_crs(sample, written):
    content = json.loads(written["prompts"].read_text(encoding="utf-8"))
    assert content["crs"]["properties"]["name"].endswith("EPSG::32632")
    assert len(content["features"]) == len(sample.prompts)
    for feature, prompt in zip(content["features"], sample.prompts):
        x, y = feature["geometry"]["coordinates"]
        assert sample.grid.colrow(x, y) == (prompt.col + 0.5, prompt.row + 0.5)
        assert feature["properties"]["object"] == prompt.object
        assert feature["properties"]["label"] in (0, 1)


@pytest.mark.parametrize("scheme", taxonomy.available())
def test_taxonomies_are_complete(scheme):
    loaded = taxonomy.load(scheme)
    assert loaded.id == scheme and loaded.title
    names = [entry.name for entry in loaded.classes]
    assert len(set(names)) == len(names) and all(names)
    colours = [entry.rgb for entry in loaded.classes]
    assert len(set(colours)) == len(colours)


def test_dynamic_world_codes_follow_its_outputs():
    names = taxonomy.load("dynamicworld").names
    assert list(names) == list(range(1, 10))
    assert names[1] == "water" and names[4] == "flooded vegetation" and names[9] == "snow and ice"
