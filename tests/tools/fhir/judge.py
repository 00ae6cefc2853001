"""Judges a FHIR R4 bundle: structure by fhirkit-rs, then the rules of JP Core's Patient, Coverage and Organization that our
documents have to keep. The rules are our own reading of the profiles; the official validator is not among the judges.

    judge.py BUNDLE.json
"""

import json
import re
import sys
import uuid

import fhirkit

PROFILES = "http://jpfhir.jp/fhir/core/StructureDefinition/JP_"
MEMBER_ID = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID"
PERSON = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Coverage_InsuredPerson"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"


def is_absent(element):
    return [extension["url"] for extension in (element or {}).get("extension", [])] == [ABSENT]


def patient(resource):
    yield "identifier 1..", bool(resource.get("identifier"))
    for identifier in resource.get("identifier", []):
        yield "identifier.system", "system" in identifier
        yield "identifier.value 1..", "value" in identifier or is_absent(identifier.get("_value"))
        own = identifier["system"].startswith("urn:oid:1.2.392.100495.20.3.51.")
        yield "the institution's oid", not own or re.fullmatch(r"urn:oid:[0-9.]+\.1\d{10}", identifier["system"])
        member = identifier["system"] == MEMBER_ID and "value" in identifier
        yield "member id", not member or re.fullmatch(r"\d{8}:[^:]*:[^:]+:(\d\d)?", identifier.get("value", ""))
    yield "name or its absence", bool(resource.get("name"))
    for name in resource.get("name", []):
        kinds = [e["valueCode"] for e in name.get("extension", []) if e["url"] == REPRESENTATION]
        yield "a name is IDE or SYL", is_absent(name) or (kinds in (["IDE"], ["SYL"]) and name.get("text"))
        yield "use of a name", name.get("use") in (None, "usual", "official")
    yield "gender", resource.get("gender") in (None, "male", "female", "unknown")
    yield "birth date or its absence", ("birthDate" in resource) != is_absent(resource.get("_birthDate"))
    for address in resource.get("address", []):
        yield "post code", re.fullmatch(r"\d{3}(-\d{4})?", address.get("postalCode", "000"))


def coverage(resource):
    yield "status", resource.get("status") in ("active", "cancelled", "draft")
    yield "beneficiary", "reference" in resource.get("beneficiary", {})
    yield "payor 1..", bool(resource.get("payor"))
    for payor in resource.get("payor", []):
        yield "payor or its absence", "reference" in payor or is_absent(payor)
    parts = {e["url"].removeprefix(PERSON): e["valueString"] for e in resource.get("extension", [])}
    yield "extensions", set(parts) <= {"Symbol", "Number", "SubNumber"}
    yield "dependent is SubNumber", resource.get("dependent") == parts.get("SubNumber")
    expected = f"{parts.get('Symbol', '')}:{parts['Number']}" if "Number" in parts else None
    yield "subscriberId is symbol:number", resource.get("subscriberId") == expected
    half = re.compile(r"[!-~]")
    yield "symbol and number in full width", not half.search(parts.get("Symbol", "") + parts.get("Number", ""))
    systems = [identifier["system"] for identifier in resource.get("identifier", [])]
    yield "insuranceIdentifier ..1", systems in ([], [MEMBER_ID])
    for coding in resource.get("relationship", {}).get("coding", []):
        yield "relationship", (coding["code"], coding["display"]) in (("1", "被保険者"), ("2", "被扶養者"))
    for coding in resource.get("type", {}).get("coding", []):
        yield "type", coding["code"] in ("1", "2", "7", "8")
    period = resource.get("period", {})
    yield "period in days", all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in period.values())
    yield "period per-1", period.get("start", "") <= period.get("end", "9999-12-31")


def organization(resource):
    yield "org-1", bool(resource.get("identifier") or resource.get("name"))
    yield "type pay", resource["type"][0]["coding"][0]["code"] == "pay"


def outcome(resource):
    yield "one issue", [issue["severity"] for issue in resource["issue"]] == ["information"]


RULES = {"Patient": patient, "Coverage": coverage, "Organization": organization, "OperationOutcome": outcome}


def bundle_rules(bundle):
    entries = bundle.get("entry", [])
    urls = [entry["fullUrl"] for entry in entries]
    yield "bdl-7: fullUrl is unique", len(urls) == len(set(urls))
    yield "fullUrl is a uuid of version 8", all(uuid.UUID(url.removeprefix("urn:uuid:")).version == 8 for url in urls)
    yield "id is that of the fullUrl", all(e["fullUrl"] == f"urn:uuid:{e['resource']['id']}" for e in entries)
    kinds = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in entries}
    for entry in entries:
        resource = entry["resource"]
        for reference in [resource.get("beneficiary", {}), *resource.get("payor", [])]:
            wanted = {"Patient", "Organization"}
            yield "references stay inside", "reference" not in reference or kinds.get(reference["reference"]) in wanted
        profile = resource.get("meta", {}).get("profile")
        expected = None if resource["resourceType"] == "OperationOutcome" else [PROFILES + resource["resourceType"]]
        yield "profile", profile == expected


def main(path):
    bundle = json.load(open(path, encoding="utf-8"))
    problems = [f"fhirkit-rs: {issue}" for issue in fhirkit.validate(bundle)]
    problems += [f"Bundle: {rule}" for rule, holds in bundle_rules(bundle) if not holds]
    for entry in bundle.get("entry", []):
        resource = entry["resource"]
        rules = RULES[resource["resourceType"]](resource)
        problems += [f"{resource['resourceType']}/{resource['id']}: {rule}" for rule, holds in rules if not holds]
    print("\n".join(problems) or f"{path}: {len(bundle['entry'])} resources, nothing found")
    return bool(problems)


sys.exit(main(sys.argv[1]))
