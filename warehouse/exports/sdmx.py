"""Write a release as SDMX-ML 2.1, in two files: a structure (concepts, code lists, data structure, dataflow) and structure-specific data.

Belongs here: the mapping of the cube to SDMX, declared in `sdmx.yaml`. Does not belong here: writing XML (`sdmx1`, `pysdmx`), figures.
The lists are modelled on cross-domain code lists; they are not lists of Eurostat or of the SDMX sponsors.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pysdmx.model.message
import sdmx
from pysdmx.io import read_sdmx, write_sdmx
from pysdmx.io.format import Format
from pysdmx.io.pd import PandasDataset
from pysdmx.model import Organisation
from sdmx.message import Header, StructureMessage
from sdmx.model import v21 as m

from warehouse.exports import territory
from warehouse.indicators import LANGUAGES
from warehouse.releases.reading import (
    MERGE_SEPARATOR,
    QUARTERS,
    Release,
    find_label_of_code,
    make_text_of_figure_status,
    make_text_of_missing_deliveries,
)

_MERGED_CODES = "_OR_"


def make_sdmx_files(release: Release) -> dict[str, bytes]:
    """Write a release in SDMX: the files `structure.xml` and `data.xml`."""
    rows = convert_cube_to_sdmx_observations(release)
    structure = sdmx.to_xml(
        _make_sdmx_structure_message(_make_sdmx_structure_artefacts(release, rows), _make_sdmx_message_header(release)), pretty_print=True
    )
    return {"structure.xml": structure, "data.xml": _write_sdmx_data_message(structure, rows, release)}


def convert_cube_to_sdmx_observations(release: Release) -> pd.DataFrame:
    """Convert the cube to SDMX terms. The result has a column for each dimension and attribute of `sdmx.yaml`, and the columns TIME_PERIOD
    and OBS_VALUE (null if the figure is suppressed)."""
    cube, dimensions, attributes = release.cube, territory.read_sdmx_settings()["dimensions"], territory.read_sdmx_settings()["attributes"]
    unit = release.table("definitions").set_index("indicator")["unit"]
    quarterly = cube["table"] == "quarter"
    observed = pd.DataFrame(index=cube.index)
    observed["FREQ"] = cube["period_type"].replace({"quarter": "year"}).map(dimensions["FREQ"]["codes"])
    observed["REF_AREA"] = territory.find_territory_code()
    observed["INDICATOR"] = cube["indicator"].str.upper()
    for name, spec in dimensions.items():
        if "from" in spec:
            observed[name] = _convert_column_to_sdmx_codes(cube[spec["from"]], spec)
    quarters = cube["cell"].where(quarterly & (cube["cell"] != ""), "_T")
    observed["QUARTER"] = quarters.str.replace(MERGE_SEPARATOR, _MERGED_CODES, regex=False)
    observed["TIME_PERIOD"] = [_convert_to_sdmx_period(of) for of in cube["of"]]
    observed["UNIT_MEASURE"] = cube["indicator"].map(unit).map(attributes["UNIT_MEASURE"]["codes"])
    for name in ("OBS_STATUS", "CONF_STATUS"):
        observed[name] = cube["status"].map(attributes[name]["codes"])
    observed["COMMENT_OBS"] = [
        _write_comment_on_observation(status, limit, missing)
        for status, limit, missing in zip(cube["status"], cube["limit"], cube["missing"], strict=True)
    ]
    observed["OBS_VALUE"] = cube["value"].astype("Int64")
    return observed


def _convert_column_to_sdmx_codes(values: pd.Series, spec: dict[str, Any]) -> pd.Series:
    return values.map(
        {value: _MERGED_CODES.join(_convert_to_sdmx_code(part, spec) for part in value.split(MERGE_SEPARATOR)) for value in values.unique()}
    )


def _convert_to_sdmx_code(part: str, spec: dict[str, Any]) -> str:
    return str(spec.get("codes", {}).get(part, {"total": "_T", "unknown": "_U"}.get(part, part.upper())))


def _convert_to_sdmx_period(year_or_window: str) -> str:
    """Return a year unchanged. Return a window such as `2012/2014` as an SDMX time range, which consists of its first day and its
    length."""
    return (
        year_or_window
        if "/" not in year_or_window
        else f"{year_or_window[:4]}-01-01/P{int(year_or_window[-4:]) - int(year_or_window[:4]) + 1}Y"
    )


def _write_comment_on_observation(status: str, limit: float | None, missing: str | None) -> str | None:
    notes = [make_text_of_figure_status(status, "en", None if pd.isna(limit) else int(limit or 0))]
    notes += [make_text_of_missing_deliveries(missing, "en")] if isinstance(missing, str) else []
    return " ".join(filter(None, notes)) or None


def _collect_labels_of_used_codes(release: Release, rows: pd.DataFrame) -> dict[str, dict[str, dict[str, str]]]:
    """Return the labels of the codes that the release uses, and of the categories that are merged in these codes. The result has the form
    dimension or attribute → code → language → label."""
    config = territory.read_sdmx_settings()
    titles = release.table("definitions").set_index("indicator")
    lists: dict[str, dict[str, dict[str, str]]] = {}
    for name, spec in config["dimensions"].items():
        if "from" in spec:
            values = sorted(release.cube[spec["from"]].unique())
            lists[name] = {
                _convert_column_to_sdmx_codes(pd.Series([v]), spec).iloc[0]: {n: find_label_of_code(spec["from"], v, n) for n in LANGUAGES}
                for v in values
            }
    lists["FREQ"], lists["REF_AREA"] = (
        config["dimensions"]["FREQ"]["labels"],
        {territory.find_territory_code(): {n: territory.make_territory_name(n) for n in LANGUAGES}},
    )
    lists["INDICATOR"] = {i.upper(): {n: str(titles.loc[i, f"title_{n}"]) for n in LANGUAGES} for i in titles.index}
    quarters = sorted({*rows["QUARTER"], *QUARTERS} - {"_T"})
    lists["QUARTER"] = {code: dict.fromkeys(LANGUAGES, code.replace(_MERGED_CODES, ", ")) for code in quarters}
    lists["QUARTER"]["_T"] = {"sq": "Viti", "sr": "Godina", "en": "The year"}
    return lists | {name: spec["labels"] for name, spec in config["attributes"].items() if "labels" in spec}


def _make_sdmx_structure_artefacts(release: Release, rows: pd.DataFrame) -> dict[str, Any]:
    """Return the parts of the SDMX structure by name: agency, concepts, code lists (`lists`), data structure (`dsd`), dataflow (`flow`)."""
    config = territory.read_sdmx_settings()
    agency = m.Agency(id=config["agency"]["id"], name=config["agency"]["title"])
    common: dict[str, Any] = {
        "maintainer": agency,
        "version": config["structure"]["version"],
        "is_final": True,
        "is_external_reference": False,
    }
    components = {
        **config["dimensions"],
        "TIME_PERIOD": {"title": _TIME_TITLE},
        "OBS_VALUE": {"title": _VALUE_TITLE},
        **config["attributes"],
    }
    concepts = m.ConceptScheme(id=config["structure"]["concepts"], name=config["name"], **common)
    for name, spec in components.items():
        concepts.append(m.Concept(id=name, name=spec["title"]))
    lists = {}
    for name, codes in _collect_labels_of_used_codes(release, rows).items():
        code_list = m.Codelist(id=f"CL_{name}", name=components[name]["title"], description=_describe_code_list(components[name]), **common)
        for code, labels in codes.items():
            code_list.append(m.Code(id=code, name=labels))
        lists[name] = code_list
    dsd = m.DataStructureDefinition(id=config["structure"]["id"], name=config["name"], **common)
    dsd.dimensions.id, dsd.attributes.id, dsd.measures.id = "DimensionDescriptor", "AttributeDescriptor", "MeasureDescriptor"
    for name in config["dimensions"]:
        dsd.dimensions.append(
            m.Dimension(id=name, concept_identity=concepts[name], local_representation=m.Representation(enumerated=lists[name]))
        )
    dsd.dimensions.append(
        m.TimeDimension(
            id="TIME_PERIOD",
            concept_identity=concepts["TIME_PERIOD"],
            local_representation=_make_sdmx_facet_of_type("ObservationalTimePeriod"),
        )
    )
    dsd.dimensions.assign_order()
    measure = m.PrimaryMeasure(id="OBS_VALUE", concept_identity=concepts["OBS_VALUE"])
    dsd.measures.append(measure)
    for name in config["attributes"]:
        representation = m.Representation(enumerated=lists[name]) if name in lists else _make_sdmx_facet_of_type("String")
        status = m.UsageStatus.mandatory if name in lists else m.UsageStatus.conditional
        dsd.attributes.append(
            m.DataAttribute(
                id=name,
                concept_identity=concepts[name],
                local_representation=representation,
                usage_status=status,
                related_to=m.PrimaryMeasureRelationship(),
            )
        )
    flow = m.DataflowDefinition(id=config["structure"]["flow"], name=config["name"], structure=dsd, **common)
    return {"agency": agency, "concepts": concepts, "lists": lists, "dsd": dsd, "flow": flow}


_TIME_TITLE = {"sq": "Periudha", "sr": "Period", "en": "Time period"}
_VALUE_TITLE = {"sq": "Vlera", "sr": "Vrednost", "en": "Observation value"}


def _describe_code_list(spec: dict[str, Any]) -> dict[str, str]:
    modelled_on = spec.get("modelled_on")
    return {
        "en": f"Modelled on the cross-domain code list {modelled_on}; joined categories added."
        if modelled_on
        else "A list of this dataflow only."
    }


def _make_sdmx_facet_of_type(value_type: str) -> m.Representation:
    name = value_type[0].lower() + value_type[1:]
    return m.Representation(non_enumerated=[m.Facet(value_type=m.FacetValueType[name])])


def _make_sdmx_message_header(release: Release) -> Header:
    return Header(
        id=f"HARMONIA_{release.name}",
        prepared=_parse_release_day(release),
        sender=m.Agency(id=territory.read_sdmx_settings()["agency"]["id"]),
        test=False,
    )


def _parse_release_day(release: Release) -> datetime:
    """Return the day of the release. The current time is not used, so that the same release gives the same bytes."""
    return datetime.fromisoformat(release.name).replace(tzinfo=UTC)


def _make_sdmx_structure_message(structure: dict[str, Any], header: Header) -> StructureMessage:
    message = StructureMessage(header=header)
    for artefact in (structure["concepts"], *structure["lists"].values(), structure["dsd"], structure["flow"]):
        message.add(artefact)
    return message


def _write_sdmx_data_message(structure: bytes, rows: pd.DataFrame, release: Release) -> bytes:
    """Write structure-specific data with the library pysdmx. The library sdmx1, which writes the structure in several languages, does not
    write valid data."""
    dsd = read_sdmx(structure.decode(), validate=False).get_data_structure_definitions()[0]
    dataset = PandasDataset(structure=dsd.to_schema(), data=rows.astype(object).where(rows.notna(), None))
    sender = Organisation(id=territory.read_sdmx_settings()["agency"]["id"])
    header = pysdmx.model.message.Header(id=f"HARMONIA_{release.name}_DATA", prepared=_parse_release_day(release), sender=sender)
    return str(write_sdmx([dataset], Format.DATA_SDMX_ML_2_1_STR, header=header)).encode()
