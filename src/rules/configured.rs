//! Words for what services were told of encryption: who, which thing, which key.

use super::phrase::{actor, named_key};
use super::posture::Posture;
use crate::kms::configuration::resource::plain_name;
use crate::kms::key_reference::alias_of;
use crate::model::configuration::ConfigurationRow;

/// By row of the table of services: what it is that has a key, one and several.
const THINGS: &[(&str, [&str; 2])] = &[
    ("aurora.cluster", ["database cluster", "database clusters"]),
    ("aurora.cluster.by_answer", ["database cluster", "database clusters"]),
    ("aurora.cluster.owned", ["database cluster", "database clusters"]),
    ("backup.vault", ["backup vault", "backup vaults"]),
    ("cloudtrail.trail", ["trail", "trails"]),
    ("codebuild", ["CodeBuild project", "CodeBuild projects"]),
    ("codepipeline", ["pipeline", "pipelines"]),
    ("dax.cluster", ["DAX cluster", "DAX clusters"]),
    ("ddb.replica", ["replica of table", "replicas of tables"]),
    ("ddb.table", ["table", "tables"]),
    ("dlm.policy", ["snapshots of lifecycle policy", "snapshots of lifecycle policies"]),
    ("ebs.copy_image", ["image", "images"]),
    ("ebs.copy_snapshot", ["snapshot", "snapshots"]),
    ("ebs.create_volume", ["volume", "volumes"]),
    ("ebs.launch_template", ["volumes of launch template", "volumes of launch templates"]),
    ("ebs.run_instances", ["volumes of instance", "volumes of instances"]),
    ("ecr.repo", ["repository", "repositories"]),
    ("ecs.ebs", ["volumes of ECS service", "volumes of ECS services"]),
    ("efs.create", ["file system", "file systems"]),
    ("efs.replication", ["replica of file system", "replicas of file systems"]),
    ("eks.cluster", ["EKS cluster", "EKS clusters"]),
    ("fsx.create", ["FSx file system", "FSx file systems"]),
    ("kinesis.enc", ["stream", "streams"]),
    ("lambda.code", ["code of function", "code of functions"]),
    ("lambda.fn", ["function", "functions"]),
    ("logs.group", ["log group", "log groups"]),
    ("mq.broker", ["broker", "brokers"]),
    ("msk.cluster", ["MSK cluster", "MSK clusters"]),
    ("opensearch.domain", ["OpenSearch domain", "OpenSearch domains"]),
    ("rds.activity_stream", ["activity stream of database", "activity streams of databases"]),
    ("rds.copy_snapshot", ["database snapshot", "database snapshots"]),
    ("rds.export", ["exported snapshot", "exported snapshots"]),
    ("rds.instance", ["database", "databases"]),
    ("rds.instance.by_answer", ["database", "databases"]),
    ("rds.instance.owned", ["database", "databases"]),
    ("rds.master_secret", ["master password of database", "master passwords of databases"]),
    ("rds.pi", ["Performance Insights of database", "Performance Insights of databases"]),
    ("rds.restore", ["restored database", "restored databases"]),
    ("redshift.cluster", ["Redshift cluster", "Redshift clusters"]),
    ("redshift.cluster.off", ["Redshift cluster", "Redshift clusters"]),
    ("redshift.secret", ["admin password of Redshift cluster", "admin passwords of Redshift clusters"]),
    ("s3.bucket_enc", ["bucket", "buckets"]),
    ("s3.bucket_enc.off", ["bucket", "buckets"]),
    ("s3.put_object", ["objects in bucket", "objects in buckets"]),
    ("s3.replication", ["replicas of bucket", "replicas of buckets"]),
    ("secrets.create", ["secret", "secrets"]),
    ("secrets.replica", ["replicas of secret", "replicas of secrets"]),
    ("secrets.update", ["secret", "secrets"]),
    ("sns.set", ["topic", "topics"]),
    ("sns.topic", ["topic", "topics"]),
    ("sqs.queue", ["queue", "queues"]),
    ("ssm.put", ["parameter", "parameters"]),
    ("ddb.table.off", ["table", "tables"]),
];

/// Of what an account has once in a Region.
const ACCOUNT_WIDE: [(&str, &str); 5] = [
    ("ebs.default_key", "EBS volumes that name no key"),
    ("glue.catalog", "the Data Catalog of Glue"),
    ("glue.catalog.off", "the Data Catalog of Glue"),
    ("glue.connpw", "connection passwords in the Data Catalog of Glue"),
    ("xray", "traces of X-Ray"),
];

/// Names of services that the table writes for whoever reads the table.
const SERVICES: [(&str, &str); 7] = [
    ("aurora.cluster", "RDS"),
    ("aurora.cluster.by_answer", "RDS"),
    ("aurora.cluster.owned", "RDS"),
    ("drs.mgn", "Elastic Disaster Recovery"),
    ("fleet.misc", "Cloud9"),
    ("pipes.sched", "EventBridge Pipes"),
    ("s3.put_object", "S3"),
];

fn look_up<T: Copy>(table: &[(&str, T)], rule: &str) -> Option<T> {
    table.iter().find(|(id, _)| *id == rule).map(|(_, words)| *words)
}

/// The person, program or service that acted.
#[must_use]
pub fn who(row: &ConfigurationRow<'_>) -> String {
    actor(row.principal_arn, row.session_name, row.via_service)
}

/// The service, as one calls it.
#[must_use]
pub fn service<'r>(row: &ConfigurationRow<'r>) -> &'r str {
    let plain = row.service.split(" (").next().unwrap_or(row.service);
    look_up(&SERVICES, row.service_rule).unwrap_or(plain)
}

/// The thing that has a key: `database orders`, `objects in bucket reports`.
#[must_use]
pub fn thing(row: &ConfigurationRow<'_>) -> String {
    if let Some(words) = look_up(&ACCOUNT_WIDE, row.service_rule) {
        return format!("{words} in account {}, {}", row.account_id, row.region);
    }
    let name = plain_name(row.resource);
    match (look_up(THINGS, row.service_rule), name) {
        (Some([one, _]), "") => format!("{one} that the record does not name"),
        (None, "") => format!("a resource in {} that the record does not name", service(row)),
        (Some([one, _]), name) => format!("{one} {name}"),
        (None, name) => format!("{name} in {}", service(row)),
    }
}

/// Several such things: `databases`.
#[must_use]
pub fn things(row: &ConfigurationRow<'_>) -> String {
    let several = look_up(THINGS, row.service_rule).map(|[_, several]| several.to_owned());
    several.unwrap_or_else(|| format!("resources in {}", service(row)))
}

/// A key that a row names, or that came of it.
#[must_use]
pub fn key(row: &ConfigurationRow<'_>, posture: &Posture<'_>) -> String {
    let arn = if row.key_arn.is_empty() { row.key_ref } else { row.key_arn };
    named_key(arn, alias(row, posture))
}

/// The alias of such a key: that by which it is named, or one that always meant it.
#[must_use]
pub fn alias<'r>(row: &ConfigurationRow<'r>, posture: &'r Posture<'_>) -> Option<&'r str> {
    alias_of(row.key_ref).or_else(|| posture.history.alias(row.key_arn))
}

/// Whether AWS acted, not somebody of the account: a service for itself, or through a role of its own.
#[must_use]
pub fn is_by_service(row: &ConfigurationRow<'_>) -> bool {
    let managed_secret = row.service == "Secrets Manager" && plain_name(row.resource).contains('!');
    // CloudFormation makes what a template says.
    !matches!(row.via_service, "" | "cloudformation")
        || matches!(row.principal_type, "AWSService" | "ServiceRole")
        // Nobody but a service may use the mark in a name.
        || managed_secret
}

/// The name of the event, with how often it was if that was more than once.
#[must_use]
pub fn event(row: &ConfigurationRow<'_>) -> String {
    match row.requests {
        0 | 1 => row.event_name.to_owned(),
        requests => format!("{}, {requests} requests", row.event_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::configuration::find;

    #[test]
    fn names_are_as_short_as_they_stay_clear() {
        let of = |text: &'static str| plain_name(text);
        assert_eq!(of("arn:aws:rds:us-east-1:111122223333:db:orders"), "orders");
        assert_eq!(of("arn:aws:dynamodb:us-east-1:111122223333:table/orders"), "orders");
        assert_eq!(of("arn:aws:ecr:us-east-1:111122223333:repository/team/app"), "team/app");
        assert_eq!(of("arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf"), "prod/db");
        assert_eq!(of("arn:aws:sns:us-east-1:111122223333:alerts"), "alerts");
        assert_eq!(of("https://sqs.us-east-1.amazonaws.com/111122223333/jobs"), "jobs");
        assert_eq!(of("/shop/smtp"), "/shop/smtp");
    }

    #[test]
    fn words_are_of_rows_that_there_are() {
        let ids = THINGS.iter().map(|(id, _)| id).chain(ACCOUNT_WIDE.iter().chain(&SERVICES).map(|(id, _)| id));
        for id in ids {
            assert!(find(id).is_some(), "{id}");
        }
    }
}
