//! Acts of other services that take encryption, or one's own key, away; and what shows that a key
//! is gone.

mod acts;
mod copy_source;
mod customer_key_revoked_symptom;
mod object_under_client_key;
mod own_key_given_up;
mod queue_or_topic_key_removed;
mod removal;
mod request;

use super::{Check, Events, Rule};
use crate::model::severity::Severity;

const EC2: &str = "ec2.amazonaws.com";
const KINESIS: &str = "kinesis.amazonaws.com";
const LOGS: &str = "logs.amazonaws.com";
const S3: &str = "s3.amazonaws.com";
const SNS: &str = "sns.amazonaws.com";
const SQS: &str = "sqs.amazonaws.com";

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[
    Rule {
        id: "bucket-encryption-removed",
        family: "encryption-weakened",
        title: "Default encryption of an S3 bucket removed",
        severity: Severity::Medium,
        mitre: &["T1562.001"],
        page: include_str!("bucket_encryption_removed.md"),
        check: Check::Event { events: Events::Table(|| vec![(S3, "DeleteBucketEncryption")]), check: removal::check },
    },
    Rule {
        id: "customer-key-revoked-symptom",
        family: "encryption-weakened",
        title: "Volume cannot be attached: its KMS key refuses",
        severity: Severity::Medium,
        mitre: &[],
        page: include_str!("customer_key_revoked_symptom.md"),
        check: Check::Event {
            events: Events::Table(|| vec![(EC2, "AttachVolume")]),
            check: customer_key_revoked_symptom::check,
        },
    },
    Rule {
        id: "ebs-default-encryption-off",
        family: "encryption-weakened",
        title: "EBS encryption by default switched off",
        severity: Severity::Medium,
        mitre: &["T1562.001"],
        page: include_str!("ebs_default_encryption_off.md"),
        check: Check::Event {
            events: Events::Table(|| vec![(EC2, "DisableEbsEncryptionByDefault")]),
            check: removal::check,
        },
    },
    Rule {
        id: "ebs-default-key-reset",
        family: "encryption-weakened",
        title: "Default EBS key reset to the AWS-managed key",
        severity: Severity::Medium,
        mitre: &[],
        page: include_str!("ebs_default_key_reset.md"),
        check: Check::Event { events: Events::Table(|| vec![(EC2, "ResetEbsDefaultKmsKeyId")]), check: removal::check },
    },
    Rule {
        id: "log-group-key-removed",
        family: "encryption-weakened",
        title: "KMS key taken off a log group",
        severity: Severity::Low,
        mitre: &[],
        page: include_str!("log_group_key_removed.md"),
        check: Check::Event { events: Events::Table(|| vec![(LOGS, "DisassociateKmsKey")]), check: removal::check },
    },
    Rule {
        id: "object-under-client-key",
        family: "encryption-weakened",
        title: "S3 object written under a key that AWS does not keep",
        severity: Severity::Medium,
        mitre: &["T1486"],
        page: include_str!("object_under_client_key.md"),
        check: Check::Event {
            // Parts of an upload say nothing that its start has not said.
            events: Events::Table(|| vec![(S3, "CopyObject"), (S3, "CreateMultipartUpload"), (S3, "PutObject")]),
            check: object_under_client_key::check,
        },
    },
    Rule {
        id: "own-key-given-up",
        family: "encryption-weakened",
        title: "Resource no longer under a customer's key",
        severity: Severity::Medium,
        mitre: &["T1562.001"],
        page: include_str!("own_key_given_up.md"),
        check: Check::Posture(own_key_given_up::judge),
    },
    Rule {
        id: "queue-or-topic-key-removed",
        family: "encryption-weakened",
        title: "No KMS key set for a queue or topic",
        severity: Severity::Low,
        mitre: &[],
        page: include_str!("queue_or_topic_key_removed.md"),
        check: Check::Event {
            events: Events::Table(|| vec![(SNS, "SetTopicAttributes"), (SQS, "SetQueueAttributes")]),
            check: queue_or_topic_key_removed::check,
        },
    },
    Rule {
        id: "stream-encryption-stopped",
        family: "encryption-weakened",
        title: "Encryption of a Kinesis stream stopped",
        severity: Severity::Medium,
        mitre: &["T1562.001"],
        page: include_str!("stream_encryption_stopped.md"),
        check: Check::Event {
            events: Events::Table(|| vec![(KINESIS, "StopStreamEncryption")]),
            check: removal::check,
        },
    },
];
