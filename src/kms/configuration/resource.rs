//! One name for a resource, however different events name it, and what a name stands for.

/// Settings whose events name what holds many things: one says nothing about the next.
const HOLDS_MANY: [&str; 6] =
    ["athena.query", "connect.storage", "efs.replication", "s3.put_object", "secrets.replica", "ses.rule"];

/// Acts that set something else than the other acts of their row do: row, event, and what they set. A query
/// names the workgroup that it runs in, and says nothing of the workgroup's own setting.
const APART: [(&str, &str, &str); 1] = [("athena.wg", "StartQueryExecution", "athena.query")];

/// Settings of which an account has one in each Region.
const ACCOUNT_WIDE: [&str; 4] = ["ebs.default_key", "glue.catalog", "glue.connpw", "xray"];

/// What an act sets, where that is not what the other acts of its row do.
#[must_use]
pub fn set_apart(row: &str, event_name: &str) -> Option<&'static str> {
    APART.iter().find(|(of, event, _)| (*of, *event) == (row, event_name)).map(|(.., setting)| *setting)
}

/// Whether the name stands for many things, such as a bucket for its objects.
#[must_use]
pub fn holds_many(setting: &str) -> bool {
    HOLDS_MANY.contains(&setting)
}

/// Whether an account has one such thing in each Region, so that events need not name it.
#[must_use]
pub fn is_account_wide(setting: &str) -> bool {
    ACCOUNT_WIDE.contains(&setting)
}

/// Whether an act makes a thing of its own and names what it is made of: a copy, a snapshot.
#[must_use]
pub fn makes_another(setting: &str, event_name: &str) -> bool {
    let snapshot = event_name.starts_with("Create") && event_name.ends_with("Snapshot");
    !holds_many(setting) && (snapshot || event_name.starts_with("Copy"))
}

/// The name in an ARN or URL, without the kind of thing; of a secret without the six characters that
/// Secrets Manager adds to its name.
#[must_use]
pub fn plain_name(resource: &str) -> &str {
    if let Some((_, secret)) = resource.split_once(":secret:") {
        let name = secret.rsplit_once('-').filter(|(_, suffix)| suffix.len() == 6).map(|(name, _)| name);
        return name.unwrap_or(secret);
    }
    if resource.starts_with("arn:") {
        // What kind of thing it is stands in front: `db:orders`, `table/orders`.
        let name = resource.splitn(6, ':').last().unwrap_or(resource);
        return name.split_once([':', '/']).map_or(name, |(_, name)| name);
    }
    match resource.split_once("://") {
        Some((_, url)) => url.rsplit('/').next().unwrap_or(url),
        None => resource,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_name_a_resource_differently_mean_the_same() {
        assert_eq!(plain_name("arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf"), "prod/db");
        assert_eq!(plain_name("prod/db"), "prod/db");
        assert_eq!(plain_name("arn:aws:sns:us-east-1:111122223333:alerts"), "alerts");
        assert_eq!(plain_name("https://sqs.us-east-1.amazonaws.com/111122223333/jobs"), "jobs");
        assert_eq!(plain_name("arn:aws:rds:us-east-1:111122223333:db:orders"), "orders");
        assert_eq!(plain_name("arn:aws:dynamodb:us-east-1:111122223333:table/orders"), plain_name("orders"));
        assert_eq!(plain_name("vol-0abcdef1234567890"), "vol-0abcdef1234567890");
    }
}
