#!/usr/bin/env python3
"""Writes the CloudTrail logs of Larkspur Books, an invented company: two ordinary days and a few bad hours.

    python3 samples/generate.py            rewrite samples/AWSLogs/
    python3 samples/generate.py --check    exit 1 when the files on disk differ from what would be written
    python3 samples/generate.py --story    list what happens, and the file each thing landed in

Nothing here is random from one run to the next: every file is drawn from a generator seeded with its own
name, so a file changes only when the data below it changes.
"""
import argparse
import base64
import copy
import gzip
import hashlib
import json
import math
import random
import shutil
import string
import struct
import sys
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
ORG, TRAIL, BUCKET = "o-exampleorgid", "larkspur-org-trail", "larkspur-trail-example"
PROD_TRAIL = "larkspur-prod-trail"  # prod's own, beside the organisation's

# ---------------------------------------------------------------------------------------------------------
# The house: accounts, keys, people and programs
# ---------------------------------------------------------------------------------------------------------

PROD, DATA, SECURITY, DEV = "111122223333", "444455556666", "777788889999", "123456789012"
FOXGLOVE = "888888888888"  # Foxglove Print, a partner: its own trail is not in this bucket
STRANGER = "555555555555"  # nobody we know
AWS_OWN = "999988887777"  # an account of AWS itself, holding an AWS-owned key

MEMBERS = (PROD, DATA, SECURITY, DEV)

US, EU = "us-east-1", "eu-west-1"
PROD_US, PROD_EU, DATA_US, DATA_EU = (PROD, US), (PROD, EU), (DATA, US), (DATA, EU)
SECURITY_US, DEV_US = (SECURITY, US), (DEV, US)

KEYS = {  # name: (account, region, key id)
    "orders": (PROD, US, "424b1fee-9709-4315-85d9-5954058b4714"),
    "catalog": (PROD, US, "70ad2ccd-03bb-405b-a04f-14a7b6d801b2"),
    "checkout": (PROD, US, "126e79e2-e6ca-41d6-a1ad-bc4e10bfa287"),
    "checkout-v2": (PROD, US, "d0e414d9-68ed-4851-9ae0-a30dfef64997"),
    "gift-cards": (PROD, US, "69168fc1-fff7-413d-96fc-df860b1ab892"),
    "newsletter": (PROD, US, "5108d45a-3a0b-4176-82fd-502cdbf880d8"),
    "royalties": (PROD, US, "ee8f6454-f178-4ec7-b609-912fe2e7a724"),  # EXTERNAL: we bring the material
    "wishlist": (PROD, US, "8b2ca91d-90c0-4942-a2b0-3aa0e169d43b"),
    "secrets": (PROD, US, "ceb309b8-8ec1-4b9e-873a-50eaddc1221e"),
    "disks": (PROD, US, "e4a8e902-76fc-4fd7-abcb-b9cda4dbb9a7"),
    "databases": (PROD, US, "5eefa39c-eee5-4c7b-8db8-46c31a728415"),
    "logs": (PROD, US, "90c79624-35b6-46d8-9b24-c0402596d24a"),
    "archive-2019": (PROD, US, "ec077ad4-aec7-44b1-a8b4-406c0190f12c"),
    "invoices": (PROD, EU, "86db12bb-89d6-4221-bf84-934e09ee1846"),
    "disks-eu": (PROD, EU, "27c059b8-6d14-4590-8f22-4e163df5316f"),
    "secrets-eu": (PROD, EU, "69377157-94d8-43a6-9340-586349ad7eae"),
    "lake": (DATA, US, "6bbb9d0d-2409-45b9-94e2-cdd25e786c44"),
    "trail": (SECURITY, US, "e6c18431-290b-4ebb-a0ee-b1d0d5aca2e3"),
    "cards-dev": (DEV, US, "9a4a7d52-6c1f-4f0e-8b1d-3d5e8c2b7f96"),
    # AWS-managed keys: nothing in the records says so until somebody names their alias
    "aws/ssm": (PROD, US, "dd9eb009-40f7-4ae5-9789-8e6e4f990940"),
    "aws/secretsmanager": (PROD, US, "b5d5e8a3-6cc6-4f3d-b09f-6a453fba8475"),
    "aws/rds": (PROD, US, "801355eb-05d9-4d51-a25f-f36ce5fe4bfa"),
    "aws/lambda": (PROD, US, "48425120-21f1-44e2-8bf2-b01c26282366"),
    "aws/ssm in eu": (PROD, EU, "b96cc65d-21da-4197-877f-15a3de836a00"),
    "aws/s3": (DATA, US, "edfb6e83-b531-4ad8-9879-147d0ad83440"),
    "aws/rds in dev": (DEV, US, "a5c2e7f4-1d96-4b3a-8e70-6f9d2b41c835"),
    "aws/ebs": (DEV, US, "8d2b3b1d-d2c7-49c7-af39-0b80b81a4d09"),
    # other people's keys
    "foxglove": (FOXGLOVE, US, "5f5cf9b5-7e80-4ebb-be07-f0d4bdd839ec"),
    "stranger": (STRANGER, US, "0016157b-7e26-4277-b803-02ab60676871"),
    "stranger-2": (STRANGER, US, "e1bc3319-334c-4672-9365-3ed6872edb3f"),
    "dsql": (AWS_OWN, US, "9cea59f5-6289-44bd-981c-b08114e43d3c"),
}


def key_id(name):
    return KEYS[name][2]


def key_arn(name):
    account, region, id_ = KEYS[name]
    return f"arn:aws:kms:{region}:{account}:key/{id_}"


def alias_arn(account, region, alias):
    return f"arn:aws:kms:{region}:{account}:alias/{alias}"


@dataclass(frozen=True)
class Actor:
    name: str
    kind: str  # role, sso, user, foreign
    account: str
    session: str = ""
    ip: str = "10.20.4.17"
    agent: str = ""
    access_key: str = "ASIAIOSFODNN7EXAMPLE"
    console: bool = False


CLI = "aws-cli/2.24.10 md/awscrt#0.23.8 ua/2.1 os/linux#6.1.128 md/arch#x86_64 lang/python#3.12.9 md/installer#exe"
BOTO = "Boto3/1.36.21 md/Botocore#1.36.21 ua/2.0 os/linux#6.1.128 md/arch#aarch64 lang/python#3.12.9 Botocore/1.36.21"
JAVA = "aws-sdk-java/2.30.16 md/io#sync md/http#Apache ua/2.1 os/Linux#6.1.128 lang/java#21.0.6 exec-env/AWS_ECS_FARGATE"
GO = "aws-sdk-go-v2/1.36.1 ua/2.1 os/linux lang/go#1.23.6 md/GOOS#linux md/GOARCH#arm64"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.10.5 (+https://www.terraform.io) terraform-provider-aws/5.86.0 " + GO
NITRO = "aws-nitro-enclaves-sdk-c/0.4.2"
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36"
CONSOLE = "AWS Internal"  # what the KMS console writes as its user agent, beside a real IP address

CAST = {
    # programs in prod
    "catalog-api": Actor("CatalogApi", "role", PROD, "i-0c9d812c0cfa2790f", "10.20.4.17", JAVA),
    "checkout": Actor("CheckoutFn", "role", PROD, "checkout", "10.20.8.31", BOTO),
    "gift-cards": Actor("GiftCards", "role", PROD, "gift-cards", "10.20.8.44", BOTO),
    "newsletter": Actor("NewsletterWorker", "role", PROD, "newsletter", "10.20.9.12", BOTO),
    "invoice-app": Actor("InvoiceApp", "role", PROD, "7d1f0c5e2b9a4c68", "10.40.2.9", JAVA),
    "shop-nodes": Actor("ShopNodes", "role", PROD, "i-0b51d6a2f3c47e980", "10.20.12.5", GO),
    "terraform": Actor("TerraformDeploy", "role", PROD, "ci-run-4711", "198.51.100.20", TERRAFORM),
    "policy-test": Actor("CiPolicyTest", "role", PROD, "ci-run-4712", "198.51.100.20", BOTO),
    "scanner": Actor("LarkspurScanner", "role", PROD, "hourly-scan", "10.90.1.4", BOTO),
    "disk-service": Actor("aws:ec2-infrastructure", "role", PROD, "i-0b51d6a2f3c47e980"),
    # programs elsewhere
    "reports": Actor("ReportsEtl", "role", DATA, "nightly-orders", "10.60.3.21", BOTO),
    "analyst": Actor("AWSReservedSSO_Analyst_5d2e8b7f0a1c4396", "sso", DATA, "noor@example.com", "192.0.2.51", CLI),
    "auditor": Actor("LarkspurAudit", "role", SECURITY, "audit", "10.90.1.4", BOTO),
    "card-vault": Actor("CardVaultDev", "role", DEV, "i-0f4c1d7e2a9b63058", "10.70.5.12", NITRO),
    "dev": Actor("AWSReservedSSO_PowerUser_9b3d6e1f7a2c5048", "sso", DEV, "tomas@example.com", "192.0.2.77", BROWSER, console=True),
    # people in prod
    "maya": Actor("AWSReservedSSO_AdministratorAccess_3f1c9a7e5b2d4860", "sso", PROD, "maya@example.com", "192.0.2.14", CLI),
    "tomas": Actor("AWSReservedSSO_Support_71c4e9d2b6f03a58", "sso", PROD, "tomas@example.com", "192.0.2.77", CLI),
    "priya": Actor("priya", "user", PROD, ip="192.0.2.33", agent=CONSOLE, console=True),
    # long-term keys: no session, so no MFA to speak of
    "cleanup-script": Actor("newsletter-cleanup", "user", PROD, ip="198.51.100.61", agent=CLI, access_key="AKIAIOSFODNN7EXAMPLE"),
    "leaked-key": Actor("legacy-batch", "user", PROD, ip="203.0.113.66", agent=BOTO, access_key="AKIAI44QH8DHBEXAMPLE"),
    # callers from outside: we only ever see the owner's copy of what they do
    "foxglove": Actor("FoxglovePrintJobs", "foreign", FOXGLOVE, "print-job", "203.0.113.20", JAVA),
    "collector": Actor("Collector", "foreign", STRANGER, "collector", "203.0.113.67", BOTO),
}

# ---------------------------------------------------------------------------------------------------------
# The story: what is not ordinary. Times are March 2026, UTC.
# ---------------------------------------------------------------------------------------------------------


@dataclass
class Beat:
    at: str  # "02 09:00:00"
    where: tuple  # (account, region) whose trail gets the record
    family: str
    what: str
    who: str  # in CAST, "svc:x" for a service on its own, "kms" for KMS's own events
    call: str  # "kms:DisableKey"
    request: dict | str | None = None
    keys: tuple = ()  # names in KEYS (or whole ARNs): they become `resources`
    response: dict | None = None
    via: str = ""  # the service that made the call for the actor
    error: tuple = ()  # (code, message)
    times: int = 1
    mfa_age: int = 0  # seconds since the session's MFA; 0: no MFA
    more: dict = field(default_factory=dict)  # members that the rest does not make


CRITICAL, CROSS, CONTEXT, DEFAULT, SHAPE = "critical-action", "cross-account", "encryption-context", "default-key", "shape"
BLIND, WEAKENED, ENCLAVE, POLICY = "trail", "encryption-weakened", "enclave", "key-policy"
PLAIN = "SYMMETRIC_DEFAULT"
S3_FAS = "fas.s3.amazonaws.com"  # how S3 signs its calls on a user's behalf since 2026


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


ROOT_ALL = {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{PROD}:root"}, "Action": "kms:*",
            "Resource": "*"}
CATALOG_USE = {"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{PROD}:role/CatalogApi"},
               "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*"}
OURS_ONLY = {"Sid": "OursOnly", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
             "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": ORG},
                           "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}}
ORDERS_USE = {"Sid": "Reports", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{DATA}:role/ReportsEtl"},
              "Action": "kms:Decrypt", "Resource": "*"}
ORDERS_PRINT = {"Sid": "Print", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FOXGLOVE}:role/FoxglovePrintJobs"},
                "Action": "kms:Decrypt", "Resource": "*",
                "Condition": {"StringEquals": {"kms:EncryptionContext:order": "print"}}}
NEARLY_ALL = {"Sid": "PowerUser", "Effect": "Allow", "Resource": "*",  # for a batch job, and so for whoever has its key
              "NotAction": ["iam:*", "organizations:*", "account:*", "kms:ScheduleKeyDeletion"]}
OPEN_TO_ALL = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}


def denied(who, action, key, why):
    """An AccessDenied of KMS: the request is gone, the key stands in the message only."""
    return ("AccessDenied", f"User: {principal_arn(CAST[who])} is not authorized to perform: kms:{action} "
                            f"on resource: {key_arn(key)} because {why} allows the kms:{action} action")


def key_metadata(name, created, origin="AWS_KMS", state="Enabled", description=""):
    return {"keyMetadata": {"aWSAccountId": KEYS[name][0], "keyId": key_id(name), "arn": key_arn(name), "creationDate": created,
                            "enabled": state == "Enabled", "description": description, "keyUsage": "ENCRYPT_DECRYPT",
                            "keyState": state, "origin": origin, "keyManager": "CUSTOMER", "customerMasterKeySpec": PLAIN,
                            "keySpec": PLAIN, "encryptionAlgorithms": [PLAIN], "multiRegion": False}}


def create_key(description, origin="AWS_KMS", tags=()):
    return {"bypassPolicyLockoutSafetyCheck": False, "description": description, "keyUsage": "ENCRYPT_DECRYPT", "keySpec": PLAIN,
            "customerMasterKeySpec": PLAIN, "origin": origin, "multiRegion": False, "policy": policy(ROOT_ALL), "tags": list(tags)}


def put_policy(key, text, bypass=False):
    return {"keyId": key_arn(key), "policyName": "default", "policy": text, "bypassPolicyLockoutSafetyCheck": bypass}


def record_all_but(*services):
    """A PutEventSelectors on prod's own trail: all management events, but those of some services."""
    chosen = {"eventSelectors": [{"readWriteType": "All", "includeManagementEvents": True, "dataResources": [],
                                  "excludeManagementEventSources": list(services)}]}
    return {"request": {"trailName": PROD_TRAIL, **chosen}, "response": {"trailARN": trail_arn(PROD, PROD_TRAIL), **chosen}}


def trail_arn(account, name):
    return f"arn:aws:cloudtrail:{US}:{account}:trail/{name}"


def attested(key, image):
    """What KMS notes of an enclave. Debug mode has no image to measure: its registers are zero."""
    parts = [hashlib.sha384(f"larkspur {image} {part}".encode()).digest() if image else bytes(48) for part in range(3)]
    host = [hashlib.sha384(f"larkspur card vault {part}".encode()).digest() for part in ("role", "instance")]
    names = ("ImageDigest", "PCR1", "PCR2", "PCR3", "PCR4")
    registers = {f"attestationDocumentEnclave{n}": base64.b64encode(v).decode() for n, v in zip(names, parts + host)}
    module = f"{CAST['card-vault'].session}-enc{hashlib.sha256(f'larkspur {image}'.encode()).hexdigest()[:16]}"
    return {"additionalEventData": {"keyMaterialId": material(key),
                                    "recipient": {"attestationDocumentModuleId": module, **registers}}}


def use(key=None, **context):
    """Request of an Encrypt or Decrypt. A Decrypt need not name its key: the ciphertext knows it."""
    return {"encryptionAlgorithm": PLAIN, **({"encryptionContext": context} if context else {}), **({"keyId": key} if key else {})}


def data_key(key, context):
    return {"keyId": key, "keySpec": "AES_256", "encryptionContext": context}


def parameter(name, account=PROD, region=US):
    return {"PARAMETER_ARN": f"arn:aws:ssm:{region}:{account}:parameter{name}"}


def secret_arn(name, account=PROD, region=US):
    return f"arn:aws:secretsmanager:{region}:{account}:secret:{name}"


def volume(size, key):
    return {"size": str(size), "zone": "us-east-1a", "volumeType": "gp3", "encrypted": True, "kmsKeyId": key}


def volume_made(id_, size, key):
    return {"volumeId": id_, "status": "creating", **volume(size, key_arn(key))}


def database(name, key=None):
    return {"dBInstanceIdentifier": name, "engine": "postgres", "dBInstanceClass": "db.r7g.large", "allocatedStorage": 100,
            "masterUsername": "larkspur", "masterUserPassword": "HIDDEN_DUE_TO_SECURITY_REASONS", "storageEncrypted": True,
            **({"kmsKeyId": key} if key else {})}


def database_made(name, key):
    account, region, _ = KEYS[key]
    return {"dBInstanceArn": f"arn:aws:rds:{region}:{account}:db:{name}", "dBInstanceIdentifier": name, "storageEncrypted": True,
            "kmsKeyId": key_arn(key)}


def bucket_encryption(bucket, key):
    return {"bucketName": bucket, "Host": f"{bucket}.s3.amazonaws.com", "encryption": "",
            "ServerSideEncryptionConfiguration": {"xmlns": "http://s3.amazonaws.com/doc/2006-03-01/", "Rule": {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
                "BucketKeyEnabled": "true"}}}


def s3_object(name, key):
    return {"bucketName": name, "key": key, "Host": f"{name}.s3.amazonaws.com"}


def onto_itself(bucket, path):
    """An object is copied to where it is: only how it is encrypted changes."""
    return {**s3_object(bucket, path), "x-amz-copy-source": f"{bucket}/{path}"}


def under_key(key):
    """The request headers that ask S3 to encrypt under a key."""
    return {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key_arn(key)}


def sse_applied(how):
    return {"additionalEventData": {"SignatureVersion": "SigV4", "CipherSuite": "TLS_AES_128_GCM_SHA256", "bytesTransferredIn": 0,
                                    "SSEApplied": how, "AuthenticationMethod": "AuthHeader", "bytesTransferredOut": 274}}


CLIENT_KEY = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}  # ... under one that the caller sends along


def rotation_details(key):
    return {"serviceEventDetails": {"keyId": key_id(key), "rotationType": "AUTOMATIC", "keyOrigin": "AWS_KMS",
                                    "previousKeyMaterialId": material(key, 1), "currentKeyMaterialId": material(key, 2)}}


def material(key, generation=1):
    return hashlib.sha256(f"larkspur material {key} {generation}".encode()).hexdigest()


def principal_arn(actor):
    if actor.kind == "user":
        return f"arn:aws:iam::{actor.account}:user/{actor.name}"
    return f"arn:aws:sts::{actor.account}:assumed-role/{actor.name}/{actor.session}"


def at_time(text):
    return datetime.strptime("2026-03-" + text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)


def java_date(t):
    """A date inside a record as Java's locale writes it: a narrow no-break space before AM."""
    t = at_time(t) if isinstance(t, str) else t
    return f"{t:%b} {t.day}, {t.year}, {t.hour % 12 or 12}:{t:%M:%S}\u202f{t:%p}"


ROTATED = at_time("02 20:00:12")  # orders gets new material
ONE_SECRET, ONE_VERSION = secret_arn("shop/stripe-3kQ9Zd"), "2849c79d-e0b2-42c6-8e7b-566c6526005d"
RETURNS, ANOTHER_VERSION = secret_arn("shop/returns-Vb6Kp4"), "c0b51d3e-7f68-4a92-9d04-1be7a3c5f286"

NEWSLETTER = [  # a tidy-up script with a long-term key goes too far; an administrator takes it back
    Beat("02 09:00:00", PROD_US, CRITICAL, "a clean-up script schedules the newsletter key's deletion in seven days, no MFA",
         "cleanup-script", "kms:ScheduleKeyDeletion", {"keyId": key_id("newsletter"), "pendingWindowInDays": 7}, ("newsletter",),
         {"keyId": key_arn("newsletter"), "keyState": "PendingDeletion", "deletionDate": java_date("09 09:00:00"),
          "pendingWindowInDays": 7}),
    Beat("02 09:04:20", PROD_US, CRITICAL, "the newsletter worker finds its key pending deletion", "newsletter", "kms:Decrypt",
         use(list="spring"), ("newsletter",), times=3,
         error=("KMSInvalidStateException", f"{key_arn('newsletter')} is pending deletion.")),
    Beat("02 11:20:31", PROD_US, CRITICAL, "Maya cancels the deletion", "maya", "kms:CancelKeyDeletion",
         {"keyId": key_id("newsletter")}, ("newsletter",), {"keyId": key_arn("newsletter")}),
    Beat("02 11:21:05", PROD_US, CRITICAL, "... and enables the key, which cancelling leaves disabled", "maya", "kms:EnableKey",
         {"keyId": key_id("newsletter")}, ("newsletter",)),
]

WISHLISTS = f"arn:aws:dynamodb:{US}:{PROD}:table/wishlists"
BUILDING = [  # the platform team at work
    Beat("02 09:31:02", PROD_US, CRITICAL, "Terraform makes the wishlist key", "terraform", "kms:CreateKey",
         create_key("Wish lists", tags=[{"tagKey": "team", "tagValue": "shop"}]), ("wishlist",),
         key_metadata("wishlist", java_date("02 09:31:02"), description="Wish lists")),
    Beat("02 09:31:04", PROD_US, CRITICAL, "... gives it an alias", "terraform", "kms:CreateAlias",
         {"aliasName": "alias/larkspur/wishlist", "targetKeyId": key_id("wishlist")},
         ("wishlist", alias_arn(PROD, US, "larkspur/wishlist"))),
    Beat("02 09:31:05", PROD_US, CRITICAL, "... tags it", "terraform", "kms:TagResource",
         {"keyId": key_id("wishlist"), "tags": [{"tagKey": "tier", "tagValue": "2"}]}, ("wishlist",)),
    Beat("02 09:31:06", PROD_US, CRITICAL, "... and turns its rotation on", "terraform", "kms:EnableKeyRotation",
         {"keyId": key_id("wishlist"), "rotationPeriodInDays": 365}, ("wishlist",)),
    Beat("02 09:31:40", PROD_US, "quiet", "... a table under it", "terraform", "dynamodb:CreateTable",
         {"tableName": "wishlists", "billingMode": "PAY_PER_REQUEST", "keySchema": [{"attributeName": "id", "keyType": "HASH"}],
          "attributeDefinitions": [{"attributeName": "id", "attributeType": "S"}],
          "sSESpecification": {"enabled": True, "sSEType": "KMS", "kMSMasterKeyId": key_arn("wishlist")}},
         response={"tableDescription": {"tableName": "wishlists", "tableStatus": "CREATING", "tableArn": WISHLISTS}},
         more={"resources": [{"accountId": PROD, "type": "AWS::DynamoDB::Table", "ARN": WISHLISTS}],
               "apiVersion": "2012-08-10"}),
    Beat("02 09:32:04", PROD_US, "quiet", "... a queue, by its alias", "terraform", "sqs:CreateQueue",
         {"queueName": "wishlist-mail", "attributes": {"KmsMasterKeyId": "alias/larkspur/wishlist"}},
         response={"queueUrl": f"https://sqs.{US}.amazonaws.com/{PROD}/wishlist-mail"}),
    Beat("02 09:32:21", PROD_US, "quiet", "... a log group", "terraform", "logs:CreateLogGroup",
         {"logGroupName": "/shop/wishlist", "kmsKeyId": key_arn("wishlist"), "logGroupClass": "STANDARD"}),
    Beat("02 09:33:10", PROD_US, "quiet", "... and an IAM policy for that key alone", "terraform", "iam:PutRolePolicy",
         {"roleName": "ShopNodes", "policyName": "wishlist-key", "policyDocument": policy(
             {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key_arn("wishlist")})}),
    Beat("02 09:34:26", PROD_US, POLICY, "the same pipeline lets the batch job's user do nearly everything, with all keys",
         "terraform", "iam:PutUserPolicy",
         {"userName": "legacy-batch", "policyName": "batch-power-user", "policyDocument": policy(NEARLY_ALL)}),
    Beat("02 09:36:40", PROD_US, CRITICAL, "CloudFormation writes the catalog key's policy: ours only, says a Deny", "terraform",
         "kms:PutKeyPolicy",
         put_policy("catalog", policy(ROOT_ALL, CATALOG_USE, OURS_ONLY)), ("catalog",), via="cloudformation.amazonaws.com"),
    Beat("02 09:37:05", PROD_US, POLICY, "... and the orders key's, which lets Foxglove's print jobs decrypt", "terraform",
         "kms:PutKeyPolicy",
         put_policy("orders", policy(ROOT_ALL, ORDERS_USE, ORDERS_PRINT)), ("orders",), via="cloudformation.amazonaws.com"),
    Beat("02 10:08:15", PROD_US, CRITICAL, "Maya makes a key for imported material", "maya", "kms:CreateKey",
         create_key("Royalties, our own material", "EXTERNAL"), ("royalties",),
         key_metadata("royalties", java_date("02 10:08:15"), "EXTERNAL", "PendingImport", "Royalties, our own material")),
    Beat("02 10:09:30", PROD_US, CRITICAL, "... asks for its import parameters", "maya", "kms:GetParametersForImport",
         {"keyId": key_id("royalties"), "wrappingAlgorithm": "RSAES_OAEP_SHA_256", "wrappingKeySpec": "RSA_4096"}, ("royalties",)),
    Beat("02 10:10:00", PROD_US, CRITICAL, "... and imports material that expires in twelve hours", "maya", "kms:ImportKeyMaterial",
         {"keyId": key_id("royalties"), "expirationModel": "KEY_MATERIAL_EXPIRES", "validTo": java_date("02 22:10:00")},
         ("royalties",)),
    Beat("02 22:10:44", PROD_US, CRITICAL, "the imported material expires", "kms", "kms:DeleteExpiredKeyMaterial",
         keys=("royalties",),
         more={"serviceEventDetails": {"keyId": key_id("royalties")}}),
    Beat("02 10:07:10", PROD_US, "quiet", "the checkout encrypts by its alias", "checkout", "kms:Encrypt",
         use("alias/larkspur/checkout", cart="books-us"), ("checkout",), times=4),
    Beat("02 16:07:10", PROD_US, "quiet", "... and keeps doing so after Maya's change, not knowing", "checkout", "kms:Encrypt",
         use("alias/larkspur/checkout", cart="books-us"), ("checkout-v2",), times=4),
    Beat("02 13:15:22", PROD_US, CRITICAL, "Maya points alias/larkspur/checkout at another key", "maya", "kms:UpdateAlias",
         {"aliasName": "alias/larkspur/checkout", "targetKeyId": key_id("checkout-v2")},
         (alias_arn(PROD, US, "larkspur/checkout"), "checkout-v2")),
    Beat("02 17:10:09", PROD_US, SHAPE, "a policy test in CI decrypts with dryRun", "policy-test", "kms:Decrypt",
         {**use(key_arn("orders")), "dryRun": True}, ("orders",), times=2,
         error=("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")),
    Beat("02 13:08:20", DEV_US, ENCLAVE, "dev's card vault is tried in an enclave in debug mode", "card-vault", "kms:Decrypt",
         use(key_arn("cards-dev")), ("cards-dev",), times=2, more=attested("cards-dev", None)),
    Beat("02 16:08:20", DEV_US, "quiet", "... and in one that is attested", "card-vault", "kms:Decrypt",
         use(key_arn("cards-dev")), ("cards-dev",), times=2, more=attested("cards-dev", "card vault 1")),
    Beat("03 12:07:10", PROD_US, "quiet", "Tomas deletes the wish list's log group, it is full of debug lines", "tomas",
         "logs:DeleteLogGroup", {"logGroupName": "/shop/wishlist"}),
    Beat("03 12:08:02", PROD_US, WEAKENED, "... and the shop makes it again, without its key", "shop-nodes",
         "logs:CreateLogGroup", {"logGroupName": "/shop/wishlist", "logGroupClass": "STANDARD"}),
    Beat("02 20:00:12", PROD_US, CRITICAL, "KMS rotates the orders key by itself", "kms", "kms:RotateKey", keys=("orders",),
         more=rotation_details("orders")),
    Beat("03 01:30:07", PROD_US, CRITICAL, "KMS deletes the 2019 archive key, scheduled weeks ago, and says so twice", "kms",
         "kms:DeleteKey", keys=("archive-2019",), times=2),
]

GIFT_CARDS = [  # a key switched off in the console, and who notices
    Beat("02 08:07:30", PROD_US, "quiet", "gift cards are sold: their key is in daily use", "gift-cards", "kms:GenerateDataKey",
         data_key(key_arn("gift-cards"), {"tenant": "books-us", "purpose": "gift-card"}), ("gift-cards",), times=5),
    Beat("02 14:02:10", PROD_US, CRITICAL, "Priya signs in with MFA", "priya", "signin:ConsoleLogin",
         response={"ConsoleLogin": "Success"}, mfa_age=1,
         more={"additionalEventData": {"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No",
                                       "MFAUsed": "Yes"}}),
    Beat("02 14:03:44", PROD_US, CRITICAL, "... and disables the gift-card key in the console, MFA 95 seconds old", "priya",
         "kms:DisableKey", {"keyId": key_id("gift-cards")}, ("gift-cards",), mfa_age=95),
    Beat("02 14:05:02", PROD_US, CRITICAL, "gift cards fail: the key is disabled", "gift-cards", "kms:GenerateDataKey",
         data_key(key_arn("gift-cards"), {"tenant": "books-us", "purpose": "gift-card"}), ("gift-cards",), times=4,
         error=("DisabledException", f"{key_arn('gift-cards')} is disabled.")),
    Beat("02 14:07:02", PROD_US, CRITICAL, "... and once more, in the error's short spelling", "gift-cards", "kms:Decrypt",
         use(tenant="books-us", purpose="gift-card"), ("gift-cards",), error=("Disabled", f"{key_arn('gift-cards')} is disabled.")),
    Beat("02 14:26:51", PROD_US, CRITICAL, "Priya enables the key again", "priya", "kms:EnableKey",
         {"keyId": key_id("gift-cards")}, ("gift-cards",), mfa_age=1482),
]

DEFAULTS = [  # default keys taken, and beside each the same thing done with a key of one's own
    Beat("02 09:48:13", DEV_US, DEFAULT, "Tomas makes a volume under alias/aws/ebs", "dev", "ec2:CreateVolume",
         volume(50, "alias/aws/ebs"), response=volume_made("vol-0d3f6b1a9c82e4075", 50, "aws/ebs")),
    Beat("02 09:52:48", PROD_US, "quiet", "Terraform makes a volume under the disks key", "terraform", "ec2:CreateVolume",
         volume(200, key_arn("disks")), response=volume_made("vol-0894f908458cca170", 200, "disks")),
    Beat("02 10:40:06", PROD_US, DEFAULT, "Tomas stores a parameter without naming a key", "tomas", "ssm:PutParameter",
         {"name": "/shop/smtp", "type": "SecureString", "value": "HIDDEN_DUE_TO_SECURITY_REASONS", "overwrite": True},
         response={"version": 4, "tier": "Standard"}),
    Beat("02 10:40:06", PROD_US, DEFAULT, "... so SSM encrypts under alias/aws/ssm: the first time its key can be told", "tomas",
         "kms:Encrypt", use("alias/aws/ssm", **parameter("/shop/smtp")), ("aws/ssm",), via="AWS Internal"),
    Beat("02 15:10:37", PROD_US, DEFAULT, "Terraform makes a database under alias/aws/rds", "terraform", "rds:CreateDBInstance",
         database("reviews", alias_arn(PROD, US, "aws/rds")), response=database_made("reviews", "aws/rds")),
    Beat("02 15:11:20", PROD_US, "quiet", "... and one under the databases key", "terraform", "rds:CreateDBInstance",
         database("orders-3", key_arn("databases")), response=database_made("orders-3", "databases")),
    Beat("02 16:09:12", DEV_US, DEFAULT, "Tomas makes a database in dev and names no key", "dev", "rds:CreateDBInstance",
         database("playground"), response=database_made("playground", "aws/rds in dev")),
    Beat("02 17:30:18", DATA_US, DEFAULT, "Noor sets alias/aws/s3 as a bucket's key", "analyst", "s3:PutBucketEncryption",
         bucket_encryption("larkspur-scratch-example", "alias/aws/s3")),
    Beat("02 17:33:41", DATA_US, "quiet", "... and the lake key on another bucket", "analyst", "s3:PutBucketEncryption",
         bucket_encryption("larkspur-lake-example", key_arn("lake"))),
    Beat("02 17:34:30", DATA_US, WEAKENED, "... deletes that setting, meaning another bucket's", "analyst",
         "s3:DeleteBucketEncryption",
         {"bucketName": "larkspur-lake-example", "Host": "larkspur-lake-example.s3.amazonaws.com", "encryption": ""}),
    Beat("02 17:35:38", DATA_US, "quiet", "... and puts it back", "analyst", "s3:PutBucketEncryption",
         bucket_encryption("larkspur-lake-example", key_arn("lake"))),
    Beat("03 09:20:55", PROD_US, DEFAULT, "Tomas makes a secret under alias/aws/secretsmanager", "tomas",
         "secretsmanager:CreateSecret",
         {"name": "shop/courier", "clientRequestToken": ONE_VERSION, "kmsKeyId": "alias/aws/secretsmanager"},
         response={"arn": secret_arn("shop/courier-Xy7Pq2")}),
    Beat("03 09:20:55", PROD_US, DEFAULT, "... which teaches that key's id, a day after its first Decrypt", "tomas",
         "kms:GenerateDataKey",
         data_key("alias/aws/secretsmanager", {"SecretARN": secret_arn("shop/courier-Xy7Pq2"), "SecretVersionId": ONE_VERSION}),
         ("aws/secretsmanager",), via="secretsmanager.amazonaws.com"),
    Beat("03 09:24:10", PROD_US, "quiet", "... and a secret under the secrets key", "terraform", "secretsmanager:CreateSecret",
         {"name": "shop/tax", "clientRequestToken": "6f0d9a51-8c3e-4b27-9a14-d5e0c7b2f638", "kmsKeyId": "alias/larkspur/secrets"},
         response={"arn": secret_arn("shop/tax-8LmN4r")}),
    Beat("03 09:25:16", PROD_US, DEFAULT, "Tomas makes a third and names no key", "tomas", "secretsmanager:CreateSecret",
         {"name": "shop/returns", "clientRequestToken": ANOTHER_VERSION}, response={"arn": RETURNS}),
    Beat("03 09:25:16", PROD_US, DEFAULT, "... so Secrets Manager takes its own", "tomas", "kms:GenerateDataKey",
         data_key("alias/aws/secretsmanager", {"SecretARN": RETURNS, "SecretVersionId": ANOTHER_VERSION}),
         ("aws/secretsmanager",), via="secretsmanager.amazonaws.com"),
    Beat("03 14:08:30", PROD_US, DEFAULT, "Terraform moves the third to the secrets key: it is closed", "terraform",
         "secretsmanager:UpdateSecret", {"secretId": "shop/returns", "kmsKeyId": "alias/larkspur/secrets"},
         response={"arn": RETURNS, "name": "shop/returns"}),
    Beat("03 14:08:30", PROD_US, "quiet", "... which encrypts it anew", "terraform", "kms:GenerateDataKey",
         data_key("alias/larkspur/secrets", {"SecretARN": RETURNS, "SecretVersionId": ANOTHER_VERSION}),
         ("secrets",), via="secretsmanager.amazonaws.com"),
    Beat("03 16:07:40", PROD_US, DEFAULT, "Terraform makes a function whose variables are under who knows which key", "terraform",
         "lambda:CreateFunction20150331",
         {"functionName": "returns", "runtime": "python3.13", "handler": "returns.handle", "memorySize": 256, "timeout": 30,
          "role": f"arn:aws:iam::{PROD}:role/CheckoutFn", "environment": {}, "code": {}, "publish": False},
         response={"functionName": "returns", "functionArn": f"arn:aws:lambda:{US}:{PROD}:function:returns",
                   "runtime": "python3.13", "environment": {}, "state": "Pending"}),
    Beat("03 10:10:33", DATA_US, DEFAULT, "the report job writes to that bucket: GenerateDataKey names alias/aws/s3", "reports",
         "kms:GenerateDataKey",
         data_key(alias_arn(DATA, US, "aws/s3"), {"aws:s3:arn": "arn:aws:s3:::larkspur-scratch-example"}), ("aws/s3",), via=S3_FAS,
         times=3),
]

CONTEXTS = [  # who says what about the thing they decrypt
    Beat("02 16:25:19", PROD_US, CONTEXT, "Tomas decrypts a secret's ciphertext by hand, claiming to be Secrets Manager", "tomas",
         "kms:Decrypt", use(SecretARN=ONE_SECRET, SecretVersionId=ONE_VERSION), ("secrets",)),
    Beat("02 16:50:44", PROD_EU, CONTEXT, "the invoice app puts an access key id into its context", "invoice-app", "kms:Encrypt",
         use(key_arn("invoices"), tenant="books-eu", purpose="export", uploader="AKIAIOSFODNN7EXAMPLE"), ("invoices",), times=2),
    Beat("02 16:52:08", PROD_EU, CONTEXT, "... and a customer's e-mail address", "invoice-app", "kms:Encrypt",
         use(key_arn("invoices"), tenant="books-eu", purpose="receipt", customer="jane@example.com"), ("invoices",), times=3),
    Beat("03 08:40:26", PROD_US, CONTEXT, "the newsletter worker decrypts a parameter of an account nobody knows", "newsletter",
         "kms:Decrypt", use(**parameter("/mail/list", STRANGER)), ("newsletter",), via="AWS Internal"),
    Beat("03 08:43:50", PROD_US, CONTEXT, "CloudWatch Logs uses the logs key for a log group of the dev account", "svc:logs",
         "kms:GenerateDataKey",
         data_key(key_arn("logs"), {"aws:logs:arn": f"arn:aws:logs:{US}:{DEV}:log-group:/dev/shop"}), ("logs",)),
]

SHARE, COPY = "a1d7f3c2-58e4-4b09-9c6d-2f8e0b7a4d13", "snap-0e4f9a2b7c8d15063"
ATTACK = [  # a leaked long-term key, one night
    Beat("03 02:11:03", PROD_US, CRITICAL, "a stranger tries a leaked key: who am I?", "leaked-key", "sts:GetCallerIdentity"),
    Beat("03 02:11:20", PROD_US, SHAPE, "... lists the keys (resources: null)", "leaked-key", "kms:ListKeys", {"limit": 100},
         more={"resources": None}),
    Beat("03 02:11:41", PROD_US, CRITICAL, "... describes some", "leaked-key", "kms:DescribeKey", {"keyId": key_id("catalog")},
         ("catalog",), times=2),
    Beat("03 02:12:12", PROD_US, "quiet", "... and looks who is watching", "leaked-key", "cloudtrail:DescribeTrails",
         {"includeShadowTrails": True}),
    Beat("03 02:12:40", PROD_US, BLIND, "... may not stop the organisation's trail", "leaked-key", "cloudtrail:StopLogging",
         error=("AccessDenied", f"User: {principal_arn(CAST['leaked-key'])} is not authorized to perform: cloudtrail:StopLogging "
                                f"on resource: {trail_arn(SECURITY, TRAIL)} with an explicit deny in a service control policy")),
    Beat("03 02:13:18", PROD_US, BLIND, "... but takes KMS out of prod's own", "leaked-key", "cloudtrail:PutEventSelectors",
         **record_all_but("kms.amazonaws.com")),
    Beat("03 02:14:09", PROD_US, CRITICAL, "... may not schedule the orders key's deletion", "leaked-key",
         "kms:ScheduleKeyDeletion", error=denied("leaked-key", "ScheduleKeyDeletion", "orders", "no identity-based policy")),
    Beat("03 02:16:27", PROD_US, CRITICAL, "... opens the catalog key to everybody, past the lock-out check; the Deny is gone",
         "leaked-key",
         "kms:PutKeyPolicy", put_policy("catalog", policy(OPEN_TO_ALL), bypass=True), ("catalog",)),
    Beat("03 02:17:58", PROD_US, CRITICAL, "... grants it to a role of account 555555555555", "leaked-key", "kms:CreateGrant",
         {"keyId": key_arn("catalog"), "granteePrincipal": f"arn:aws:iam::{STRANGER}:role/collector",
          "operations": ["Decrypt", "GenerateDataKey", "CreateGrant"]},
         ("catalog",), {"grantId": material("stranger grant"), "keyId": key_arn("catalog")}),
    Beat("03 02:18:33", PROD_US, CRITICAL, "... and stops its rotation", "leaked-key", "kms:DisableKeyRotation",
         {"keyId": key_id("catalog")}, ("catalog",)),
    Beat("03 02:19:20", PROD_US, CROSS, "... and shares it through RAM, where no key policy shows it", "leaked-key",
         "ram:CreateResourceShare",
         {"name": "catalog-readers", "resourceArns": [key_arn("catalog")], "principals": [STRANGER],
          "allowExternalPrincipals": True, "clientToken": "{uuid}"},
         response={"resourceShare": {"resourceShareArn": f"arn:aws:ram:{US}:{PROD}:resource-share/{SHARE}",
                                     "name": "catalog-readers", "owningAccountId": PROD, "allowExternalPrincipals": True,
                                     "status": "ACTIVE", "featureSet": "STANDARD"}}),
    Beat("03 02:20:05", PROD_US, CROSS, "the stranger's account decrypts with the key it was granted", "collector", "kms:Decrypt",
         use(key_arn("catalog")), ("catalog",), times=2),
    Beat("03 02:22:14", PROD_US, CROSS, "book files are copied onto themselves under the stranger's key", "leaked-key",
         "s3:CopyObject", {**onto_itself("larkspur-catalog-example", "masters/{serial}.epub"), **under_key("stranger")}, times=6,
         more=sse_applied("SSE_KMS")),
    Beat("03 02:22:14", PROD_US, CROSS, "... S3 asks for data keys under it", "leaked-key", "kms:GenerateDataKey",
         data_key(key_arn("stranger"), {"aws:s3:arn": "arn:aws:s3:::larkspur-catalog-example/masters/{serial}.epub"}),
         ("stranger",),
         via=S3_FAS, times=6),
    Beat("03 02:23:40", PROD_US, CROSS, "... one Encrypt goes straight to it", "leaked-key", "kms:Encrypt",
         use(key_arn("stranger")), ("stranger",)),
    Beat("03 02:24:22", PROD_US, CROSS, "ciphertexts move from the checkout key to the stranger's", "leaked-key", "kms:ReEncrypt",
         {"sourceEncryptionAlgorithm": PLAIN, "destinationEncryptionAlgorithm": PLAIN, "sourceKeyId": key_arn("checkout"),
          "destinationKeyId": key_arn("stranger"),
          "sourceEncryptionContext": {"cart": "books-us"}, "destinationEncryptionContext": {"cart": "books-us"}},
         ("checkout", "stranger"), times=2),
    Beat("03 02:25:02", PROD_US, CROSS, "a snapshot of the shop's disk is copied under the stranger's key", "leaked-key",
         "ec2:CopySnapshot",
         {"sourceRegion": US, "sourceSnapshotId": "snap-0c7d21b9e64f58a30", "description": "backup", "encrypted": True,
          "kmsKeyId": key_arn("stranger")}, response={"snapshotId": COPY}),
    Beat("03 02:25:03", PROD_US, CROSS, "... EBS asks for a data key under it", "leaked-key",
         "kms:GenerateDataKeyWithoutPlaintext",
         {"keyId": key_arn("stranger"), "numberOfBytes": 64, "encryptionContext": {"aws:ebs:id": COPY}}, ("stranger",),
         via="ec2.amazonaws.com"),
    Beat("03 02:25:40", PROD_US, "quiet", "... and the copy is shared with the stranger's account", "leaked-key",
         "ec2:ModifySnapshotAttribute",
         {"snapshotId": COPY, "attributeType": "CREATE_VOLUME_PERMISSION",
          "createVolumePermission": {"add": {"items": [{"userId": STRANGER}]}}}, response={"_return": True}),
    Beat("03 02:27:31", PROD_US, CROSS, "a second foreign key is refused; only our side of it is logged", "leaked-key",
         "kms:GenerateDataKey", error=denied("leaked-key", "GenerateDataKey", "stranger-2", "no resource-based policy")),
    Beat("03 02:28:10", PROD_US, WEAKENED, "... so older books are copied onto themselves under a key the stranger sends along",
         "leaked-key", "s3:CopyObject", {**onto_itself("larkspur-catalog-example", "backlist/{serial}.epub"), **CLIENT_KEY},
         response=CLIENT_KEY, times=5, more=sse_applied("SSE_C")),
    Beat("03 07:41:12", PROD_US, CRITICAL, "Maya takes the key away from legacy-batch", "maya", "iam:UpdateAccessKey",
         {"userName": "legacy-batch", "accessKeyId": "AKIAI44QH8DHBEXAMPLE", "status": "Inactive"}),
    Beat("03 07:42:05", PROD_US, "quiet", "... and its policy", "maya", "iam:DeleteUserPolicy",
         {"userName": "legacy-batch", "policyName": "batch-power-user"}),
    Beat("03 07:43:30", PROD_US, CRITICAL, "... puts the catalog key's policy back, with its Deny", "maya", "kms:PutKeyPolicy",
         put_policy("catalog", policy(ROOT_ALL, CATALOG_USE, OURS_ONLY)), ("catalog",)),
    Beat("03 07:44:16", PROD_US, CRITICAL, "... revokes the grant", "maya", "kms:RevokeGrant",
         {"keyId": key_arn("catalog"), "grantId": material("stranger grant")}, ("catalog",)),
    Beat("03 07:44:58", PROD_US, CRITICAL, "... and starts rotation again", "maya", "kms:EnableKeyRotation",
         {"keyId": key_id("catalog"), "rotationPeriodInDays": 365}, ("catalog",)),
    Beat("03 07:45:20", PROD_US, "quiet", "... and KMS in prod's trail. The share and the snapshot she overlooks", "maya",
         "cloudtrail:PutEventSelectors", **record_all_but()),
]


def report_run(at):
    """The data account reads prod's orders: both accounts log every call, with one sharedEventID."""
    return Beat(at, DATA_US, CROSS, "the report job in the data account decrypts with prod's orders key (two copies each)",
                "reports", "kms:Decrypt",
                use(key_arn("orders"), dataset="orders"), ("orders",), times=8)


NEIGHBOURS = [  # partners, AWS itself, and records of an odd shape
    *(report_run(at) for at in ("02 06:10:05", "02 18:10:05", "03 06:10:05", "03 18:10:05")),
    Beat("03 11:05:47", PROD_US, CROSS, "the catalog decrypts a price list with Foxglove's key", "catalog-api", "kms:Decrypt",
         use(key_arn("foxglove"), feed="prices"), ("foxglove",), times=3),
    Beat("03 13:02:15", PROD_US, SHAPE, "a record whose requestParameters is a string", "newsletter", "kms:Decrypt",
         json.dumps(use(list="spring")), ("newsletter",)),
    Beat("03 15:20:09", PROD_US, SHAPE, "a key of AWS's own: resources[].accountId is 'AWS Internal'", "svc:dsql",
         "kms:GenerateDataKey", data_key(key_arn("dsql"), {"aws:dsql:ClusterId": "w4abucpbwuxx"}), ("dsql",), times=2),
    Beat("02 23:58:20", PROD_EU, SHAPE, "a late call, delivered into the next day's folder", "invoice-app", "kms:Decrypt",
         use(tenant="books-eu", purpose="invoice"), ("invoices",), times=2),
]
STORY = NEWSLETTER + BUILDING + GIFT_CARDS + DEFAULTS + CONTEXTS + ATTACK + NEIGHBOURS

# ---------------------------------------------------------------------------------------------------------
# Ordinary life, as weighted rows. {n} and the like are filled in for each record.
# ---------------------------------------------------------------------------------------------------------

FILTERS = {"filterSet": {"items": [{"name": "vpc-id", "valueSet": {"items": [{"value": "vpc-0a1b2c3d4e5f60718"}]}}]}}
DESCRIBES = [
    (3, "ec2:DescribeInstances", {"instancesSet": {"items": [{"instanceId": "{instance}"}]}, "filterSet": {}}),
    (2, "ec2:DescribeVolumes", {"volumeSet": {}, "filterSet": {}}),
    (2, "ec2:DescribeSecurityGroups", FILTERS),
    (2, "ec2:DescribeNetworkInterfaces", FILTERS),
    (1, "ec2:DescribeSubnets", FILTERS),
    (1, "ec2:DescribeInstanceStatus", {"maxResults": 100}),
]
IAM_READS = [
    (1, "iam:GetRole", {"roleName": "CatalogApi"}),
    (1, "iam:ListAttachedRolePolicies", {"roleName": "CheckoutFn"}),
    (1, "iam:GetPolicyVersion", {"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "versionId": "v161"}),
]


GET_COVER = s3_object("larkspur-catalog-example", "covers/{n}.jpg")
GET_LAKE = s3_object("larkspur-lake-example", "orders/part-{n}.parquet")
SCRATCH = s3_object("larkspur-scratch-example", "tmp/{n}.csv")


def assume(role, account):
    return {"roleArn": f"arn:aws:iam::{account}:role/{role}", "roleSessionName": "session-{n}", "durationSeconds": 3600}


def rows(who, calls, weight=1):
    return [(w * weight, who, call, request) for w, call, request in calls]


def log_stream(function):
    return {"logGroupName": f"/aws/lambda/{function}", "logStreamName": "2026/03/{day}/[$LATEST]{hex}"}


def bucket(path):
    return {"aws:s3:arn": f"arn:aws:s3:::{path}"}


def secret(arn):
    return {"SecretARN": arn, "SecretVersionId": ONE_VERSION}


def grant(key, context, service="ec2"):
    """A grant as services make it: bound to one disk or database, retired by the service itself."""
    account, region, _ = KEYS[key]
    host = f"{service}.{region}.amazonaws.com"
    machine = f"arn:aws:sts::{account}:assumed-role/aws:ec2-infrastructure/{{instance}}"
    return {"keyId": key_arn(key), "granteePrincipal": machine if service == "ec2" else host, "operations": ["Decrypt"],
            "constraints": {"encryptionContextSubset": context}, "retiringPrincipal": host}


ORDINARY = {  # account: (weight, who, call, request)
    PROD: rows("shop-nodes", DESCRIBES, 1.5) + rows("scanner", DESCRIBES, 0.5) + [
        (14, "catalog-api", "s3:GetObject", GET_COVER),
        (3, "catalog-api", "s3:HeadObject", GET_COVER),
        (1, "catalog-api", "s3:ListObjects", {"bucketName": "larkspur-catalog-example", "prefix": "covers/"}),
        (7, "svc:ecs-tasks", "sts:AssumeRole", assume("CatalogApi", PROD)),
        (6, "svc:lambda", "sts:AssumeRole", assume("CheckoutFn", PROD)),
        (6, "checkout", "logs:CreateLogStream", log_stream("checkout")),
        (5, "shop-nodes", "lambda:Invoke", {"functionName": "checkout", "invocationType": "RequestResponse"}),
        (4, "catalog-api", "secretsmanager:GetSecretValue", {"secretId": "shop/stripe"}),
        (3, "shop-nodes", "ssm:UpdateInstanceInformation", {"instanceId": "{instance}", "agentStatus": "Active"}),
        (2, "checkout", "dynamodb:DescribeTable", {"tableName": "carts"}),
        (2, "scanner", "lambda:ListFunctions20150331", {}),
        (1, "tomas", "logs:DescribeLogGroups", {"limit": 50}),
        (1, "tomas", "rds:DescribeDBInstances", {})],
    DATA: rows("analyst", DESCRIBES, 0.4) + [
        (16, "reports", "s3:GetObject", GET_LAKE),
        (4, "reports", "s3:PutObject", {**GET_LAKE, **under_key("lake")}),
        (4, "analyst", "s3:GetObject", SCRATCH),
        (4, "svc:glue", "sts:AssumeRole", assume("ReportsEtl", DATA)),
        (4, "reports", "glue:GetTable", {"databaseName": "lake", "name": "orders"}),
        (2, "analyst", "athena:GetQueryExecution", {"queryExecutionId": "{uuid}"}),
        (2, "reports", "logs:CreateLogStream", log_stream("reports"))],
    SECURITY: rows("auditor", DESCRIBES) + [
        (5, "auditor", "sts:AssumeRole", assume("LarkspurScanner", PROD)),
        (3, "auditor", "config:DescribeConfigRules", {}),
        (3, "auditor", "cloudtrail:DescribeTrails", {"includeShadowTrails": True}),
        (2, "auditor", "organizations:ListAccounts", {}),
        (2, "svc:config", "sts:AssumeRole", assume("LarkspurConfig", SECURITY))],
    DEV: rows("dev", DESCRIBES, 2) + [
        (4, "dev", "lambda:GetFunction20150331v2", {"functionName": "shop-{day}"}),
        (4, "dev", "logs:DescribeLogStreams", {"logGroupName": "/dev/shop"}),
        (2, "dev", "s3:ListBuckets", {}),
        (2, "svc:lambda", "sts:AssumeRole", assume("DevShop", DEV))],
}
SIGN_IN = {PROD: "tomas", DATA: "analyst", SECURITY: None, DEV: "dev"}

# What the routine KMS calls say about themselves
COVER, CATALOG = bucket("larkspur-catalog-example/covers/{n}.jpg"), bucket("larkspur-catalog-example")
LAKE, SCRATCHED, TRAILS = bucket("larkspur-lake-example"), bucket("larkspur-scratch-example"), bucket(BUCKET)
TRAIL_CONTEXT = {"aws:cloudtrail:arn": f"arn:aws:cloudtrail:{US}:{SECURITY}:trail/{TRAIL}",
                 "aws:s3:arn": f"arn:aws:s3:::{BUCKET}/AWSLogs/{ORG}/{PROD}/CloudTrail/{US}/2026/03"}
STRIPE, PARCEL, LEGACY = secret(ONE_SECRET), secret(secret_arn("shop/parcel-5TgB6y")), secret(secret_arn("shop/legacy-Ab12Cd"))
VAT = secret(secret_arn("shop/vat-Qw3eRt", region=EU))
CARTS = {"aws:dynamodb:tableName": "carts", "aws:dynamodb:subscriberId": PROD}
CHECKOUT = {"aws:lambda:FunctionArn": f"arn:aws:lambda:{US}:{PROD}:function:checkout"}
CHECKOUT_LOG = {"aws:logs:arn": f"arn:aws:logs:{US}:{PROD}:log-group:/aws/lambda/checkout"}
DISK, DATABASE = {"aws:ebs:id": "{volume}"}, {"aws:rds:db-id": "db-ORDERS2EXAMPLE"}
INVOICE = {"tenant": "books-eu", "purpose": "invoice"}

INTERNAL = "AWS Internal"  # what SSM, EBS and (until 2026) S3 call themselves
SECRETS, FRONT_END, RDS = "secretsmanager.amazonaws.com", "ec2-frontend-api.amazonaws.com", "rds.amazonaws.com"

ROUTINE = {  # (account, region): (weight, who, call, request, key, via); "" is a direct call
    PROD_US: [
        (5, "catalog-api", "kms:Decrypt", use(**COVER), "catalog", S3_FAS),
        (1, "shop-nodes", "kms:Decrypt", use(**CATALOG), "catalog", INTERNAL),
        (2, "catalog-api", "kms:GenerateDataKey", data_key(key_arn("catalog"), CATALOG), "catalog", S3_FAS),
        (2, "catalog-api", "kms:Decrypt", use(**STRIPE), "secrets", SECRETS),
        (1, "terraform", "kms:GenerateDataKey", data_key(key_arn("secrets"), PARCEL), "secrets", SECRETS),
        (1, "shop-nodes", "kms:Decrypt", use(**LEGACY), "aws/secretsmanager", SECRETS),
        (2, "shop-nodes", "kms:Decrypt", use(**parameter("/shop/smtp")), "aws/ssm", INTERNAL),
        (2, "checkout", "kms:Decrypt", use(**CHECKOUT), "aws/lambda", "lambda.amazonaws.com"),
        (2, "checkout", "kms:Decrypt", use(**CARTS), "checkout", "dynamodb.amazonaws.com"),
        (1, "checkout", "kms:Encrypt", use(key_arn("checkout"), cart="books-us"), "checkout", ""),
        (2, "shop-nodes", "kms:CreateGrant", grant("disks", DISK), "disks", FRONT_END),
        (2, "disk-service", "kms:Decrypt", use(**DISK), "disks", INTERNAL),
        (1, "svc:logs", "kms:GenerateDataKey", data_key(key_arn("logs"), CHECKOUT_LOG), "logs", ""),
        (1, "terraform", "kms:CreateGrant", grant("databases", DATABASE, "rds"), "databases", RDS),
        (1, "svc:rds", "kms:Decrypt", use(**DATABASE), "databases", ""),
        (1, "scanner", "kms:DescribeKey", {"keyId": key_id("disks")}, "disks", ""),
        (1, "scanner", "kms:DescribeKey", {"keyId": key_arn("catalog")}, "catalog", ""),
        (1, "scanner", "kms:GetKeyRotationStatus", {"keyId": key_id("orders")}, "orders", ""),
        (1, "scanner", "kms:ListKeys", {"limit": 100}, "", ""),
    ],
    PROD_EU: [
        (6, "invoice-app", "kms:Decrypt", use(**INVOICE), "invoices", ""),
        (4, "invoice-app", "kms:Encrypt", use(key_arn("invoices"), **INVOICE), "invoices", ""),
        (2, "invoice-app", "kms:GenerateDataKey", data_key("alias/larkspur/invoices", INVOICE), "invoices", ""),
        (2, "invoice-app", "kms:Decrypt", use(**VAT), "secrets-eu", SECRETS),
        (1, "shop-nodes", "kms:Decrypt", use(**parameter("/shop/smtp", region=EU)), "aws/ssm in eu", INTERNAL),
        (2, "shop-nodes", "kms:CreateGrant", grant("disks-eu", DISK), "disks-eu", FRONT_END),
        (1, "scanner", "kms:DescribeKey", {"keyId": key_id("invoices")}, "invoices", ""),
    ],
    DATA_US: [
        (6, "reports", "kms:Decrypt", use(**LAKE), "lake", S3_FAS),
        (3, "reports", "kms:GenerateDataKey", data_key(key_arn("lake"), LAKE), "lake", S3_FAS),
        (3, "analyst", "kms:Decrypt", use(**SCRATCHED), "aws/s3", S3_FAS),
        (1, "analyst", "kms:DescribeKey", {"keyId": key_id("lake")}, "lake", ""),
    ],
    SECURITY_US: [
        (3, "svc:cloudtrail", "kms:GenerateDataKey", data_key(key_arn("trail"), TRAIL_CONTEXT), "trail", ""),
        (1, "auditor", "kms:Decrypt", use(**TRAILS), "trail", S3_FAS),
        (1, "auditor", "kms:ListKeys", {"limit": 100}, "", ""),
        (1, "auditor", "kms:DescribeKey", {"keyId": key_id("trail")}, "trail", ""),
    ],
    DEV_US: [(1, "dev", "kms:ListAliases", {"limit": 100}, "", "")],
}

# Beside the files that the story asks for, each account and region gets one at these hours of both days.
HOURS = {PROD_US: range(0, 24, 2), PROD_EU: range(1, 24, 4), DATA_US: range(2, 24, 4), DATA_EU: (5, 17),
         SECURITY_US: range(3, 24, 6), DEV_US: (9, 13, 16)}
KMS_SHARE = 0.19

# ---------------------------------------------------------------------------------------------------------
# Records
# ---------------------------------------------------------------------------------------------------------

CRYPTO = {"Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncrypt"}
READS = ("Get", "List", "Describe", "Head", "AssumeRole") + tuple(CRYPTO)
DATA_CALLS = {"s3:GetObject", "s3:PutObject", "s3:HeadObject", "s3:CopyObject", "lambda:Invoke"}
KMS_SILENT = CRYPTO | {"DescribeKey", "GetKeyRotationStatus", "GetParametersForImport"}  # these log no response
HEX = "0123456789abcdef"
VERSIONS = {"signin": "1.08", "logs": "1.10", "glue": "1.09"}  # services move to a new version in their own time


def uuid(rng):
    h = "%032x" % rng.getrandbits(128)
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"


def token(rng, alphabet, length):
    return "".join(rng.choice(alphabet) for _ in range(length))


def stamp(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def fill(value, rng, at):
    """Puts one record's own values for {n}, {instance}, {volume}, {hex}, {day} and {uuid}."""
    if isinstance(value, dict):
        return {k: fill(v, rng, at) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, rng, at) for v in value]
    if not isinstance(value, str) or value.startswith('{"'):  # a whole JSON text is nobody's template
        return value
    for name, make in PLACES.items():
        if name in value:
            value = value.replace(name, make(rng, at))
    return value


PLACES = {
    "{n}": lambda rng, at: f"{rng.randint(1, 4000):05d}",
    "{serial}": lambda rng, at: f"{at.hour * 3600 + at.minute * 60 + at.second:05d}",  # the same all over one record
    "{instance}": lambda rng, at: f"i-0b51d6a2f3c47e98{rng.choice(HEX)}",
    "{volume}": lambda rng, at: f"vol-0894f908458cca1{rng.choice(HEX)}0",
    "{hex}": lambda rng, at: token(rng, HEX, 32),
    "{day}": lambda rng, at: f"{at.day:02d}",
    "{uuid}": lambda rng, at: uuid(rng),
}


def principal_id(actor):
    """A principal id of AWS's documentation kind: recognisably an example."""
    if actor.name.startswith("aws:"):
        return f"{actor.account}:{actor.name}:{actor.session}"
    letters = "".join(c for c in actor.name.replace("AWSReservedSSO", "").upper() if c in string.ascii_uppercase)
    prefix = "AIDA" if actor.kind == "user" else "AROA"
    return f"{prefix}EXAMPLE{letters}"[:21].ljust(21, "X") + (f":{actor.session}" if actor.session else "")


def identity(who, at, via="", mfa_age=0):
    """The userIdentity of a member of the cast, of a service (svc:x), or of KMS itself."""
    if who == "kms":
        return {"accountId": PROD, "invokedBy": "AWS Internal"}  # KMS's own events carry no type
    if who.startswith("svc:"):
        return {"type": "AWSService", "invokedBy": who[4:] + ".amazonaws.com"}
    actor, invoked = CAST[who], {"invokedBy": via} if via else {}
    if actor.kind == "foreign":
        return {"type": "AWSAccount", "principalId": principal_id(actor), "accountId": actor.account, **invoked}
    known = {"principalId": principal_id(actor), "arn": principal_arn(actor), "accountId": actor.account,
             "accessKeyId": actor.access_key}
    if actor.kind == "user":
        return {"type": "IAMUser", **known, "userName": actor.name, **session(actor, at, mfa_age), **invoked}
    return {"type": "AssumedRole", **known, **session(actor, at, mfa_age), **invoked}


def session(actor, at, mfa_age):
    """The sessionContext; a long-term access key (AKIA) has none."""
    if actor.access_key.startswith("AKIA"):
        return {}
    began = at - timedelta(seconds=mfa_age) if mfa_age else at.replace(minute=0, second=0) - timedelta(minutes=25)
    context = {"attributes": {"creationDate": stamp(began), "mfaAuthenticated": "true" if mfa_age else "false"}}
    if actor.kind != "user":
        path = "aws-reserved/sso.amazonaws.com/" if actor.kind == "sso" else ""
        issuer = {"type": "Role", "principalId": principal_id(actor).rpartition(":")[0],
                  "arn": f"arn:aws:iam::{actor.account}:role/{path}{actor.name}", "accountId": actor.account,
                  "userName": actor.name}
        context = {"sessionIssuer": issuer, **context}
    return {"sessionContext": context}


def origin(who, via, service):
    """sourceIPAddress and userAgent: a service's name in both when a service made the call."""
    if who == "kms" or who.startswith("svc:"):
        via = "AWS Internal" if who == "kms" else who[4:] + ".amazonaws.com"
    if via:
        return via, via
    agent = BROWSER if service == "signin" else CAST[who].agent
    return CAST[who].ip, f"[{agent}]" if service == "s3" else agent


def answer(rng, at, name, keys, given):
    """What a successful call logs as its response. KMS gives a change's key ARN; reads and cryptography log nothing."""
    if name == "AssumeRole":
        return {"credentials": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE", "sessionToken": "EXAMPLE",
                                "expiration": java_date(at + timedelta(hours=1))}}
    if given or not keys or name in KMS_SILENT:
        return given
    key = {"keyId": next(key_arn(k) for k in keys if k in KEYS)}
    return {"grantId": token(rng, HEX, 64), **key} if name == "CreateGrant" else key


def additional(rng, at, call, keys):
    """additionalEventData: which material of our own key was used, or how an S3 request came in."""
    ours = [k for k in keys if k in KEYS and KEYS[k][0] in MEMBERS]
    if call.startswith("kms:") and call[4:] in CRYPTO and ours:
        return {"keyMaterialId": material(ours[0], 2 if ours[0] == "orders" and at >= ROTATED else 1)}
    if call.startswith("s3:") and (call not in DATA_CALLS or call == "s3:GetObject"):
        return {"SignatureVersion": "SigV4", "AuthenticationMethod": "AuthHeader", "bytesTransferredOut": rng.randint(100, 90000)}
    return None


def resources(account, call, keys, request):
    """The keys of a KMS call; the bucket of an S3 call, and the object of a data event."""
    if keys:
        return [key_resource(k) for k in keys]
    if call.startswith("s3:") and request and "bucketName" in request:
        arn = f"arn:aws:s3:::{request['bucketName']}"
        item = [{"type": "AWS::S3::Object", "ARN": f"{arn}/{request['key']}"}] if call in DATA_CALLS else []
        return [*item, {"accountId": account, "type": "AWS::S3::Bucket", "ARN": arn}]
    return None


def key_resource(key):
    arn = key_arn(key) if key in KEYS else key
    owner = "AWS Internal" if KEYS.get(key, ("",))[0] == AWS_OWN else arn.split(":")[4]
    return {"accountId": owner, "type": "AWS::KMS::Key", "ARN": arn}


def shares(who, via, name):
    """A service account got a copy too: a sharedEventID that does not mean "cross-account"."""
    return via == FRONT_END or who in ("svc:cloudtrail", "svc:dsql") or who.startswith("svc:") and name == "AssumeRole"


def connection(who, service, region):
    """What only a call over the network carries, one not made by a service."""
    tls = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
           "clientProvidedHostHeader": f"{service}.{region}.amazonaws.com"}
    return {"tlsDetails": tls, **({"sessionCredentialFromConsole": "true"} if CAST[who].console else {})}


def record(rng, at, where, who, call, request=None, keys=(), response=None, via="", error=(), mfa_age=0, more=None):
    service, name = call.split(":")
    (account, region), is_data = where, call in DATA_CALLS
    ip, agent = origin(who, via, service)
    request = fill(request, rng, at)
    out = {"eventVersion": VERSIONS.get(service, "1.11"), "userIdentity": identity(who, at, via, mfa_age), "eventTime": stamp(at),
           "eventSource": f"{service}.amazonaws.com", "eventName": name, "awsRegion": region,
           "sourceIPAddress": ip, "userAgent": agent}
    if error:
        out |= {"errorCode": error[0], "errorMessage": error[1]}
    silent = error or who == "kms"
    out |= {"requestParameters": request, "responseElements": None if silent else answer(rng, at, name, keys, response)}
    if not error and (data := additional(rng, at, call, keys)):
        out["additionalEventData"] = data
    if who != "kms":
        out["requestID"] = token(rng, "0123456789ABCDEF", 16) if service == "s3" else uuid(rng)
    out |= {"eventID": uuid(rng), "readOnly": name.startswith(READS) or name == "Invoke"}
    if touched := resources(account, call, keys, request):
        out["resources"] = touched
    kind = "AwsServiceEvent" if who == "kms" else "AwsConsoleSignIn" if service == "signin" else "AwsApiCall"
    out |= {"eventType": kind, "managementEvent": not is_data, "recipientAccountId": account,
            "eventCategory": "Data" if is_data else "Management"}
    if shares(who, via, name):
        out["sharedEventID"] = uuid(rng)
    if who in CAST and not via and service != "signin":
        out |= connection(who, service, region)
    return out | (more or {})


def copies(rng, rec, keys):
    """All the copies of a call: one for each member account concerned, sharing a sharedEventID."""
    me, recipient = rec["userIdentity"], rec["recipientAccountId"]
    caller = me.get("accountId")
    owners = {KEYS[k][0] for k in keys if k in KEYS} - {caller, AWS_OWN}
    if not owners or not caller or rec.get("errorCode") == "AccessDenied":
        return [rec]  # a denied call is logged on the caller's side only
    rec["sharedEventID"] = uuid(rng)
    members = [account for account in MEMBERS if account in owners and account != recipient]
    if not members:
        return [rec]  # the other side's trail is not in this bucket
    seen = {"type": "AWSAccount"} | {k: me[k] for k in ("principalId", "accountId", "invokedBy") if k in me}
    return [rec, copy.deepcopy(rec) | {"eventID": uuid(rng), "recipientAccountId": members[0], "userIdentity": seen}]


def beat_records(beat):
    """The records of one beat: (time, record) pairs, a few seconds apart when it happens several times."""
    rng = random.Random(f"larkspur story {beat.at} {beat.what}")
    start = at_time(beat.at)
    for n in range(beat.times):
        at = start + timedelta(seconds=n * 7)
        rec = record(rng, at, beat.where, beat.who, beat.call, beat.request, beat.keys, beat.response, beat.via, beat.error,
                     beat.mfa_age, beat.more)
        for each in copies(rng, rec, beat.keys):
            yield at, each


def ordinary_record(rng, at, where):
    account, region = where
    if where in ROUTINE and rng.random() < KMS_SHARE:
        if where == PROD_US and rng.random() < 0.16:  # the partner prints our orders, day and night
            return copies(rng, record(rng, at, where, "foxglove", "kms:Decrypt", use(key_arn("orders"), order="print"),
                                      ("orders",)), ("orders",))[0]
        _, who, call, request, key, via = pick(rng, ROUTINE[where])
        return record(rng, at, where, who, call, request, (key,) if key else (), via=via)
    if region == US and rng.random() < 0.04:  # IAM is global: its events stand in us-east-1
        who = {PROD: "scanner", DATA: "analyst", SECURITY: "auditor", DEV: "dev"}[account]
        _, who, call, request = pick(rng, rows(who, IAM_READS))
        return record(rng, at, where, who, call, request)
    if region == US and SIGN_IN[account] and rng.random() < 0.008 and 7 <= at.hour <= 18:
        return record(rng, at, where, SIGN_IN[account], "signin:ConsoleLogin", response={"ConsoleLogin": "Success"},
                      more={"additionalEventData": {"LoginTo": "https://console.aws.amazon.com/console/home",
                                                    "MobileVersion": "No", "MFAUsed": "No"}})
    _, who, call, request = pick(rng, ORDINARY[account])
    return record(rng, at, where, who, call, request)


def pick(rng, weighted):
    return rng.choices(weighted, [row[0] for row in weighted])[0]


# ---------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------


def delivery(at):
    """CloudTrail delivers some four minutes later, in files named after a five-minute mark."""
    late = at + timedelta(minutes=4)
    minutes = math.ceil((late.minute * 60 + late.second) / 300) * 5
    return late.replace(minute=0, second=0) + timedelta(minutes=minutes)


def file_name(where, when, kind="CloudTrail", base=f"AWSLogs/{ORG}"):
    account, region = where
    rng = random.Random(f"larkspur name {kind} {base} {where} {when}")
    suffix = token(rng, string.ascii_letters + string.digits, 16)
    return f"{base}/{account}/{kind}/{region}/{when:%Y/%m/%d}/{account}_{kind}_{region}_{when:%Y%m%dT%H%MZ}_{suffix}.json.gz"


def hourly_slots():
    for where, hours in HOURS.items():
        for day in ("02", "03"):
            for hour in hours:
                yield where, delivery(at_time(f"{day} {hour:02d}:07:30"))


def log_files():
    """Every CloudTrail file: {name: records}. Records are not in order of time, as in a real file."""
    slots = {slot: [] for slot in hourly_slots()}
    for beat in STORY:
        for at, rec in beat_records(beat):
            where = rec["recipientAccountId"], rec["awsRegion"]
            slots.setdefault((where, delivery(at)), []).append(rec)
    return {file_name(*slot): with_ordinary_life(slot, story) for slot, story in slots.items()}


def with_ordinary_life(slot, story):
    where, when = slot
    rng = random.Random(f"larkspur file {where} {when}")
    count = (56 if where[0] == PROD else 32) * (1.25 if 7 <= when.hour <= 18 else 0.75) * rng.uniform(0.8, 1.2)
    times = [when - timedelta(seconds=rng.randint(245, 545)) for _ in range(int(count))]
    records = story + [ordinary_record(rng, at, where) for at in times]
    rng.shuffle(records)
    return records


def second_trail(files):
    """A trail of prod's own shares the bucket: one file's events once more, same eventIDs, another order."""
    when = delivery(at_time("02 14:03:44"))
    records = list(files[file_name(PROD_US, when)])
    random.Random("larkspur second trail").shuffle(records)
    return {file_name(PROD_US, when, base="AWSLogs"): records}


def insights():
    """CloudTrail Insights saw the stranger's burst: a start and an end, with no userIdentity."""
    shared = uuid(random.Random("larkspur insight"))
    files = {}
    for state, at in (("Start", "03 02:25:00"), ("End", "03 02:40:00")):
        t = at_time(at)
        statistics = {"baseline": {"average": 0.0012}, "insight": {"average": 1.4}, "insightDuration": 15,
                      "baselineDuration": 10080}
        culprit = {"value": principal_arn(CAST["leaked-key"]), "average": 1.3}
        attributions = [{"attribute": "userIdentityArn", "insight": [culprit], "baseline": []}]
        detail = {"state": state, "eventSource": "kms.amazonaws.com", "eventName": "GenerateDataKey",
                  "insightType": "ApiCallRateInsight", "insightContext": {"statistics": statistics, "attributions": attributions}}
        rec = {"eventVersion": "1.09", "eventTime": stamp(t), "awsRegion": US,
               "eventID": uuid(random.Random(f"larkspur insight {state}")), "eventType": "AwsCloudTrailInsight",
               "recipientAccountId": PROD, "sharedEventID": shared, "insightDetails": detail, "eventCategory": "Insight"}
        files[file_name(PROD_US, delivery(t), "CloudTrail-Insight")] = {"Records": [rec]}
    return files


def network_activity():
    """The VPC endpoint's view: a call CloudTrail also logs as such, and one the endpoint's policy refused."""
    rng = random.Random("larkspur network")
    at, records = at_time("02 12:04:10"), []
    for error in ((), ("VpceAccessDenied", "The request was denied due to a VPC endpoint policy")):
        rec = record(rng, at, PROD_US, "checkout", "kms:Decrypt", None, ("orders",), error=error, more={
            "eventType": "AwsVpceEvent", "managementEvent": False, "eventCategory": "NetworkActivity",
            "vpcEndpointId": "vpce-0d985940f92611b87", "vpcEndpointAccountId": PROD})
        records.append({k: v for k, v in rec.items() if k != "additionalEventData"})
    return {file_name(PROD_US, delivery(at), "CloudTrail-NetworkActivity"): {"Records": records}}


def digest_name(where, end):
    account, region = where
    return (f"AWSLogs/{ORG}/{account}/CloudTrail-Digest/{region}/{end:%Y/%m/%d}/"
            f"{account}_CloudTrail-Digest_{region}_{TRAIL}_{US}_{end:%Y%m%dT%H%M%SZ}.json.gz")


def digests(texts):
    """Two digests of prod, chained by hash, and one of data. They hash uncompressed contents."""
    files = {}
    first, second = at_time("02 10:00:00"), at_time("02 11:00:00")
    for where, end, before in ((PROD_US, first, None), (PROD_US, second, first), (DATA_US, at_time("02 18:00:00"), None)):
        previous = digest_name(where, before) if before else None
        files[digest_name(where, end)] = text(digest(texts, where, end, previous, files.get(previous)))
    return files


def digest(texts, where, end, previous, previous_text):
    start = end - timedelta(hours=1)
    folder = f"AWSLogs/{ORG}/{where[0]}/CloudTrail/{where[1]}/"
    logs = [digest_entry(n, texts[n]) for n in sorted(texts) if n.startswith(folder) and start < delivered_at(n) <= end]
    return {
        "awsAccountId": where[0], "digestStartTime": stamp(start), "digestEndTime": stamp(end),
        "digestS3Bucket": BUCKET, "digestS3Object": digest_name(where, end),
        "digestPublicKeyFingerprint": hashlib.sha256(b"larkspur").hexdigest()[:32], "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": max(log["newestEventTime"] for log in logs),
        "oldestEventTime": min(log["oldestEventTime"] for log in logs),
        "previousDigestS3Bucket": previous and BUCKET, "previousDigestS3Object": previous,
        "previousDigestHashValue": previous and hashlib.sha256(previous_text).hexdigest(),
        "previousDigestHashAlgorithm": previous and "SHA-256", "previousDigestSignature": previous and "00" * 256,
        "logFiles": logs,
    }


def digest_entry(name, data):
    times = [r["eventTime"] for r in json.loads(data)["Records"]]
    return {"s3Bucket": BUCKET, "s3Object": name, "hashValue": hashlib.sha256(data).hexdigest(), "hashAlgorithm": "SHA-256",
            "newestEventTime": max(times), "oldestEventTime": min(times)}


def delivered_at(name):
    return datetime.strptime(name.rsplit("_", 2)[1], "%Y%m%dT%H%MZ").replace(tzinfo=timezone.utc)


def text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def squeeze(data):
    """gzip with a header of fixed bytes: no time, no name, no operating system."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    header, trailer = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff", struct.pack("<II", zlib.crc32(data), len(data))
    return header + deflate.compress(data) + deflate.flush() + trailer


def contents():
    """Everything that belongs under AWSLogs/: {name: JSON bytes}."""
    files = log_files()
    files |= second_trail(files)
    texts = {name: text({"Records": records}) for name, records in files.items()}
    others = {name: text(body) for name, body in (insights() | network_activity()).items()}
    return texts | others | digests(texts)


# ---------------------------------------------------------------------------------------------------------
# Commands
# ---------------------------------------------------------------------------------------------------------


def write(wanted):
    shutil.rmtree(HERE / "AWSLogs", ignore_errors=True)
    for name, data in sorted(wanted.items()):
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(squeeze(data))


def unpacked(path):
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        return None


def differences(wanted):
    """Compares what the files say, not how they are squeezed: another zlib may deflate otherwise."""
    found = {p.relative_to(HERE).as_posix(): p for p in (HERE / "AWSLogs").rglob("*") if p.is_file()}
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            yield f"missing: {name}"
        elif name not in wanted:
            yield f"not ours: {name}"
        elif unpacked(found[name]) != wanted[name]:
            yield f"differs: {name}"


def show_story():
    for beat in sorted(STORY, key=lambda b: b.at):
        names = sorted({file_name((r["recipientAccountId"], r["awsRegion"]), delivery(at)) for at, r in beat_records(beat)})
        print(f"{beat.at}  {beat.family:19} {beat.call:28} {beat.what}")
        for name in names:
            print(f"{'':13}{name}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="exit 1 when the files on disk differ")
    arguments.add_argument("--story", action="store_true", help="list the story and its files")
    chosen = arguments.parse_args()
    if chosen.story:
        return show_story()
    wanted = contents()
    if chosen.check:
        problems = list(differences(wanted))
        print("\n".join(problems) or f"{len(wanted)} files as they should be")
        return 1 if problems else 0
    write(wanted)
    print(f"wrote {len(wanted)} files")


if __name__ == "__main__":
    sys.exit(main())
