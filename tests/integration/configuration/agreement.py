#!/usr/bin/env python3
"""Records, and what the reference evaluator says of them: real ones and generated ones.

usage: agreement.py DOMAIN CORPUS EACH

DOMAIN has ref_eval.py and default_key_rules.json, CORPUS has *.ndjson of real records. EACH records are
generated for every row and event, always the same ones.

The first line written is what is known of keys. Every other line is the expected tuples (rule, kind, key),
a tab, and the record.
"""

import glob
import json
import os
import random
import sys

SEED = 20260302

ACCOUNT = "111122223333"
ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}"
CUSTOMERS, DEFAULT, STRANGE = (
    "1234abcd-12ab-34cd-56ef-1234567890ab",
    "11111111-2222-3333-4444-555555555555",
    "99999999-2222-3333-4444-555555555555",
)
# Some by their ARN, some by their id: the reference looks for both.
ACCOUNTS_OWN = f"{ARN}:key/55555555-2222-3333-4444-555555555555"
KEYS = {f"{ARN}:key/{CUSTOMERS}": "CUSTOMER", CUSTOMERS: "CUSTOMER", DEFAULT: "AWS", ACCOUNTS_OWN: "CUSTOMER"}
# The account's default key for EBS, by Region; in another Region it is not known. The reference takes whatever is
# no `alias/aws/ebs` for a customer's: a default key by its ARN, and a key that nobody knows, are left out.
DEFAULTS = {"eu-west-1": ACCOUNTS_OWN, "eu-north-1": "alias/aws/ebs"}
REGIONS = ["us-east-1", *DEFAULTS]

KEY_VALUES = [
    "alias/app",
    "alias/app/aws/x",
    f"{ARN}:alias/app",
    "alias/aws/ebs",
    "alias/aws/secretsmanager",
    f"{ARN}:alias/aws/s3",
    "aws/rds",
    f"{ARN}:key/{CUSTOMERS}",
    f"{ARN}:key/{DEFAULT}",
    f"{ARN}:key/{STRANGE}",
    CUSTOMERS,
    DEFAULT,
    STRANGE,
    "AWS_OWNED_KMS_KEY",
    "aws_owned_cmk",
    # No alias, for all it looks like one.
    "alias/aws/",
    "alias/aws/a.b",
    "Alias/aws/s3",
    "xalias/aws/s3",
    "no key",
    "",
    "",
    None,
    7,
    True,
    {},
    {"id": "alias/aws/s3"},
    ["alias/aws/s3"],
]

ODD_VALUES = [None, 0, 7, 1.5, "", "other", "OTHER", [], {}, True, False, ["true"], {"a": "b"}, "None", "items"]


class Node:
    """A member that rows look at: what lies below it, and what it is for."""

    def __init__(self):
        self.below = {}
        self.each = self.parsed = self.key = False
        self.conditions = []


def shape(rows):
    """The members that rows look at, by payload."""
    roots = {"requestParameters": Node(), "responseElements": Node(), "additionalEventData": Node()}

    def leaf(path, root="requestParameters"):
        for other in ("responseElements", "additionalEventData"):
            if path.startswith(other + "."):
                root, path = other, path[len(other) + 1 :]
        node = roots[root]
        for segment in path.split("."):
            parsed, each = segment.endswith("{json}"), segment.endswith("[]")
            node = node.below.setdefault(segment.removesuffix("{json}").removesuffix("[]"), Node())
            node.parsed, node.each = node.parsed or parsed, node.each or each
        return node

    for row in rows:
        for path in row["key_paths"]:
            leaf(path).key = True
        for path in row["response_key_paths"]:
            leaf(path, "responseElements").key = True
        for path in row["resource_paths"]:
            leaf(path)
        for condition in (c for alternative in row["conditions"] for c in alternative):
            leaf(condition[0]).conditions.append(condition[1:])
    return roots


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def fulfilling(self, condition):
        operator, argument = condition[0], condition[1] if len(condition) > 1 else None
        one = self.random.choice
        if operator == "is_true":
            return one([True, True, "true", "TRUE"])
        if operator == "is_false":
            return one([False, False, "false", "False"])
        if operator in ("eq", "in"):
            word = argument if operator == "eq" else one(argument)
            word = one([word, word, word.upper(), word.lower(), word.swapcase()])
            return {"true": True, "false": False}[word] if word in ("true", "false") and self.chance(0.5) else word
        if operator == "prefix":
            return one([argument, argument + "-X"])
        if operator == "not_prefix":
            return one(["other", argument + "_2", argument.lower()])
        return one(["x", 7, {}, [], True, {"a": 1}])

    def scalar(self, node):
        wanted = []
        if node.conditions and self.chance(0.75):
            wanted.append(self.fulfilling(self.random.choice(node.conditions)))
        if node.key:
            wanted.append(self.random.choice(KEY_VALUES))
        return self.random.choice(wanted) if wanted else self.random.choice(ODD_VALUES)

    def single(self, node):
        """A value of the member itself, lists aside."""
        if self.chance(0.03):
            return self.random.choice(ODD_VALUES)
        if node.below and not (node.conditions and self.chance(0.1)):
            return self.members(node)
        return self.scalar(node)

    def value(self, node):
        if node.each:
            return self.listed(node)
        if not node.parsed:
            return [self.single(node)] if self.chance(0.02) else self.single(node)
        inner = self.single(node)
        if self.chance(0.15):
            return inner
        text = json.dumps(inner)
        return self.random.choice([text[:-1], "", "no JSON"]) if self.chance(0.1) else text

    def listed(self, node):
        elements = [self.single(node) for _ in range(self.random.choice([0, 1, 1, 2, 2, 3]))]
        if elements and self.chance(0.1):
            elements[self.random.randrange(len(elements))] = None
        how = self.random.random()
        if how < 0.5:
            return elements
        if how < 0.7:
            return elements[0] if elements else None
        if how < 0.9:
            return {"items": elements}
        return {"items": elements[0]} if elements else {"items": None}

    def members(self, node):
        made = {}
        for name, child in node.below.items():
            if name == "*":
                for any_name in self.random.sample(["s3", "redshift", "tag"], self.random.choice([0, 1, 1, 2])):
                    made[any_name] = self.value(child)
                continue
            if self.chance(0.85 if child.conditions or child.below else 0.65):
                self.member(made, name, child)
        if self.chance(0.2):
            made["tag"] = self.random.choice(ODD_VALUES)
        entries = list(made.items())
        self.random.shuffle(entries)
        return dict(entries)

    def member(self, made, name, child):
        other = self.random.choice([name.upper(), name.lower(), name[:1].swapcase() + name[1:], name.swapcase()])
        how = self.random.random()
        if how < 0.8:
            made[name] = self.value(child)
        elif how < 0.9:
            made[other] = self.value(child)
        else:
            # Two spellings, of which the exact one counts; or two others, which both do.
            made[other] = self.value(child)
            made[self.random.choice([name, name.title()])] = self.value(child)

    def payload(self, node, missing):
        if self.chance(missing):
            # Text that holds JSON is not among these: our decoder parses such a payload, the reference a part of them.
            return self.random.choice([None, None, {}, [], 7, "text"])
        return self.members(node)

    def record(self, source, name, roots):
        record = {
            "eventVersion": "1.09",
            "eventID": str(self.random.getrandbits(64)),
            "eventTime": "2026-03-02T09:00:00Z",
            "eventSource": source,
            "eventName": name,
            "awsRegion": self.random.choice(REGIONS),
            "recipientAccountId": ACCOUNT,
            "requestParameters": self.payload(roots["requestParameters"], 0.05),
            "responseElements": self.payload(roots["responseElements"], 0.4),
        }
        if roots["additionalEventData"].below:
            data = self.payload(roots["additionalEventData"], 0.3)
            record["additionalEventData"] = json.dumps(data) if isinstance(data, dict) and self.chance(0.3) else data
        for member in ("requestParameters", "responseElements"):
            if self.chance(0.02):
                del record[member]
        if self.chance(0.03):
            record["errorCode"] = self.random.choice(["AccessDenied", "", None])
        return record


def is_customers_alias(key):
    name = key.rsplit(":", 1)[-1]
    return name.startswith("alias/") and not name.startswith("alias/aws/")


def expected(reference, record):
    """What the reference says, in our words; `None` where it does not know what to say."""
    state = {(ACCOUNT, region): key for region, key in DEFAULTS.items()}
    told = []
    for rule, kind, key in reference.evaluate(record, KEYS, state):
        # An empty key in a response: the reference has no kind for it, nor goes on to what absence means.
        if kind == "EMPTY/resp":
            return None
        # A call that must name a key, and one that leaves it as it is: no choice was made.
        if kind in ("MISSING", "UNCHANGED"):
            continue
        # What is no text is no key. With the account's default the reference gives that key, or says "assumed
        # default"; we are told it when the choice is resolved.
        if not isinstance(key, str) or key == "" or kind == "DK-IMPLICIT" or key == ACCOUNTS_OWN:
            key = None
        # A customer's alias is on a customer's key (DOMAIN C.2); the reference waits to hear of it.
        if kind.startswith("PENDING") and is_customers_alias(key):
            kind = kind.replace("PENDING", "CMK")
        told.append((rule, kind, key))
    return told


def write(reference, record):
    told = expected(reference, record)
    if told is not None:
        print(json.dumps(told), json.dumps(record), sep="\t")


def main():
    domain, corpus, each = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sys.path.insert(0, domain)
    sys.dont_write_bytecode = True
    import ref_eval as reference

    print(json.dumps({"keys": KEYS, "defaults": DEFAULTS}))
    for path in sorted(glob.glob(os.path.join(corpus, "*.ndjson"))):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                write(reference, json.loads(line))
    generator = Generator(SEED)
    for (source, name), rows in reference.BY.items():
        # Of an event that several rows look at, each one gets its share of records.
        roots = shape(rows)
        for _ in range(each * len(rows)):
            write(reference, generator.record(source, name, roots))


if __name__ == "__main__":
    main()
