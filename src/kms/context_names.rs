//! Encryption-context names that AWS services and client libraries are known to set (DOMAIN D.2).

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// What the value of a known name tells about the account of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountIn {
    /// An ARN whose account can be compared.
    Arn,
    /// An ARN whose account may rightly be another one of the organization.
    OrganizationArn,
    /// The bare account id.
    Plain,
    /// Nothing comparable.
    Nothing,
}

/// A known name.
#[derive(Debug)]
pub struct ContextName {
    /// The name, or its prefix if it ends in `*`.
    pub name: &'static str,
    /// Service whose resource the value names; client libraries have names of their own.
    pub service: &'static str,
    /// Where the value has an account.
    pub account: AccountIn,
    /// Whether the ARN's Region can be compared.
    pub region: bool,
    /// Services that rightly send it; `direct` where callers may themselves.
    pub accepted_via: &'static [&'static str],
}

impl ContextName {
    /// Whether a principal may rightly send this name itself.
    #[must_use]
    pub fn direct_is_legitimate(&self) -> bool {
        self.accepted_via.contains(&"direct")
    }

    /// The service that the name claims to speak for.
    #[must_use]
    pub fn claimed_service(&self) -> Option<&'static str> {
        (!self.is_client_side()).then_some(self.service)
    }

    /// That service's label as services are called in `invokedBy`: EFS is `elasticfilesystem` there.
    #[must_use]
    pub fn label(&self) -> Option<&'static str> {
        let service = self.claimed_service()?;
        let is_label = self.accepted_via.contains(&service);
        if is_label { Some(service) } else { self.accepted_via.first().copied() }
    }

    /// Whether the name belongs to a client library rather than to a service.
    #[must_use]
    pub fn is_client_side(&self) -> bool {
        self.accepted_via.contains(&"any")
    }
}

/// The known name that `name` is; case counts, as it does for KMS.
#[must_use]
pub fn known(name: &str) -> Option<&'static ContextName> {
    let name = plain(name);
    let Lookup { whole, prefixes } = &*LOOKUP;
    whole
        .get(name)
        .copied()
        .or_else(|| prefixes.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, known)| *known))
}

/// What is known of a pair: some names tell only together with the value.
#[must_use]
pub fn known_pair(name: &str, value: &str) -> Option<&'static ContextName> {
    known(name).or_else(|| {
        (name == ELASTIC_TRANSCODER.name && value == "elastictranscoder.amazonaws.com").then_some(&ELASTIC_TRANSCODER)
    })
}

static ELASTIC_TRANSCODER: ContextName =
    name("service", "elastictranscoder", Nothing, false, &["elastictranscoder", "opaque"]);

/// The names, ready to be asked for: every context of every call is.
struct Lookup {
    whole: FxHashMap<&'static str, &'static ContextName>,
    prefixes: Vec<(&'static str, &'static ContextName)>,
}

static LOOKUP: LazyLock<Lookup> = LazyLock::new(|| Lookup {
    whole: NAMES.iter().map(|known| (known.name, known)).collect(),
    prefixes: NAMES.iter().filter_map(|known| Some((known.name.strip_suffix('*')?, known))).collect(),
});

/// A name without the prefix that `EventBridge` is documented to add.
#[must_use]
pub fn plain(name: &str) -> &str {
    name.strip_prefix("kms:EncryptionContext:").unwrap_or(name)
}

const fn name(
    name: &'static str,
    service: &'static str,
    account: AccountIn,
    region: bool,
    accepted_via: &'static [&'static str],
) -> ContextName {
    ContextName { name, service, account, region, accepted_via }
}

use AccountIn::{Arn, Nothing, OrganizationArn, Plain};

/// Sorted by name.
#[rustfmt::skip]
const NAMES: &[ContextName] = &[
    name("PARAMETER_ARN", "ssm", Arn, true, &["ssm", "opaque"]),
    name("SecretARN", "secretsmanager", Arn, true, &["secretsmanager", "opaque"]),
    name("SecretVersionId", "secretsmanager", Nothing, false, &["secretsmanager", "opaque"]),
    name("aws-crypto-ec:*", "aws-database-encryption-sdk", Nothing, false, &["direct", "any"]),
    name("aws-crypto-public-key", "aws-encryption-sdk", Nothing, false, &["direct", "any"]),
    name("aws:acm:arn", "acm", Arn, true, &["acm", "elasticloadbalancing", "cloudfront", "apigateway", "opaque"]),
    name("aws:aiops:investigation-group-arn", "aiops", Arn, true, &["aiops", "opaque"]),
    name("aws:aoss:arn", "aoss", Arn, true, &["aoss", "opaque"]),
    name("aws:apigateway:arn", "apigateway", Arn, true, &["apigateway", "acm", "opaque"]),
    name("aws:athena:arn", "athena", Arn, true, &["athena", "opaque"]),
    name("aws:backup:backup-vault", "backup", Nothing, false, &["backup", "opaque"]),
    name("aws:bedrock:arn", "bedrock", Arn, true, &["bedrock", "opaque"]),
    name("aws:cassandra:keyspaceName", "keyspaces", Nothing, false, &["cassandra", "opaque"]),
    name("aws:cloudtrail:arn", "cloudtrail", OrganizationArn, false, &["cloudtrail", "s3", "opaque"]),
    name("aws:connect:OrganizationId", "connect", Nothing, false, &["connect", "s3", "kinesisvideo", "opaque"]),
    name("aws:deadline:accountId", "deadline", Plain, false, &["deadline", "opaque"]),
    name("aws:dsql:ClusterId", "dsql", Nothing, false, &["dsql", "opaque"]),
    name("aws:dynamodb:subscriberId", "dynamodb", Plain, false, &["dynamodb", "opaque"]),
    name("aws:dynamodb:tableName", "dynamodb", Nothing, false, &["dynamodb", "opaque"]),
    name("aws:ebs:id", "ebs", Nothing, false, &["ebs", "ec2", "rds", "redshift", "workspaces", "mq", "kafka", "eks", "elasticache", "es", "emr", "sagemaker", "opaque"]),
    name("aws:ecr:arn", "ecr", Arn, true, &["ecr", "opaque"]),
    name("aws:eks:cluster-name", "eks", Nothing, false, &["eks", "opaque"]),
    name("aws:elasticfilesystem:filesystem:id", "efs", Nothing, false, &["elasticfilesystem", "mq", "opaque"]),
    name("aws:elasticloadbalancing:arn", "elb", Arn, true, &["elasticloadbalancing", "acm", "opaque"]),
    name("aws:events:event-bus:arn", "events", Arn, true, &["events", "opaque"]),
    name("aws:fsx:fs-id", "fsx", Nothing, false, &["fsx", "opaque"]),
    name("aws:geo:arn", "location", Arn, true, &["geo", "opaque"]),
    name("aws:iotsitewise:subscriberId", "iotsitewise", Plain, false, &["iotsitewise", "opaque"]),
    name("aws:kinesis:arn", "kinesis", Arn, true, &["kinesis", "firehose", "lambda", "opaque"]),
    name("aws:kinesisanalytics:arn", "kinesisanalytics", Arn, true, &["kinesisanalytics", "opaque"]),
    name("aws:kinesisvideo:arn", "kinesisvideo", Arn, true, &["kinesisvideo", "opaque"]),
    name("aws:lambda:EventSourceArn", "lambda", Arn, true, &["lambda", "opaque"]),
    name("aws:lambda:FunctionArn", "lambda", Arn, true, &["lambda", "opaque", "direct-aws-internal", "direct"]),
    name("aws:logs:arn", "logs", Arn, true, &["logs", "opaque"]),
    name("aws:pi:service", "rds", Nothing, false, &["rds", "pi", "opaque"]),
    name("aws:qdeveloper:accountId", "q", Plain, false, &["q", "opaque"]),
    name("aws:rds:db-id", "rds", Nothing, false, &["rds", "ebs", "ec2", "opaque", "direct"]),
    name("aws:rds:dbc-id", "rds", Nothing, false, &["rds", "ebs", "ec2", "opaque", "direct"]),
    name("aws:redshift-serverless:arn", "redshift", Arn, true, &["redshift-serverless", "opaque"]),
    name("aws:redshift:arn", "redshift", Arn, true, &["redshift", "opaque"]),
    name("aws:redshift:createtime", "redshift", Nothing, false, &["redshift", "opaque"]),
    name("aws:redshift:integration:arn", "redshift", Arn, true, &["rds", "redshift", "opaque"]),
    name("aws:s3:arn", "s3", Nothing, false, &["s3", "firehose", "cloudtrail", "athena", "glue", "ecr", "codebuild", "codepipeline", "backup", "emr", "rds", "redshift", "logs", "delivery.logs", "config", "appflow", "storagegateway", "mediaconvert", "sagemaker", "bedrock", "guardduty", "macie", "vpc-flow-logs", "opaque"]),
    name("aws:s3express:arn", "s3", Arn, true, &["s3", "opaque"]),
    name("aws:s3tables:arn", "s3tables", Arn, true, &["s3tables", "s3", "opaque"]),
    name("aws:scheduler:schedule:arn", "scheduler", Arn, true, &["scheduler", "opaque"]),
    name("aws:ses:source-account", "ses", Plain, false, &["ses", "opaque"]),
    name("aws:sns:topicArn", "sns", Arn, true, &["sns", "sqs", "opaque"]),
    name("aws:sqs:arn", "sqs", Arn, true, &["sqs", "sns", "events", "s3", "opaque"]),
    name("aws:ssm:SessionId", "ssm", Nothing, false, &["ssm", "opaque"]),
    name("aws:states:activityArn", "states", Arn, true, &["states", "opaque"]),
    name("aws:states:stateMachineArn", "states", Arn, true, &["states", "opaque"]),
    name("aws:workmail:arn", "workmail", Arn, true, &["workmail", "opaque"]),
    name("aws:workspaces:sid-directoryid", "workspaces", Nothing, false, &["workspaces", "ebs", "ec2", "opaque"]),
    name("aws:x-amz-cek-alg", "s3-encryption-client", Nothing, false, &["direct", "any"]),
    name("glue_catalog_id", "glue", Plain, false, &["glue", "opaque"]),
    name("kms_cmk_id", "s3-encryption-client", Nothing, false, &["direct", "any"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found() {
        assert!(NAMES.is_sorted_by_key(|known| known.name));
        let claimed = |name| known(name).and_then(ContextName::claimed_service);
        assert_eq!(claimed("SecretARN"), Some("secretsmanager"));
        assert_eq!(claimed("secretarn"), None);
        assert_eq!(claimed("aws-crypto-public-key"), None);
        assert!(known("aws-crypto-ec:anything").is_some_and(ContextName::is_client_side));
        let label = |name| known(name).and_then(ContextName::label);
        assert_eq!(label("aws:elasticfilesystem:filesystem:id"), Some("elasticfilesystem"));
        assert_eq!(label("aws:redshift:integration:arn"), Some("redshift"));
        assert_eq!((label("aws:geo:arn"), label("kms_cmk_id")), (Some("geo"), None));
        let transcoder = |value| known_pair("service", value).map(|known| known.service);
        assert_eq!(transcoder("elastictranscoder.amazonaws.com"), Some("elastictranscoder"));
        assert_eq!(transcoder("billing"), None);
        assert!(known("kms:EncryptionContext:aws:events:event-bus:arn").is_some());
    }
}
