//! Alerts to an SNS topic, with attributes for the filter policies of its subscriptions.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use super::line::Alert;
use super::sink::{BoxFuture, Sink};
use crate::cloud::Failure;

/// Most characters of a subject, in SNS.
const LONGEST_SUBJECT: usize = 100;

/// An SNS topic.
#[derive(Debug, Clone)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic with this ARN; the client must be of its region.
    #[must_use]
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// Whether it keeps an order, as its name must say.
    fn is_fifo(&self) -> bool {
        self.arn.rsplit_once('.').is_some_and(|(_, end)| end == "fifo")
    }
}

impl Sink for Topic {
    fn name(&self) -> &str {
        &self.arn
    }

    fn send<'a>(&'a self, alert: &'a Alert) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let mut call = self.client.publish().topic_arn(&self.arn).subject(subject(alert)).message(&alert.line);
            for (name, text) in attributes(alert) {
                let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
                call = call
                    .message_attributes(name, value.map_err(|error| Failure::coded(None, Some(&error.to_string())))?);
            }
            if self.is_fifo() {
                // Such a topic drops repetitions by itself, for five minutes.
                call = call.message_group_id(alert.rule_id).message_deduplication_id(&alert.finding_id);
            }
            call.send().await.map(|_| ()).map_err(|error| Failure::of(&error))
        })
    }
}

/// What filter policies look at. SNS takes no empty value.
fn attributes(alert: &Alert) -> Vec<(&'static str, &str)> {
    let all = [
        ("rule_id", alert.rule_id),
        ("severity", alert.severity.as_str()),
        // Of a record, so it may be anything: only what is an account goes where it is not escaped.
        ("account", Some(&*alert.account_id).filter(|id| is_account(id)).unwrap_or_default()),
    ];
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// The line that mail shows: words of our own, and the account's number.
fn subject(alert: &Alert) -> String {
    let account = if is_account(&alert.account_id) { format!(" in {}", alert.account_id) } else { String::new() };
    let subject = format!("[keytrail] {}: {}{account}", alert.severity.as_str(), alert.title);
    // SNS takes printable ASCII only.
    subject.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(LONGEST_SUBJECT).collect()
}

fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::line::tests::finding;
    use crate::model::severity::Severity;

    #[test]
    fn only_an_account_goes_into_subject_and_attributes() {
        let mut about = finding("f", Severity::Critical);
        assert_eq!(subject(&Alert::of(&about)), "[keytrail] critical: A key is scheduled for deletion in 111122223333");
        assert_eq!(attributes(&Alert::of(&about)).len(), 3);
        about.subject.account_id = "1111\r\nBcc: x".to_owned();
        about.title = "A key’s policy\u{202e} is open to the world, and this title is much longer than what a subject may hold at most";
        let subject = subject(&Alert::of(&about));
        assert!(subject.len() == 100 && subject.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{subject}");
        assert_eq!(attributes(&Alert::of(&about)).len(), 2);
    }
}
