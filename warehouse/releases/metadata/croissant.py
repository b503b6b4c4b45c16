"""`croissant.json`: the release in Croissant 1.1 (JSON-LD over schema.org), for ML tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warehouse.releases.manifest import ColumnEntry, Manifest, TableEntry
from warehouse.releases.metadata.about import (
    DESCRIPTION,
    KEYWORDS,
    NAME,
    TITLE,
    about_table,
    all_licenses,
    credit,
    license_address,
    offered,
    to_text,
    version,
)

# The context of the specification; tools compare it key by key.
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES: Mapping[str, str] = {
    "BOOLEAN": "sc:Boolean",
    "INTEGER": "sc:Integer",
    "BIGINT": "sc:Integer",
    "DOUBLE": "sc:Float",
    "DATE": "sc:Date",
    "TIMESTAMP": "sc:DateTime",
    "VARCHAR": "sc:Text",
}


def croissant(manifest: Manifest) -> str:
    """One file object and one record set per table that is offered; paths are relative to it."""
    licenses = dict.fromkeys(license_address(x) for x in all_licenses(manifest))
    credits = [credit(manifest), *(s.citation for s in manifest.sources)]
    return to_text(
        {
            "@context": dict(CONTEXT),
            "@type": "sc:Dataset",
            "conformsTo": "http://mlcommons.org/croissant/1.1",
            "name": NAME,
            "alternateName": TITLE,
            "description": DESCRIPTION,
            "identifier": manifest.release_id,
            "url": ".",
            "version": version(manifest),
            "datePublished": manifest.as_of.isoformat(),
            "keywords": list(KEYWORDS),
            "license": list(licenses),
            "citeAs": " | ".join(credits),
            "creator": {"@type": "sc:Organization", "name": "Origin Observatory"},
            "distribution": [_file(table) for table in offered(manifest)],
            "recordSet": [_record_set(table) for table in offered(manifest)],
        }
    )


def _file(table: TableEntry) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": table.path,
        "name": table.path,
        "description": "; ".join(f"{x.source}: {x.raw}" for x in table.licenses),
        "contentUrl": table.path,
        "contentSize": f"{table.bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": table.sha256,
    }


def _record_set(table: TableEntry) -> dict[str, Any]:
    nullable = {c.name for c in table.columns if c.nullable}
    key = [{"@id": f"{table.name}/{column}"} for column in table.key]
    about = about_table(table)
    if table.warnings:
        about += f" Usage warnings: {', '.join(table.warnings)} (explained in DICTIONARY.md)."
    record_set = {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": about,
        "field": [_field(table, column) for column in table.columns],
    }
    return record_set if nullable & set(table.key) else record_set | {"key": key}


def _field(table: TableEntry, column: ColumnEntry) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{table.name}/{column.name}",
        "name": column.name,
        "description": column.description + (f" Unit: {column.unit}." if column.unit else ""),
        "dataType": TYPES[column.type],
        "source": {"fileObject": {"@id": table.path}, "extract": {"column": column.name}},
    }
