"""The PREMIS document: the entities, their links, and the order that the schema asks for."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest

from reelprior.io.errors import OutputError
from reelprior.pipeline.premis import PremisAgent, PremisEvent, PremisFile, event_identifier, write_premis

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
P = "{http://www.loc.gov/premis/v3}"

MADE = event_identifier("job", "modification", NOON)
FILES = (
    PremisFile("source", "tape <7>.mov", "ab" * 32, 1234, "mov, prores"),
    PremisFile(
        "output", "tape.mkv", "cd" * 32, 2345, "matroska, ffv1", derived_from="source", derived_by=MADE
    ),
    PremisFile("scans", "scans", "ef" * 32, None, "image2, png"),
)
EVENTS = (
    PremisEvent(
        MADE, "modification", NOON, "settings & all", note="fine", sources=["source"], outcomes=["output"]
    ),
)
AGENT = PremisAgent("reelprior", "reelprior", "0.1.0", "torch 2.13")

#: The order of elements that the schema prescribes (PREMIS 3.0, fileType, eventComplexType, agentComplexType).
ORDER = {
    "premis": ["object", "event", "agent"],
    "object": [
        "objectIdentifier",
        "objectCharacteristics",
        "originalName",
        "relationship",
        "linkingEventIdentifier",
    ],
    "objectCharacteristics": ["fixity", "size", "format"],
    "fixity": ["messageDigestAlgorithm", "messageDigest"],
    "relationship": [
        "relationshipType",
        "relationshipSubType",
        "relatedObjectIdentifier",
        "relatedEventIdentifier",
    ],
    "event": [
        "eventIdentifier",
        "eventType",
        "eventDateTime",
        "eventDetailInformation",
        "eventOutcomeInformation",
        "linkingAgentIdentifier",
        "linkingObjectIdentifier",
    ],
    "eventOutcomeInformation": ["eventOutcome", "eventOutcomeDetail"],
    "linkingObjectIdentifier": [
        "linkingObjectIdentifierType",
        "linkingObjectIdentifierValue",
        "linkingObjectRole",
    ],
    "agent": ["agentIdentifier", "agentName", "agentType", "agentVersion", "agentNote"],
}


@pytest.fixture
def root(tmp_path):
    write_premis(tmp_path / "p.xml", files=FILES, events=EVENTS, agent=AGENT)
    return ET.parse(tmp_path / "p.xml").getroot()


def texts(element, path):
    return [found.text for found in element.iterfind("/".join(P + tag for tag in path.split("/")))]


def test_the_elements_stand_in_the_order_of_the_schema(root):
    seen = set()
    for element in root.iter():
        tag = element.tag.removeprefix(P)
        if tag in ORDER:
            seen.add(tag)
            positions = [ORDER[tag].index(child.tag.removeprefix(P)) for child in element]
            assert positions == sorted(positions), tag
    assert seen == set(ORDER)
    assert root.attrib["version"] == "3.0"


def test_every_file_has_its_hash_size_and_format(root):
    assert texts(root, "object/originalName") == ["tape <7>.mov", "tape.mkv", "scans"]
    assert texts(root, "object/objectCharacteristics/fixity/messageDigest") == [
        "ab" * 32,
        "cd" * 32,
        "ef" * 32,
    ]
    assert texts(root, "object/objectCharacteristics/size") == ["1234", "2345"]  # a folder has none
    types = [
        element.get("{http://www.w3.org/2001/XMLSchema-instance}type") for element in root.iter(f"{P}object")
    ]
    assert types == ["premis:file"] * 3


def test_the_output_is_derived_from_the_source_by_the_event(root):
    assert texts(root, "object/relationship/relatedObjectIdentifier/relatedObjectIdentifierValue") == [
        "source"
    ]
    assert texts(root, "object/relationship/relatedEventIdentifier/relatedEventIdentifierValue") == [MADE]
    assert texts(root, "object/linkingEventIdentifier/linkingEventIdentifierValue") == [MADE, MADE]


def test_the_event_says_when_how_what_and_by_what(root):
    assert texts(root, "event/eventType") == ["modification"]
    assert texts(root, "event/eventDateTime") == ["2026-03-01T12:00:00+00:00"]
    assert texts(root, "event/eventDetailInformation/eventDetail") == ["settings & all"]
    assert texts(root, "event/linkingObjectIdentifier/linkingObjectRole") == ["source", "outcome"]
    assert texts(root, "event/linkingAgentIdentifier/linkingAgentIdentifierValue") == ["reelprior"]
    assert texts(root, "agent/agentVersion") == ["0.1.0"]


def test_terms_of_a_vocabulary_name_it(root):
    [kind] = root.iter(f"{P}eventType")
    assert kind.get("authorityURI") == "http://id.loc.gov/vocabulary/preservation/eventType"


def test_the_same_event_has_the_same_identifier_and_another_one_has_not():
    assert event_identifier("job", "modification", NOON) == MADE
    assert event_identifier("job", "migration", NOON) != MADE


def test_a_document_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match=r"p\.xml"):
        write_premis(tmp_path / "missing" / "p.xml", files=FILES, events=EVENTS, agent=AGENT)
