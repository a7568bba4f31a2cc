//! The acts that take encryption, or one's own key, away: one row an act.

/// An act in words.
#[derive(Debug)]
pub(super) struct Act {
    event_name: &'static str,
    /// What it acts on.
    pub(super) on: On,
    /// Behind the actor's name.
    pub(super) done: &'static str,
    /// Behind "tried to".
    pub(super) tried: &'static str,
    /// What follows if it succeeded.
    pub(super) follows: &'static str,
}

/// What an act acts on.
#[derive(Debug)]
pub(super) enum On {
    /// A resource: what it is, and the members of the request that name it, best first.
    Resource(&'static str, &'static [&'static str]),
    /// All of an account in one Region.
    Region,
}

/// The act that the event records.
pub(super) fn of(event_name: &str) -> Option<&'static Act> {
    ACTS.iter().find(|act| act.event_name == event_name)
}

const ACTS: &[Act] = &[
    Act {
        event_name: "DeleteBucketEncryption",
        on: On::Resource("bucket", &["bucketName"]),
        done: "removed the default encryption of",
        tried: "remove the default encryption of",
        follows: "objects written from now on come under S3's own keys (SSE-S3) and under no KMS key",
    },
    Act {
        event_name: "DisableEbsEncryptionByDefault",
        on: On::Region,
        done: "switched off EBS encryption by default for",
        tried: "switch off EBS encryption by default for",
        follows: "volumes made from now on are encrypted only where the request or the snapshot says so",
    },
    Act {
        event_name: "DisassociateKmsKey",
        on: On::Resource("log group", &["logGroupName", "resourceIdentifier"]),
        done: "took the KMS key off",
        tried: "take the KMS key off",
        follows: "what is logged from now on is no longer under it",
    },
    Act {
        event_name: "ResetEbsDefaultKmsKeyId",
        on: On::Region,
        done: "reset the default EBS key to alias/aws/ebs for",
        tried: "reset the default EBS key to alias/aws/ebs for",
        follows: "volumes that name no key come under a key whose policy is not yours",
    },
    // What was set before is not in the record of these two.
    Act {
        event_name: "SetQueueAttributes",
        on: On::Resource("queue", &["queueUrl", "queueName"]),
        done: "set no KMS key for",
        tried: "set no KMS key for",
        follows: "if it had one, messages sent from now on are no longer under it",
    },
    Act {
        event_name: "SetTopicAttributes",
        on: On::Resource("topic", &["topicArn"]),
        done: "set no KMS key for",
        tried: "set no KMS key for",
        follows: "if it had one, messages published from now on are no longer under it",
    },
    Act {
        event_name: "StopStreamEncryption",
        on: On::Resource("stream", &["streamName", "streamARN"]),
        done: "stopped the encryption of",
        tried: "stop the encryption of",
        follows: "records written from now on are not encrypted by Kinesis",
    },
];
