//! Amazon SQS as a queue; the only code that deletes messages.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, ChangeMessageVisibilityBatchResultEntry,
    DeleteMessageBatchRequestEntry, DeleteMessageBatchResultEntry, Message as SqsMessage,
    MessageSystemAttributeName as Attribute, QueueAttributeName, SendMessageBatchRequestEntry,
    SendMessageBatchResultEntry,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;

use super::queue::{
    BoxFuture, Depth, LONGEST_INVISIBLE, LONGEST_WAIT, MOST_OF_A_CALL, Message, Operation, Queue, QueueError, Reason,
    Receipt, Refused,
};
use crate::cloud::{Failure, Kind};

/// Most bytes of the bodies that one call sends: the older of SQS's limits, which every server takes.
const MOST_BYTES_OF_A_CALL: usize = 256 * 1024;

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    url: String,
}

impl Sqs {
    /// The queue at a URL.
    #[must_use]
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    fn error(&self, operation: Operation, reason: Reason, detail: &str) -> QueueError {
        QueueError { operation, queue: self.url.clone(), reason, detail: detail.to_owned() }
    }

    /// Sorts the failure of a whole call.
    fn failed<E>(&self, operation: Operation, error: &SdkError<E, HttpResponse>) -> QueueError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        // The service's own words are left out: only its code is sure to hold nothing of a message.
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        let failure = Failure::of(error);
        let reason = code.and_then(|code| reason_of(operation, code)).unwrap_or(match failure.kind {
            Kind::Transient if matches!(error, SdkError::TimeoutError(_)) => Reason::TimedOut,
            Kind::Transient => Reason::Unavailable,
            Kind::Denied => Reason::Denied,
            Kind::KeyDenied => Reason::KeyDenied,
            Kind::Credentials => Reason::Credentials,
            Kind::Missing | Kind::NoBucket => Reason::NoQueue,
            _ => Reason::Invalid,
        });
        match code {
            Some(code) => self.error(operation, reason, code),
            None if error.as_service_error().is_some() => self.error(operation, reason, ""),
            None => self.error(operation, reason, &failure.to_string()),
        }
    }

    fn not_built(&self, operation: Operation, error: &BuildError) -> QueueError {
        self.error(operation, Reason::Invalid, &error.to_string())
    }

    /// One result for each entry of a batch, told by the entries' ids: their places.
    fn by_place<'a>(
        &self,
        operation: Operation,
        entries: usize,
        done: impl Iterator<Item = &'a str>,
        failed: &[BatchResultErrorEntry],
    ) -> Vec<Result<(), QueueError>> {
        // Who is not mentioned is not known to be done.
        let mut results = vec![Err(self.error(operation, Reason::Unavailable, "no result")); entries];
        let mut set = |id: &str, result| {
            if let Some(place) = id.parse::<usize>().ok().and_then(|place| results.get_mut(place)) {
                *place = result;
            }
        };
        done.for_each(|id| set(id, Ok(())));
        for entry in failed {
            let unnamed = if entry.sender_fault() { Reason::Invalid } else { Reason::Unavailable };
            let reason = reason_of(operation, entry.code()).unwrap_or(unnamed);
            set(entry.id(), Err(self.error(operation, reason, entry.code())));
        }
        results
    }

    async fn receive_some(
        &self,
        most: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError> {
        let call = self.client.receive_message().queue_url(&self.url);
        let answer = call
            .max_number_of_messages(i32::try_from(most.clamp(1, MOST_OF_A_CALL)).unwrap_or(1))
            .wait_time_seconds(seconds(wait.min(LONGEST_WAIT)))
            .visibility_timeout(seconds(visibility))
            .message_system_attribute_names(Attribute::ApproximateReceiveCount)
            .message_system_attribute_names(Attribute::SentTimestamp)
            .send()
            .await
            .map_err(|e| self.failed(Operation::Receive, &e))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    /// Changes the visibility of as many messages as one call may.
    async fn change(&self, operation: Operation, receipts: &[&Receipt], to: Duration) -> Vec<Result<(), QueueError>> {
        let entries = receipts.iter().enumerate().map(|(place, receipt)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(receipt.handle())
                .visibility_timeout(seconds(to))
                .build()
                .map_err(|e| self.not_built(operation, &e))
        });
        let call = async {
            let entries = entries.collect::<Result<_, _>>()?;
            let call = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
            call.send().await.map_err(|e| self.failed(operation, &e))
        };
        match call.await {
            Ok(answer) => {
                let done = answer.successful().iter().map(ChangeMessageVisibilityBatchResultEntry::id);
                self.by_place(operation, receipts.len(), done, answer.failed())
            }
            Err(error) => vec![Err(error); receipts.len()],
        }
    }

    /// Deletes as many messages as one call may.
    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<(), QueueError>> {
        let operation = Operation::Acknowledge;
        let entries = receipts.iter().enumerate().map(|(place, receipt)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(receipt.handle())
                .build()
                .map_err(|e| self.not_built(operation, &e))
        });
        let call = async {
            let entries = entries.collect::<Result<_, _>>()?;
            let call = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            call.send().await.map_err(|e| self.failed(operation, &e))
        };
        match call.await {
            Ok(answer) => {
                let done = answer.successful().iter().map(DeleteMessageBatchResultEntry::id);
                self.by_place(operation, receipts.len(), done, answer.failed())
            }
            Err(error) => vec![Err(error); receipts.len()],
        }
    }

    /// Sends as many messages as one call may.
    async fn send_some(&self, bodies: Vec<String>) -> Vec<Result<(), QueueError>> {
        let (operation, count) = (Operation::Send, bodies.len());
        let entries = bodies.into_iter().enumerate().map(|(place, body)| {
            SendMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .message_body(body)
                .build()
                .map_err(|e| self.not_built(operation, &e))
        });
        let call = async {
            let entries = entries.collect::<Result<_, _>>()?;
            let call = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
            call.send().await.map_err(|e| self.failed(operation, &e))
        };
        match call.await {
            Ok(answer) => {
                let done = answer.successful().iter().map(SendMessageBatchResultEntry::id);
                self.by_place(operation, count, done, answer.failed())
            }
            Err(error) => vec![Err(error); count],
        }
    }

    /// Whether what cannot be read ends in a dead-letter queue.
    ///
    /// # Errors
    /// If the queue does not tell.
    pub async fn has_dead_letters(&self) -> Result<bool, QueueError> {
        let name = QueueAttributeName::RedrivePolicy;
        let call = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer = call.send().await.map_err(|e| self.failed(Operation::Depth, &e))?;
        Ok(answer.attributes().is_some_and(|found| found.contains_key(&name)))
    }

    async fn count(&self) -> Result<Depth, QueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let call = self.client.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(names.to_vec()));
        let answer = call.send().await.map_err(|e| self.failed(Operation::Depth, &e))?;
        let [visible, in_flight, delayed] = names.map(|name| {
            answer.attributes().and_then(|found| found.get(&name)).and_then(|n| n.parse().ok()).unwrap_or_default()
        });
        Ok(Depth { visible, in_flight, delayed })
    }
}

impl Queue for Sqs {
    fn name(&self) -> &str {
        &self.url
    }

    fn receive(
        &self,
        most: usize,
        wait: Duration,
        visibility: Duration,
    ) -> BoxFuture<'_, Result<Vec<Message>, QueueError>> {
        Box::pin(self.receive_some(most, wait, visibility))
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [&'a Receipt],
        visibility: Duration,
    ) -> BoxFuture<'a, Vec<Result<(), QueueError>>> {
        Box::pin(async move {
            let mut results = Vec::with_capacity(receipts.len());
            for some in receipts.chunks(MOST_OF_A_CALL) {
                results.extend(self.change(Operation::Extend, some, visibility).await);
            }
            results
        })
    }

    fn release(&self, receipts: Vec<Receipt>, after: Duration) -> BoxFuture<'_, Vec<Refused>> {
        Box::pin(async move {
            let mut results = Vec::with_capacity(receipts.len());
            for some in receipts.chunks(MOST_OF_A_CALL) {
                let some: Vec<&Receipt> = some.iter().collect();
                results.extend(self.change(Operation::Release, &some, after).await);
            }
            refused(receipts, results)
        })
    }

    fn acknowledge(&self, receipts: Vec<Receipt>) -> BoxFuture<'_, Vec<Refused>> {
        Box::pin(async move {
            let mut results = Vec::with_capacity(receipts.len());
            for some in receipts.chunks(MOST_OF_A_CALL) {
                results.extend(self.delete(some).await);
            }
            refused(receipts, results)
        })
    }

    fn send(&self, bodies: Vec<String>) -> BoxFuture<'_, Vec<Result<(), QueueError>>> {
        Box::pin(async move {
            let mut results = Vec::with_capacity(bodies.len());
            for some in calls_of(bodies) {
                results.extend(self.send_some(some).await);
            }
            results
        })
    }

    fn depth(&self) -> BoxFuture<'_, Result<Depth, QueueError>> {
        Box::pin(self.count())
    }
}

/// The region that a queue's URL names: `https://sqs.eu-west-1.amazonaws.com/111122223333/trail`.
#[must_use]
pub fn region_of(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split('/').next()?;
    let name = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let region = name.strip_prefix("sqs.").or_else(|| name.strip_suffix(".queue"))?;
    (!region.is_empty() && !region.contains('.')).then_some(region)
}

/// What SQS means by a code, as far as it is a code of its own; `None` for what all services share.
fn reason_of(operation: Operation, code: &str) -> Option<Reason> {
    let name = code.rsplit(['.', '#']).next().unwrap_or(code);
    let by_receipt = matches!(operation, Operation::Extend | Operation::Release | Operation::Acknowledge);
    Some(match name {
        "NonExistentQueue" | "QueueDoesNotExist" | "QueueDeletedRecently" => Reason::NoQueue,
        "ReceiptHandleIsInvalid" | "MessageNotInflight" => Reason::StaleReceipt,
        // So SQS calls a receipt that has run out.
        "InvalidParameterValue" | "InvalidParameterValueException" if by_receipt => Reason::StaleReceipt,
        // Over the limit of messages in flight: some of them have to be dealt with first.
        "OverLimit" | "RequestThrottled" | "TooManyRequestsException" => Reason::Throttled,
        _ if name.contains("Throttl") => Reason::Throttled,
        _ if code.contains("KMS.") || name.starts_with("Kms") => Reason::KeyDenied,
        "AccessDenied" | "AccessDeniedException" => Reason::Denied,
        "InternalError" | "InternalFailure" | "ServiceUnavailable" => Reason::Unavailable,
        _ => return None,
    })
}

fn message(message: SqsMessage) -> Option<Message> {
    let number = |name| message.attributes.as_ref().and_then(|found| found.get(&name)).and_then(|n| n.parse().ok());
    let received = number(Attribute::ApproximateReceiveCount).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    let sent_ms = number(Attribute::SentTimestamp);
    Some(Message {
        // Without a receipt it can't be deleted: it comes again.
        receipt: Receipt::new(message.receipt_handle?),
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        received,
        sent_ms,
    })
}

fn refused(receipts: Vec<Receipt>, results: Vec<Result<(), QueueError>>) -> Vec<Refused> {
    let pairs = receipts.into_iter().zip(results);
    pairs.filter_map(|(receipt, result)| Some(Refused { receipt, error: result.err()? })).collect()
}

/// Whole seconds; a part of one counts as one, so that nothing becomes zero that is not.
fn seconds(time: Duration) -> i32 {
    let up = u64::from(time.subsec_nanos() > 0);
    i32::try_from(time.min(LONGEST_INVISIBLE).as_secs() + up).unwrap_or_default()
}

/// Cuts bodies into calls, by number and by bytes; their order stays.
fn calls_of(bodies: Vec<String>) -> Vec<Vec<String>> {
    let (mut calls, mut call, mut bytes) = (Vec::new(), Vec::new(), 0);
    for body in bodies {
        if !call.is_empty() && (call.len() == MOST_OF_A_CALL || bytes + body.len() > MOST_BYTES_OF_A_CALL) {
            calls.push(std::mem::take(&mut call));
            bytes = 0;
        }
        bytes += body.len();
        call.push(body);
    }
    if !call.is_empty() {
        calls.push(call);
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted() {
        use Operation::{Acknowledge, Extend, Receive};
        for (operation, code, reason) in [
            (Receive, "AWS.SimpleQueueService.NonExistentQueue", Some(Reason::NoQueue)),
            (Receive, "QueueDoesNotExist", Some(Reason::NoQueue)),
            (Receive, "KMS.ThrottlingException", Some(Reason::Throttled)),
            (Receive, "KMS.AccessDeniedException", Some(Reason::KeyDenied)),
            (Receive, "RequestThrottled", Some(Reason::Throttled)),
            (Receive, "OverLimit", Some(Reason::Throttled)),
            (Receive, "AccessDenied", Some(Reason::Denied)),
            (Receive, "InvalidParameterValue", None),
            (Extend, "InvalidParameterValue", Some(Reason::StaleReceipt)),
            (Extend, "AWS.SimpleQueueService.MessageNotInflight", Some(Reason::StaleReceipt)),
            (Acknowledge, "ReceiptHandleIsInvalid", Some(Reason::StaleReceipt)),
            (Acknowledge, "ExpiredToken", None),
        ] {
            assert_eq!(reason_of(operation, code), reason, "{code}");
        }
    }

    #[test]
    fn the_region_is_in_the_url() {
        assert_eq!(region_of("https://sqs.eu-west-1.amazonaws.com/111122223333/trail"), Some("eu-west-1"));
        assert_eq!(region_of("https://sqs.cn-north-1.amazonaws.com.cn/1/q"), Some("cn-north-1"));
        assert_eq!(region_of("https://us-east-2.queue.amazonaws.com/1/q"), Some("us-east-2"));
        for none in ["http://127.0.0.1:4566/000000000000/q", "trail", "https://sqs.amazonaws.com/1/q"] {
            assert_eq!(region_of(none), None, "{none}");
        }
    }

    #[test]
    fn calls_are_cut_by_number_and_bytes() {
        let sizes = |bodies: Vec<String>| calls_of(bodies).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec!["x".to_owned(); 25]), [10, 10, 5]);
        assert_eq!(sizes(vec!["x".repeat(100_000); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec!["x".repeat(300_000); 2]), [1, 1]);
        assert!(calls_of(Vec::new()).is_empty());
    }

    #[test]
    fn seconds_are_whole_and_never_lost() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_hours(99)), 43_200);
    }
}
