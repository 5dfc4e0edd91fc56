"""PREMIS 3.0: which files there are, what was done to them, when and by what, in the archives' own words.

The Data Dictionary's entities (version 3.0, 2015) as plain data, and their XML. Event types, roles and relationships
are terms of the Library of Congress (id.loc.gov/vocabulary/preservation). Knows nothing of jobs: who makes the
entities does.
"""

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from reelprior.io.files import atomic_path

__all__ = ["PremisAgent", "PremisEvent", "PremisFile", "event_identifier", "write_premis"]

_NAMESPACE = "http://www.loc.gov/premis/v3"
_SCHEMA = "https://www.loc.gov/standards/premis/premis.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_VOCABULARY = "http://id.loc.gov/vocabulary/preservation"


@dataclass(frozen=True)
class PremisFile:
    """An object of the category "file".

    Attributes
    ----------
    identifier
        By which events name it; once in a document.
    name
        Of the file, as it was called.
    sha256
        In hex.
    size_bytes
        None where it is not one file but a folder of pictures, whose hash is that of their names and hashes.
    format_name
        For people: "Matroska, FFV1".
    derived_from
        Identifier of the file it was made from.
    derived_by
        Identifier of the event that made it.
    """

    identifier: str
    name: str
    sha256: str
    size_bytes: int | None
    format_name: str
    derived_from: str | None = None
    derived_by: str | None = None


@dataclass(frozen=True)
class PremisEvent:
    """Something that was done.

    Attributes
    ----------
    identifier
        A UUID.
    kind
        A term of the vocabulary of event types.
    at
        With a time zone.
    detail
        How it was done.
    outcome
        "success", "warning" or "fail".
    note
        What came out of it.
    sources, outcomes
        Identifiers of files that went in, and of those that came out.
    """

    identifier: str
    kind: Literal["message digest calculation", "modification", "migration", "fixity check", "validation"]
    at: datetime
    detail: str
    outcome: Literal["success", "warning", "fail"] = "success"
    note: str = ""
    sources: Sequence[str] = ()
    outcomes: Sequence[str] = ()


@dataclass(frozen=True)
class PremisAgent:
    """The program that did it; ``note`` holds what it stands on."""

    identifier: str
    name: str
    version: str
    note: str = ""


def event_identifier(fingerprint: str, kind: str, at: datetime) -> str:
    """A UUID that tells events apart and is the same for the same event, however often it is written down."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:reelprior:{fingerprint}:{kind}:{at.isoformat()}"))


def write_premis(
    path: str | Path, *, files: Sequence[PremisFile], events: Sequence[PremisEvent], agent: PremisAgent
) -> None:
    """Write a PREMIS document, in the order of its schema: objects, events, agents.

    Raises
    ------
    reelprior.io.errors.OutputError
        If the file cannot be written.
    """
    ET.register_namespace("premis", _NAMESPACE)
    ET.register_namespace("xsi", _INSTANCE)
    root = ET.Element(
        _name("premis"), {"version": "3.0", f"{{{_INSTANCE}}}schemaLocation": f"{_NAMESPACE} {_SCHEMA}"}
    )
    for file in files:
        _add_file(root, file, events)
    for event in events:
        _add_event(root, event, agent)
    _add_agent(root, agent)
    ET.indent(root)
    with atomic_path(Path(path)) as temporary:
        ET.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def _name(tag: str) -> str:
    return f"{{{_NAMESPACE}}}{tag}"


def _add(
    parent: ET.Element, tag: str, text: str | None = None, *, authority: str | None = None
) -> ET.Element:
    """Add an element; ``authority`` names the vocabulary that its text is a term of."""
    attributes = (
        {} if authority is None else {"authority": authority, "authorityURI": f"{_VOCABULARY}/{authority}"}
    )
    element = ET.SubElement(parent, _name(tag), attributes)
    element.text = text
    return element


def _add_identifier(parent: ET.Element, of: str, value: str, *, kind: str = "local") -> ET.Element:
    """``<ofIdentifier>`` with its type and value."""
    element = _add(parent, f"{of}Identifier")
    _add(element, f"{of}IdentifierType", kind)
    _add(element, f"{of}IdentifierValue", value)
    return element


def _add_file(root: ET.Element, file: PremisFile, events: Sequence[PremisEvent]) -> None:
    element = _add(root, "object")
    element.set(f"{{{_INSTANCE}}}type", "premis:file")
    _add_identifier(element, "object", file.identifier)
    characteristics = _add(element, "objectCharacteristics")
    fixity = _add(characteristics, "fixity")
    _add(fixity, "messageDigestAlgorithm", "SHA-256", authority="cryptographicHashFunctions")
    _add(fixity, "messageDigest", file.sha256)
    if file.size_bytes is not None:
        _add(characteristics, "size", str(file.size_bytes))
    designation = _add(_add(characteristics, "format"), "formatDesignation")
    _add(designation, "formatName", file.format_name)
    _add(element, "originalName", file.name)
    if file.derived_from is not None:
        relationship = _add(element, "relationship")
        _add(relationship, "relationshipType", "derivation", authority="relationshipType")
        _add(relationship, "relationshipSubType", "has source", authority="relationshipSubType")
        _add_identifier(relationship, "relatedObject", file.derived_from)
        if file.derived_by is not None:
            _add_identifier(relationship, "relatedEvent", file.derived_by, kind="UUID")
    for event in events:
        if file.identifier in (*event.sources, *event.outcomes):
            _add_identifier(element, "linkingEvent", event.identifier, kind="UUID")


def _add_event(root: ET.Element, event: PremisEvent, agent: PremisAgent) -> None:
    element = _add(root, "event")
    _add_identifier(element, "event", event.identifier, kind="UUID")
    _add(element, "eventType", event.kind, authority="eventType")
    _add(element, "eventDateTime", event.at.isoformat(timespec="seconds"))
    _add(_add(element, "eventDetailInformation"), "eventDetail", event.detail)
    information = _add(element, "eventOutcomeInformation")
    _add(information, "eventOutcome", event.outcome, authority="eventOutcome")
    if event.note:
        _add(_add(information, "eventOutcomeDetail"), "eventOutcomeDetailNote", event.note)
    executor = _add_identifier(element, "linkingAgent", agent.identifier)
    _add(executor, "linkingAgentRole", "executing program", authority="eventRelatedAgentRole")
    for role, identifiers in (("source", event.sources), ("outcome", event.outcomes)):
        for identifier in identifiers:
            linked = _add_identifier(element, "linkingObject", identifier)
            _add(linked, "linkingObjectRole", role, authority="eventRelatedObjectRole")


def _add_agent(root: ET.Element, agent: PremisAgent) -> None:
    element = _add(root, "agent")
    _add_identifier(element, "agent", agent.identifier)
    _add(element, "agentName", agent.name)
    _add(element, "agentType", "software", authority="agentType")
    _add(element, "agentVersion", agent.version)
    if agent.note:
        _add(element, "agentNote", agent.note)
