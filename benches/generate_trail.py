#!/usr/bin/env python3
"""Writes a large organisation trail to measure on: the same bytes of JSON for the same parameters.

    python3 benches/generate_trail.py OUT [--mib 640] [--seed 11] [--jobs 2]

Some 15 % of the records are of KMS, a record has about 1.6 KB, a file 1,000 to 8,000 records. Calls
come in bursts by session. Some records only look as if they were of KMS. Nothing is done if OUT holds a
finished trail of the same parameters, made by this version of this script.
"""
import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import zlib
from datetime import datetime, timedelta, timezone
from multiprocessing import Pool
from pathlib import Path

MARKER = "generated.marker"  # an extension that keytrail does not read
ORG = "o-exampleorgid"
BYTES_A_RECORD = 1_600  # what the mix below comes to
FEWEST, MOST = 1_000, 8_000
FIRST_MINUTE = datetime(2026, 3, 2, tzinfo=timezone.utc)

ACCOUNTS = ["111122223333", "123456789012", "222233334444", "333344445555", "444455556666", "555566667777",
            "666677778888", "777788889999", "888899990000", "999900001111"]
STRANGERS = ["555555555555", "888888888888", "999999999999"]
REGIONS = ["us-east-1", "us-east-1", "us-east-1", "us-east-1", "eu-west-1", "eu-west-1", "us-west-2", "eu-central-1"]
ROLES = ["api", "worker", "batch-loader", "deployer", "node", "reader", "AWSReservedSSO_Operator_4f1c2d3e5a6b7c8d"]
AGENTS = [
    "aws-sdk-java/2.29.6 md/io#sync md/http#Apache ua/2.1 os/Linux#5.10.230-223.885.amzn2.x86_64 lang/java#17.0.13 "
    "md/OpenJDK_64-Bit_Server_VM#17.0.13+11-LTS md/vendor#Amazon.com_Inc. md/en_US exec-env/AWS_ECS_FARGATE m/D,N",
    "Boto3/1.35.60 md/Botocore#1.35.60 ua/2.0 os/linux#6.1.115-126.197.amzn2023.x86_64 md/arch#x86_64 "
    "lang/python#3.12.7 md/pyimpl#CPython exec-env/AWS_Lambda_python3.12 cfg/retry-mode#legacy Botocore/1.35.60",
    "aws-sdk-go-v2/1.32.4 ua/2.1 os/linux lang/go#1.23.3 md/GOOS#linux md/GOARCH#arm64 api/s3#1.66.3 m/E",
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/5.76.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.32.4 ua/2.1 os/linux lang/go#1.23.1",
    "aws-cli/2.21.3 md/awscrt#0.22.0 ua/2.0 os/linux#5.15.0-1072-aws md/arch#x86_64 lang/python#3.12.6 md/pyimpl#CPython",
    "[aws-sdk-nodejs/2.1692.0 linux/v20.18.0 exec-env/AWS_Lambda_nodejs20.x promise]",
]
# Callers choose their user agent; this one wants to be taken for something else.
SLY_AGENT = r'probe/1.0 \"eventSource\":\"kms.amazonaws.com\",\"eventName\":\"Decrypt\" }],{\"eventVersion\"'
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
# How often a service calls KMS for somebody; nobody is who called by himself.
CALLERS = ["s3"] * 6 + ["secretsmanager"] * 3 + ["ec2", "ec2", "dynamodb", "dynamodb", "lambda", "lambda", "ssm", "logs", "rds"]
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Draw(random.Random):
    """Random texts of the shapes that AWS uses."""

    def hex(self, digits):
        return f"{self.getrandbits(4 * digits):0{digits}x}"

    def uuid(self):
        h = f"{self.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def id(self, prefix, length=16):
        return prefix + "".join(self.choices(BASE32, k=length))

    def base64(self, letters):
        return "".join(self.choices(BASE32 + "abcdefghijklmnopqrstuvwxyz019+/", k=letters))

    def below(self, n):
        return int(self.random() * n)

    def one(self, items):
        return items[int(self.random() * len(items))]


class Account:
    """What an account has in one Region: all files of it tell of the same things."""

    def __init__(self, seed, number, region):
        d = Draw(f"{seed}/{number}/{region}")
        self.number, self.region = number, region
        self.keys = [f"arn:aws:kms:{region}:{number}:key/{d.uuid()}" for _ in range(8 + d.below(25))]
        self.material = {key: d.hex(64) for key in self.keys}
        self.buckets = [f"{name}-{number}-{d.hex(6)}" for name in ("raw-events", "curated", "assets", "backups", "tf-state")]
        self.roles = [(d.one(ROLES) + f"-{n}", d.id("AROA", 17)) for n in range(20)]
        self.users = [(name, d.id("AIDA", 17)) for name in ("maria", "jun", "svc-build", "svc-backup")]
        self.functions = [f"{name}-{d.hex(4)}" for name in ("ingest", "resize", "notify", "auth", "nightly")]
        self.secrets = [f"prod/{name}-{d.id('', 6)}" for name in ("db", "api", "queue", "cache")]
        self.tables = [f"{name}-{d.hex(4)}" for name in ("orders", "sessions", "locks")]
        self.volumes = [f"vol-0{d.hex(16)}" for _ in range(60)]
        self.instances = [f"i-0{d.hex(16)}" for _ in range(40)]
        self.endpoints = [f"vpce-0{d.hex(16)}" for _ in range(4)]

    def arn(self, service, resource):
        return f"arn:aws:{service}:{self.region}:{self.number}:{resource}"


class Session:
    """Who calls, from where, with which tool and which keys: stays the same over a burst."""

    def __init__(self, d, account, time):
        self.kind = d.random()
        number = account.number
        access = d.id("ASIA", 16)
        if self.kind < 0.85:
            role, role_id = d.one(account.roles)
            name = d.one([d.hex(32), f"i-0{d.hex(16)}", f"botocore-session-{1_760_000_000 + d.below(10_000_000)}",
                          f"person{d.below(300)}@example.com"])
            since = (time - timedelta(seconds=30 + d.below(3_000))).strftime("%Y-%m-%dT%H:%M:%SZ")
            delivery = ',"ec2RoleDelivery":"2.0"' if name.startswith("i-0") else ""
            path = "aws-reserved/sso.amazonaws.com/" if role.startswith("AWSReserved") else ""
            self.identity = (
                f'{{"type":"AssumedRole","principalId":"{role_id}:{name}","arn":"arn:aws:sts::{number}:assumed-role/{role}/{name}",'
                f'"accountId":"{number}","accessKeyId":"{access}","sessionContext":{{"sessionIssuer":{{"type":"Role",'
                f'"principalId":"{role_id}","arn":"arn:aws:iam::{number}:role/{path}{role}","accountId":"{number}",'
                f'"userName":"{role}"}},"attributes":{{"creationDate":"{since}","mfaAuthenticated":"false"}}{delivery}}}')
        elif self.kind < 0.94:
            user, user_id = d.one(account.users)
            self.identity = (
                f'{{"type":"IAMUser","principalId":"{user_id}","arn":"arn:aws:iam::{number}:user/{user}",'
                f'"accountId":"{number}","accessKeyId":"AKIA{access[4:]}","userName":"{user}"')
        else:
            self.identity = f'{{"type":"AWSAccount","principalId":"{d.id("AROA", 17)}:reader","accountId":"{d.one(STRANGERS)}"'
        self.agent = SLY_AGENT if d.random() < 0.004 else d.one(AGENTS)
        inside = d.random() < 0.6
        self.ip = f"{'10' if inside else 3 + d.below(50)}.{d.below(256)}.{d.below(256)}.{1 + d.below(254)}"
        self.endpoint = (
            f',"vpcEndpointId":"{d.one(account.endpoints)}","vpcEndpointAccountId":"{number}"' if inside else "")
        self.keys = d.sample(account.keys, 2)
        self.services = d.sample(CALLERS, 2)


def record(d, a, s, time, service, name, request, *, response="null", read_only=True, caller="", own_name=False,
           error="", additional="", resources="", shared=False, management=True, host="", event_type="AwsApiCall"):
    """A record, its members in CloudTrail's order."""
    if caller:
        caller += ".amazonaws.com"
        identity = f'{{"type":"AWSService","invokedBy":"{caller}"}}' if own_name else f'{s.identity},"invokedBy":"{caller}"}}'
        ip = agent = caller
        tail = ""
    else:
        identity, ip, agent = s.identity + "}", s.ip, s.agent
        tail = (f'{s.endpoint},"eventCategory":"{"Management" if management else "Data"}","tlsDetails":{{"tlsVersion":"TLSv1.3",'
                f'"cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{host or f"{service}.{a.region}.amazonaws.com"}"}}')
    return (
        f'{{"eventVersion":"1.11","userIdentity":{identity},"eventTime":"{time}","eventSource":"{service}.amazonaws.com",'
        f'"eventName":"{name}","awsRegion":"{a.region}","sourceIPAddress":"{ip}","userAgent":"{agent}"{error},'
        f'"requestParameters":{request},"responseElements":{response}{additional and f",{chr(34)}additionalEventData{chr(34)}:{additional}"},'
        f'"requestID":"{d.uuid()}","eventID":"{d.uuid()}","readOnly":{"true" if read_only else "false"}'
        f'{resources and f",{chr(34)}resources{chr(34)}:{resources}"},"eventType":"{event_type}",'
        f'"managementEvent":{"true" if management else "false"},"recipientAccountId":"{a.number}"'
        f'{f",{chr(34)}sharedEventID{chr(34)}:{chr(34)}{d.uuid()}{chr(34)}" if shared else ""}'
        f'{tail or f",{chr(34)}eventCategory{chr(34)}:{chr(34)}Management{chr(34)}"}}}')


def denied(a, action):
    return (f',"errorCode":"AccessDenied","errorMessage":"User: arn:aws:sts::{a.number}:assumed-role/reader-3/job is not '
            f'authorized to perform: {action} because no identity-based policy allows the {action} action"')


def object_key(d, time):
    return f"year=2026/month=03/day={time[8:10]}/hour={time[11:13]}/part-{d.below(100_000):05}-{d.uuid()}.c000.snappy.parquet"


def context(d, a, caller, time):
    """The encryption context of the service that calls."""
    if caller == "s3":
        return f'{{"aws:s3:arn":"arn:aws:s3:::{d.one(a.buckets)}/{object_key(d, time)}"}}'
    if caller in ("ec2", "rds"):
        name = "aws:ebs:id" if caller == "ec2" else "aws:rds:db-id"
        return f'{{"{name}":"{d.one(a.volumes) if caller == "ec2" else d.id("db-", 26)}"}}'
    if caller == "secretsmanager":
        return f'{{"SecretARN":"{a.arn(caller, f"secret:{d.one(a.secrets)}")}","SecretVersionId":"{d.uuid()}"}}'
    if caller == "dynamodb":
        return f'{{"aws:dynamodb:tableName":"{d.one(a.tables)}","aws:dynamodb:subscriberId":"{a.number}"}}'
    if caller == "lambda":
        return f'{{"aws:lambda:FunctionArn":"{a.arn(caller, f"function:{d.one(a.functions)}")}"}}'
    if caller == "ssm":
        return f'{{"PARAMETER_ARN":"{a.arn(caller, f"parameter/prod/{d.one(a.functions)}")}"}}'
    return f'{{"aws:logs:arn":"{a.arn("logs", f"log-group:/aws/lambda/{d.one(a.functions)}")}"}}'


def kms(d, a, s, time):
    caller = d.one(s.services) if d.random() < 0.62 else ""
    key = d.one(s.keys)
    owner = a.number
    if d.random() < 0.03:
        owner = d.one(STRANGERS)
        key = f"arn:aws:kms:{a.region}:{owner}:key/{d.uuid()}"
    said = d.random() < 0.6 and a.material.get(key)
    common = {
        "caller": caller, "own_name": d.random() < 0.2, "shared": owner != a.number or d.random() < 0.25,
        "additional": f'{{"keyMaterialId":"{said}"}}' if said else "",
        "resources": f'[{{"accountId":"{owner}","type":"AWS::KMS::Key","ARN":"{key}"}}]',
    }
    has_context = caller or d.random() < 0.5
    with_context = f'"encryptionContext":{context(d, a, caller or "s3", time)},' if has_context else ""
    kind = d.random()
    if kind < 0.60:
        error = denied(a, f"kms:Decrypt on resource: {key}") if d.random() < 0.02 else ""
        request = f'{{{with_context}"encryptionAlgorithm":"SYMMETRIC_DEFAULT","keyId":"{key}"}}'
        return record(d, a, s, time, "kms", "Decrypt", request, error=error, **common)
    if kind < 0.86:
        request = f'{{{with_context}"keyId":"{key}","keySpec":"AES_256"}}'
        return record(d, a, s, time, "kms", "GenerateDataKey", request, **common)
    if kind < 0.90:
        request = f'{{{with_context}"encryptionAlgorithm":"SYMMETRIC_DEFAULT","keyId":"{key}"}}'
        return record(d, a, s, time, "kms", "Encrypt", request, **common)
    if kind < 0.95:
        name = d.one(["DescribeKey", "ListAliases", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags"])
        return record(d, a, s, time, "kms", name, f'{{"keyId":"{key}"}}', **common)
    if kind < 0.994:
        request = (
            f'{{"granteePrincipal":"arn:aws:sts::{a.number}:assumed-role/aws:ec2-infrastructure/{d.one(a.instances)}",'
            f'"operations":["Decrypt","RetireGrant"],"constraints":{{"encryptionContextSubset":{{"aws:ebs:id":"{d.one(a.volumes)}"}}}},'
            f'"keyId":"{key}","retiringPrincipal":"ec2.{a.region}.amazonaws.com"}}')
        response = f'{{"grantId":"{d.hex(64)}","keyId":"{key}"}}'
        return record(d, a, s, time, "kms", "CreateGrant", request, response=response, read_only=False, **common)
    return administer(d, a, s, time, key, common["resources"])


def administer(d, a, s, time, key, resources):
    name = d.one(["ScheduleKeyDeletion", "CancelKeyDeletion", "DisableKey", "EnableKey", "PutKeyPolicy", "DisableKeyRotation",
                  "RevokeGrant", "UpdateAlias", "DeleteAlias", "TagResource"])
    request = {"keyId": key}
    if name == "ScheduleKeyDeletion":
        request["pendingWindowInDays"] = d.one([7, 30])
    elif name == "PutKeyPolicy":
        who = d.one(["*", f"arn:aws:iam::{a.number}:root", f"arn:aws:iam::{d.one(STRANGERS)}:root"])
        allow = {"Sid": "Administrators", "Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:*", "Resource": "*"}
        request |= {"policyName": "default", "policy": json.dumps({"Version": "2012-10-17", "Statement": [allow]}, indent=2)}
    elif name == "RevokeGrant":
        request["grantId"] = d.hex(64)
    elif name.endswith("Alias"):
        request = {"aliasName": f"alias/app-{d.below(20)}", "targetKeyId": key.rsplit("/", 1)[1]}
    elif name == "TagResource":
        request["tags"] = [{"tagKey": "Owner", "tagValue": f"team-{d.below(20)}"}]
    return record(d, a, s, time, "kms", name, json.dumps(request, separators=(",", ":")), response=f'{{"keyId":"{key}"}}',
                  read_only=False, resources=resources)


def s3(d, a, s, time):
    name = d.one(["GetObject"] * 9 + ["PutObject"] * 4 + ["HeadObject"] * 3 + ["ListObjects", "GetBucketLocation", "DeleteObject"])
    bucket = d.one(a.buckets)
    host = f"{bucket}.s3.{a.region}.amazonaws.com"
    about_object = name.endswith("Object")
    key = object_key(d, time)
    detail = f',"key":"{key}"' if about_object else ',"prefix":"year=2026/","list-type":"2","encoding-type":"url"'
    response, applied = "null", ""
    if name == "PutObject":
        response = (
            f'{{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"{d.one(a.keys)}",'
            f'"x-amz-server-side-encryption-bucket-key-enabled":"true"}}')
        applied = ',"SSEApplied":"SSE_KMS"'
    additional = (
        f'{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":{d.below(9_999_999)},'
        f'"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{d.base64(75)}=","bytesTransferredOut":{d.below(9_999_999)}{applied}}}')
    bucket_resource = f'{{"accountId":"{a.number}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}'
    object_resource = f'{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{key}"}},' if about_object else ""
    error = ',"errorCode":"NoSuchKey","errorMessage":"The specified key does not exist."' if d.random() < 0.02 else ""
    return record(d, a, s, time, "s3", name, f'{{"bucketName":"{bucket}","Host":"{host}"{detail}}}', response=response,
                  read_only=name not in ("PutObject", "DeleteObject"), additional=additional, error=error, host=host,
                  resources=f"[{object_resource}{bucket_resource}]", management=not about_object)


def sts(d, a, s, time):
    if d.random() < 0.25:
        return record(d, a, s, time, "sts", "GetCallerIdentity", "null")
    role, role_id = d.one(a.roles)
    name = d.hex(32)
    arn = f"arn:aws:iam::{a.number}:role/{role}"
    response = (
        f'{{"credentials":{{"accessKeyId":"{d.id("ASIA", 16)}","sessionToken":"IQoJb3JpZ2luX2VjE{d.base64(120)}",'
        f'"expiration":"Mar {int(time[8:10])}, 2026, 11:{time[14:16]}:00 PM"}},"assumedRoleUser":{{"assumedRoleId":"{role_id}:{name}",'
        f'"arn":"arn:aws:sts::{a.number}:assumed-role/{role}/{name}"}}}}')
    return record(d, a, s, time, "sts", "AssumeRole", f'{{"roleArn":"{arn}","roleSessionName":"{name}","durationSeconds":3600}}',
                  response=response, caller=d.one(["", "lambda", "ec2", "ecs-tasks"]), own_name=True, shared=True,
                  resources=f'[{{"accountId":"{a.number}","type":"AWS::IAM::Role","ARN":"{arn}"}}]')


def describe(d, a, s, time):
    name = d.one(["DescribeInstances", "DescribeVolumes", "DescribeSubnets", "DescribeSecurityGroups", "DescribeTags",
                  "DescribeNetworkInterfaces", "DescribeImages", "DescribeSnapshots", "DescribeInstanceStatus"])
    if d.random() < 0.5:
        items = ",".join(f'{{"instanceId":"{d.one(a.instances)}"}}' for _ in range(1 + d.below(4)))
        request = f'{{"instancesSet":{{"items":[{items}]}},"filterSet":{{}}}}'
    else:
        request = (
            '{"maxResults":500,"instancesSet":{},"filterSet":{"items":[{"name":"tag:Environment","valueSet":{"items":'
            f'[{{"value":"production"}}]}}}},{{"name":"vpc-id","valueSet":{{"items":[{{"value":"vpc-0{d.hex(16)}"}}]}}}}]}}}}')
    error = ',"errorCode":"Client.RequestLimitExceeded","errorMessage":"Request limit exceeded."' if d.random() < 0.02 else ""
    return record(d, a, s, time, "ec2", name, request, error=error)


def configure(d, a, s, time):
    """What other services do with keys: rules look at some of it."""
    key = d.one(a.keys) if d.random() < 0.7 else "alias/aws/ebs"
    service, name, request = d.one([
        ("ec2", "CreateVolume", f'{{"size":"100","zone":"{a.region}a","volumeType":"gp3","encrypted":true,"kmsKeyId":"{key}"}}'),
        ("ec2", "CopySnapshot", f'{{"sourceRegion":"{a.region}","sourceSnapshotId":"snap-0{d.hex(16)}","encrypted":true,"kmsKeyId":"{key}"}}'),
        ("rds", "CreateDBInstance", f'{{"dBInstanceIdentifier":"db-{d.hex(8)}","engine":"postgres","storageEncrypted":true,"kmsKeyId":"{key}"}}'),
        ("logs", "AssociateKmsKey", f'{{"logGroupName":"/aws/lambda/{d.one(a.functions)}","kmsKeyId":"{key}"}}'),
        ("secretsmanager", "CreateSecret", f'{{"name":"{d.one(a.secrets)}","clientRequestToken":"{d.uuid()}","kmsKeyId":"{key}"}}'),
        ("s3", "PutBucketEncryption", f'{{"bucketName":"{d.one(a.buckets)}","encryption":"","ServerSideEncryptionConfiguration":{{"Rule":'
         f'{{"ApplyServerSideEncryptionByDefault":{{"SSEAlgorithm":"aws:kms","KMSMasterKeyID":"{key}"}}}}}}}}'),
    ])
    return record(d, a, s, time, service, name, request, response=f'{{"requestId":"{d.uuid()}"}}', read_only=False)


def trap(d, a, s, time):
    """Not of KMS, but for whom only searches for its name."""
    said = r'{\"eventSource\":\"kms.amazonaws.com\",\"eventName\":\"Decrypt\"}'
    pattern = r'{\"source\":[\"aws.kms\"],\"detail\":{\"eventSource\":[\"kms.amazonaws.com\"]}}'
    policy = json.dumps(json.dumps({"Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": f"arn:aws:kms:*:{a.number}:key/*"}]}))
    service, name, request, read_only = d.one([
        ("events", "PutRule", f'{{"name":"rule-{d.hex(6)}","eventPattern":"{pattern}","state":"ENABLED","description":"cl\\u00e9 \\u2014 KMS"}}', False),
        ("events", "TestEventPattern", f'{{"eventPattern":"{pattern}","event":"{said}"}}', True),
        ("cloudtrail", "LookupEvents", '{"lookupAttributes":[{"attributeKey":"EventSource","attributeValue":"kms.amazonaws.com"}],"maxResults":50}', True),
        ("lambda", "Invoke", f'{{"functionName":"{a.functions[0]}","detail":{{"eventSource":"kms.amazonaws.com","eventName":"DisableKey"}}}}', False),
        ("iam", "PutRolePolicy", f'{{"roleName":"{d.one(a.roles)[0]}","policyName":"keys","policyDocument":{policy}}}', False),
        ("logs", "PutMetricFilter", r'{"filterName":"keys","filterPattern":"{ ($.eventSource = \"kms.amazonaws.com\") && [$.a] }","note":"C:\\logs\\"}', False),
    ])
    return record(d, a, s, time, service, name, request, read_only=read_only)


def everyday(d, a, s, time):
    function, number = d.one(a.functions), a.number
    resources, additional, management = "", "", True
    service, name = d.one([
        ("logs", "CreateLogStream"), ("logs", "DescribeLogGroups"), ("lambda", "Invoke"), ("lambda", "GetFunction20150331v2"),
        ("dynamodb", "GetItem"), ("dynamodb", "DescribeTable"), ("ssm", "UpdateInstanceInformation"), ("ssm", "GetParameter"),
        ("secretsmanager", "GetSecretValue"), ("ecs", "DescribeTasks"), ("elasticloadbalancing", "DescribeTargetHealth"),
        ("iam", "GetRole"), ("config", "PutEvaluations"), ("cloudformation", "DescribeStacks"), ("signin", "ConsoleLogin")])
    if service == "logs":
        request = f'{{"logGroupName":"/aws/lambda/{function}","logStreamName":"2026/03/{time[8:10]}/[$LATEST]{d.hex(32)}"}}'
    elif service == "lambda":
        request = f'{{"functionName":"{a.arn("lambda", f"function:{function}")}","invocationType":"RequestResponse"}}'
        resources = f'[{{"accountId":"{number}","type":"AWS::Lambda::Function","ARN":"{a.arn("lambda", f"function:{function}")}"}}]'
        management = name != "Invoke"
    elif service == "dynamodb":
        table = d.one(a.tables)
        request = f'{{"tableName":"{table}","key":{{"pk":"HIDDEN_DUE_TO_SECURITY_REASONS"}}}}'
        resources = f'[{{"accountId":"{number}","type":"AWS::DynamoDB::Table","ARN":"{a.arn("dynamodb", f"table/{table}")}"}}]'
        management = name != "GetItem"
    elif service == "ssm":
        request = (
            f'{{"instanceId":"{d.one(a.instances)}","agentVersion":"3.3.987.0","agentStatus":"Active","platformType":"Linux",'
            f'"platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"{s.ip}","computerName":"ip-{s.ip.replace(".", "-")}.ec2.internal",'
            f'"agentName":"amazon-ssm-agent","availabilityZone":"{a.region}a"}}')
    elif service == "secretsmanager":
        request = f'{{"secretId":"{a.arn(service, f"secret:{d.one(a.secrets)}")}"}}'
        additional = f'{{"SecretId":"{a.arn(service, f"secret:{d.one(a.secrets)}")}"}}'
    elif service == "ecs":
        tasks = ",".join(f'"{a.arn("ecs", f"task/prod/{d.hex(32)}")}"' for _ in range(1 + d.below(4)))
        request = f'{{"cluster":"{a.arn("ecs", "cluster/prod")}","tasks":[{tasks}]}}'
    elif service == "elasticloadbalancing":
        target = a.arn(service, f"targetgroup/k8s-prod-{d.hex(10)}/{d.hex(16)}")
        request = f'{{"targetGroupArn":"{target}","targets":[{{"id":"{s.ip}","port":{1024 + d.below(60_000)}}}]}}'
    elif service == "iam":
        request = f'{{"roleName":"{d.one(a.roles)[0]}"}}'
    elif service == "config":
        items = ",".join(
            f'{{"complianceResourceType":"AWS::S3::Bucket","complianceResourceId":"{d.one(a.buckets)}","complianceType":"COMPLIANT",'
            f'"orderingTimestamp":"Mar {int(time[8:10])}, 2026, 1:00:00 AM"}}' for _ in range(1 + d.below(8)))
        request = f'{{"evaluations":[{items}],"resultToken":"{d.base64(120)}","testMode":false}}'
    elif service == "signin":
        additional = '{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"Yes"}'
        return record(d, a, s, time, service, name, "null", response='{"ConsoleLogin":"Success"}', read_only=False,
                      additional=additional, event_type="AwsConsoleSignIn").replace(s.agent, BROWSER)
    else:
        request = f'{{"maxResults":100,"nextToken":"{d.base64(64)}"}}'
    error = denied(a, f"{service}:{name}") if d.random() < 0.03 else ""
    read_only = name.startswith(("Get", "Describe"))
    return record(d, a, s, time, service, name, request, read_only=read_only, error=error, additional=additional,
                  resources=resources, management=management)


# Of 1,000 records.
MIX = [(kms, 150), (s3, 240), (sts, 120), (describe, 160), (configure, 8), (trap, 6), (everyday, 316)]
KINDS = [kind for kind, share in MIX for _ in range(share)]


def write_file(job):
    out, seed, number, count, level = job
    d = Draw(f"{seed}/file/{number}")
    account = Account(seed, d.one(ACCOUNTS), d.one(REGIONS))
    start = FIRST_MINUTE + timedelta(minutes=5 * (number % 4_000))
    times = [(start + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%SZ") for n in range(300)]
    sessions = [Session(d, account, start) for _ in range(16)]
    session, kind, records, of_kms = sessions[0], describe, [], 0
    for _ in range(count):
        # The one who has called calls again, and mostly for the same.
        if d.random() < 0.2:
            session = d.one(sessions)
        if d.random() < 0.7:
            kind = d.one(KINDS)
        of_kms += kind is kms
        records.append(kind(d, account, session, d.one(times)))
    raw = ('{"Records":[' + ",".join(records) + "]}").encode()
    deflate = zlib.compressobj(level, zlib.DEFLATED, 31)
    stored = deflate.compress(raw) + deflate.flush()
    a, region = account.number, account.region
    folder = Path(out, "AWSLogs", ORG, a, "CloudTrail", region, f"{start:%Y/%m/%d}")
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(f"{a}_CloudTrail_{region}_{start:%Y%m%dT%H%MZ}_{d.base64(16).replace('/', 'x').replace('+', 'y')}.json.gz").write_bytes(stored)
    return count, of_kms, len(raw), len(stored)


def plan(options):
    """How many records each file gets; does not depend on the number of jobs."""
    d = Draw(f"{options.seed}/plan")
    left, counts = int(options.mib * 2**20) // BYTES_A_RECORD, []
    while left > 0:
        counts.append(min(FEWEST + d.below(MOST - FEWEST + 1), max(left, FEWEST)))
        left -= counts[-1]
    return [(options.out, options.seed, number, count, options.level) for number, count in enumerate(counts)]


def prepare(out, wanted):
    """Whether there is anything to do. Removes an older trail, never anything else."""
    marker = out / MARKER
    try:
        held = json.loads(marker.read_text())
    except (OSError, ValueError):
        held = None
    if held is not None and held.get("parameters") == wanted and "files" in held:
        return False
    if held is None and out.is_dir() and any(out.iterdir()):
        sys.exit(f"{out} is not empty, and not a trail that this script made")
    shutil.rmtree(out / "AWSLogs", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps({"parameters": wanted}))
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--mib", type=float, default=640, help="JSON, decompressed")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--level", type=int, default=6, help="of gzip")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    script = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    wanted = {"mib": options.mib, "seed": options.seed, "level": options.level, "script": script}
    if not prepare(options.out, wanted):
        return
    with Pool(options.jobs) as pool:
        rows = list(pool.imap_unordered(write_file, plan(options)))
    records, of_kms, raw, stored = map(sum, zip(*rows))
    held = {"parameters": wanted, "files": len(rows), "records": records, "kms": of_kms, "json_bytes": raw, "stored_bytes": stored}
    # By a rename: a marker that says so is of a trail that is there.
    draft = options.out / (MARKER + ".new")
    draft.write_text(json.dumps(held))
    draft.replace(options.out / MARKER)
    print(f"{len(rows)} files, {records} records, {100 * of_kms / records:.1f} % KMS, {raw / records:.0f} bytes a record, "
          f"{raw / 2**20:.0f} MiB of JSON, {raw / stored:.1f}:1", file=sys.stderr)


if __name__ == "__main__":
    main()
