//! One name for a resource, however different events name it.

/// What stands behind the last separator of an ARN or URL; of a secret without the six characters that
/// Secrets Manager adds to its name.
#[must_use]
pub fn plain_name(resource: &str) -> &str {
    if let Some((_, secret)) = resource.split_once(":secret:") {
        let name = secret.rsplit_once('-').filter(|(_, suffix)| suffix.len() == 6).map(|(name, _)| name);
        return name.unwrap_or(secret);
    }
    if resource.starts_with("arn:") {
        return resource.splitn(6, ':').last().unwrap_or(resource);
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
        assert_eq!(plain_name("arn:aws:rds:us-east-1:111122223333:db:orders"), "db:orders");
        assert_eq!(plain_name("vol-0abcdef1234567890"), "vol-0abcdef1234567890");
    }
}
