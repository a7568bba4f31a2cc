#!/usr/bin/env python3
"""Writes small inputs to start fuzzing from into fuzz/corpus/: records of samples/, and traps.

    python3 fuzz/seed.py
"""
import gzip
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples" / "AWSLogs"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def records():
    """One record for each kind of event in the samples, the smallest."""
    found = {}
    for path in sorted(SAMPLES.rglob("*.json.gz")):
        try:
            document = json.loads(gzip.decompress(path.read_bytes()))
        except (OSError, EOFError, ValueError):
            continue  # the samples hold damaged files too
        for record in document.get("Records", []) if isinstance(document, dict) else []:
            if not isinstance(record, dict):
                continue
            kind = (record.get("eventSource"), record.get("eventName"), record.get("errorCode"), record.get("eventType"))
            text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
            if kind not in found or len(text) < len(found[kind]):
                found[kind] = text
    return [text for _, text in sorted(found.items(), key=lambda item: str(item[0]))]


def event(source, name, **members):
    base = {"eventVersion": "1.11", "eventTime": "2026-03-02T09:00:00Z", "eventSource": source, "eventName": name}
    return json.dumps(base | members, separators=(",", ":"))


TRAPS = [
    event("ec2.amazonaws.com", "DescribeVolumes", userAgent='"eventSource":"kms.amazonaws.com"'),
    event("events.amazonaws.com", "PutRule", requestParameters={"eventPattern": '{"eventSource":["kms.amazonaws.com"]}'}),
    event("ec2.amazonaws.com", "DescribeVolumes", requestParameters={"eventSource": "kms.amazonaws.com", "note": KEY}),
    event("ec2.amazonaws.com", "DescribeVolumes", requestParameters={"a": [{"b": "\\"}]}).replace("ec2", "\\u0065c2"),
    event("kinesis.amazonaws.com", "DescribeStream").replace('":"', '" :\t"').replace("eventSource", "event\\u0053ource"),
    event("ec2.amazonaws.com", "DescribeVolumes", requestParameters={"note": [KEY]}).replace(":kms:", "\\u003akms\\u003A"),
    event("ec2.amazonaws.com", "X").replace("{", '{"eventSource":"kms.amazonaws.com",', 1),
    event("kms.amazonaws.com", "Decrypt", additionalEventData=json.dumps({"keyMaterialId": "ab"})),
    event("kms.amazonaws.com", "ScheduleKeyDeletion", requestParameters={"keyId": KEY, "pendingWindowInDays": 7}),
    event("kms.amazonaws.com", "Decrypt", requestParameters={"encryptionContext": {"aws:s3:arn": "arn:aws:s3:::b/k", "n": "4111111111111111"}}),
]

POLICIES = [
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]},
    {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:ViaService": "s3"}}}},
    {"Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": ["444455556666", "*"]}}, {"Effect": "Deny", "Principal": {"AWS": "*"}, "Resource": "*"}]},
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com"], "AWS": ["*"]}, "Condition": {}}]},
]


def write(target, inputs):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(inputs):
        (folder / f"seed-{number:03}").write_text(text, encoding="utf-8")
    print(f"{folder}: {len(inputs)} inputs")


def main():
    all_records = records()
    small = [text for text in all_records if len(text) < 3_000]
    few = [TRAPS[n : n + 3] for n in range(0, len(TRAPS), 3)] + [small[n : n + 2] for n in range(0, len(small), 8)]
    lists = ['{"Records":[' + ",".join(part) + "]}" for part in few]
    lines = ["\n".join(part) for part in few[:4]] + ["[" + " , ".join(part) + "]" for part in few[:4]]
    broken = [lists[0][:-40], lists[0].replace("}", "", 1), '{"digestS3Object":"a","x":1}', '{"Records":[1,"a,b",[{}],{}]}{"Records":[]}']
    write("scan", lists + lines + broken + TRAPS)
    write("event", small + TRAPS)
    write("policy", [json.dumps(policy) for policy in POLICIES] + ["", "null", '"*"', "[]"])


if __name__ == "__main__":
    main()
