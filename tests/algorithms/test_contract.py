"""The public contract of DESIGN.md: ids, parameters, outputs, and how lists may be given."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from algorithms import makers
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingDestinationParameter,
    QgsProcessingParameterDefinition,
)

CONTRACT = {
    "loadscene": ("INPUT SENSOR GRID RESOLUTION CRS EXTENT DERIVED", "OUTPUT REPORT"),
    "segmentprompts": ("IMAGE PROMPTS MODEL BANDS", "OUTPUT"),
    "runmodel": ("INPUT MODEL EXTENT MASK EXECUTOR", "OUTPUT PROBABILITIES POLYGONS REPORT"),
    "modelcard": ("MODEL INPUT", "REPORT"),
    "refinelabels": (
        "IMAGE LABELS ENGINE UNSURE PROTECT MARGIN TAXONOMY", "OUTPUT PROPOSALS REPORT"
    ),
    "consensus": ("ANNOTATIONS STORE METHOD GOLD TAXONOMY", "OUTPUT AGREEMENT REPORT"),
    "createcampaign": (
        "IMAGERY EXTENT TAXONOMY CHIP_SIZE ANNOTATORS COPIES GOLD STORE", "REPORT"
    ),
    "exportchips": (
        "IMAGERY LABELS CONSENSUS CHIP_SIZE STRIDE MIN_SCORE MIN_LABELLED SPLIT BLOCK BUFFER "
        "SEED FORMATS LICENCE TAXONOMY", "OUTPUT"
    ),
    "checkchips": ("INPUT", "REPORT"),
    "coverage": ("INPUT", "REPORT CLEAR"),
    "segmentextent": ("IMAGE EXTENT MODEL BANDS MIN_AREA", "OUTPUT POLYGONS"),
    "applyproposals": ("LABELS PROPOSALS", "OUTPUT CHANGES"),
    "comparemaps": ("BEFORE AFTER TAXONOMY", "OUTPUT REPORT"),
    "trainclassifier": ("INPUT LABELS FIELD METHOD", "OUTPUT REPORT"),
    "combinepredictions": ("INPUT WEIGHTS", "OUTPUT DISAGREEMENT"),
    "clusterextent": ("INPUT CLUSTERS", "OUTPUT"),
}  # fmt: skip
REQUIRED = {
    "loadscene": {"INPUT"},
    "segmentprompts": {"IMAGE", "PROMPTS", "OUTPUT"},
    "runmodel": {"INPUT", "MODEL"},
    "modelcard": {"MODEL"},
    "refinelabels": {"IMAGE", "LABELS"},
    "consensus": set(),  # ANNOTATIONS or STORE
    "exportchips": {"IMAGERY", "LABELS", "LICENCE", "OUTPUT"},
    "checkchips": {"INPUT"},
    "coverage": {"INPUT"},
    "segmentextent": {"IMAGE"},
    "applyproposals": {"LABELS", "PROPOSALS"},
    "comparemaps": {"BEFORE", "AFTER"},
    "trainclassifier": {"INPUT", "LABELS"},
    "combinepredictions": {"INPUT"},
    "createcampaign": {"IMAGERY", "TAXONOMY", "ANNOTATORS", "STORE"},
    "clusterextent": {"INPUT"},
}
every_algorithm = pytest.mark.parametrize("name", sorted(CONTRACT))


@pytest.fixture
def algorithm(provider):
    def find(name: str) -> QgsProcessingAlgorithm:
        found = provider.algorithm(name)
        assert found is not None, f"concord:{name} is missing"
        return found

    return find


@every_algorithm
def test_parameters_and_outputs_have_their_names(algorithm, name):
    found = algorithm(name)
    assert found.id() == f"concord:{name}"
    inputs, outputs = (set(part.split()) for part in CONTRACT[name])
    definitions = {d.name(): d for d in found.parameterDefinitions()}
    assert inputs | outputs <= set(definitions)
    assert {n for n, d in definitions.items() if d.isDestination()} >= outputs
    assert {d.name() for d in found.outputDefinitions()} >= outputs


@every_algorithm
def test_what_may_be_left_out_is_optional(algorithm, name):
    optional = QgsProcessingParameterDefinition.Flag.FlagOptional
    for definition in algorithm(name).parameterDefinitions():
        needed = definition.name() in REQUIRED[name]
        has_default = definition.defaultValue() not in (None, "")
        is_optional = bool(definition.flags() & optional)
        assert not (needed and is_optional), definition.name()
        assert needed or is_optional or has_default, f"{definition.name()} must be given"


@every_algorithm
def test_forms_offer_to_write_the_main_output_only(algorithm, name):
    optional = QgsProcessingParameterDefinition.Flag.FlagOptional
    for definition in algorithm(name).destinationParameterDefinitions():
        assert isinstance(definition, QgsProcessingDestinationParameter)
        if definition.flags() & optional:
            assert definition.createByDefault() == (definition.name() == "OUTPUT")
            assert definition.defaultValue() in (None, "")


@every_algorithm
def test_explains_itself(algorithm, name):
    found = algorithm(name)
    assert len(found.shortHelpString()) > 60 and found.shortHelpString().endswith(".")
    assert found.displayName() and found.displayName()[0].isupper()
    assert found.group() and found.groupId() == found.groupId().lower()
    for definition in found.parameterDefinitions():
        assert definition.description().strip(), definition.name()
        assert definition.name() == definition.name().upper()
    for text in (found.shortHelpString(), found.displayName()):
        assert "!" not in text


@every_algorithm
def test_may_run_in_the_background_and_be_cancelled(algorithm, name):
    flags = algorithm(name).flags()
    flag = QgsProcessingAlgorithm.Flag
    assert not flags & flag.FlagNoThreading
    assert flags & flag.FlagCanCancel
    assert not flags & flag.FlagDeprecated and not flags & flag.FlagHideFromToolbox


@every_algorithm
def test_a_copy_is_independent_and_makes_no_warning(algorithm, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, two = algorithm(name).create(), algorithm(name).create()
        again = type(one)()
        again.initAlgorithm({})
    assert one is not two and one.name() == name
    assert [d.name() for d in one.parameterDefinitions()] == [
        d.name() for d in again.parameterDefinitions()
    ]


def _forms(project, place) -> dict:
    """The same three rasters in every form in which a list may be given."""
    layers = [project.add(path, f"Person {i}, named") for i, path in enumerate(place.people)]
    ids, names = [layer.id() for layer in layers], [layer.name() for layer in layers]
    return {
        "text": ";".join(place.people),
        "text with spaces": " ; ".join(place.people) + ";",
        "paths": list(place.people),
        "tuple": tuple(place.people),
        "layers": layers,
        "ids": ids,
        "names": names,
        "text of ids": ";".join(ids),
        "mixed": [layers[0], place.people[1], names[2]],
    }


FORMS = ("text", "text with spaces", "paths", "tuple", "layers", "ids", "names", "text of ids",
         "mixed")  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_list_of_rasters_in_every_form(run_algorithm, project, place, form):
    value = _forms(project, place)[form]
    results = run_algorithm(
        "concord:consensus",
        {"ANNOTATIONS": value, "METHOD": "majority", "OUTPUT": place.target("c.tif")},
    )
    votes = np.concatenate([makers.look(path).values for path in place.people])
    counts = np.stack([(votes == code).sum(axis=0) for code in (1, 2, 3, 4)])
    clear = (counts == counts.max(axis=0)).sum(axis=0) == 1
    found = makers.look(results["OUTPUT"]).values[0]
    assert (found[clear] == counts.argmax(axis=0)[clear] + 1).all()
    assert (found[~clear] == 255).all()


@pytest.mark.parametrize("form", ["path", "layer", "id", "name"])
def test_one_raster_in_every_form(run_algorithm, project, place, form):
    layer = project.add(place.labels, "Noisy map; of somebody")
    value = {"path": place.labels, "layer": layer, "id": layer.id(), "name": layer.name()}[form]
    results = run_algorithm(
        "concord:refinelabels",
        {"IMAGE": [place.image], "LABELS": value, "ENGINE": "mode",
         "OUTPUT": place.target("r.tif")},
    )  # fmt: skip
    assert makers.look(results["OUTPUT"]).values.shape == (1, 64, 96)


@pytest.mark.parametrize("form", ["text", "paths", "layers", "names", "folder"])
def test_files_of_a_scene_in_every_form(run_algorithm, project, tmp_path, place, form):
    folder = tmp_path / "two files"
    one = makers.image(folder / "visible.tif", bands=("blue", "green", "red"))
    two = makers.image(folder / "infrared.tif", bands=("nir",))
    layers = [project.add(one, "visible light"), project.add(two, "infrared light")]
    value = {
        "text": f"{one};{two}",
        "paths": [one, two],
        "layers": layers,
        "names": [layer.name() for layer in layers],
        "folder": str(folder),
    }[form]
    results = run_algorithm(
        "concord:loadscene", {"INPUT": value, "DERIVED": "ndvi", "OUTPUT": place.target("s.tif")}
    )
    assert set(makers.look(results["OUTPUT"]).names) == {*makers.BANDS, "ndvi"}


def test_a_file_with_a_semicolon_in_its_name(run_algorithm, place, tmp_path):
    odd = shutil.copy(place.image, tmp_path / "left;right, 2020.tif")
    for value in (str(odd), [str(odd)]):
        results = run_algorithm(
            "concord:loadscene", {"INPUT": value, "OUTPUT": place.target("s.tif")}
        )
        assert makers.look(results["OUTPUT"]).names == list(makers.BANDS)


def test_looking_at_inputs_writes_no_statistics_beside_them(run_algorithm, place, tmp_path):
    """QGIS's default style of a layer leaves an .aux.xml beside the user's file."""
    folder = tmp_path / "given"
    source = makers.image(folder / "big.tif")
    run_algorithm(
        "concord:runmodel",
        {"INPUT": source, "MODEL": "concord-spectral", "OUTPUT": place.target("m.tif")},
    )
    assert sorted(path.name for path in folder.iterdir()) == ["big.tif"]
