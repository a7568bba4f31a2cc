//! Where alerts go, as the command line says.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::alerts::sink::Sink;
use crate::alerts::stream::Stream;
use crate::alerts::target::Target;
use crate::alerts::topic::Topic;
use crate::alerts::webhook::Webhook;
use crate::cli::Tail;
use crate::commands::network::Network;

/// The places that were asked for.
pub(super) fn sinks(args: &Tail, network: &Network) -> Result<Vec<Arc<dyn Sink>>> {
    let words =
        [("--alerts", &args.alerts), ("--alert-topic", &args.alert_topic), ("--alert-webhook", &args.alert_webhook)];
    words
        .into_iter()
        .filter_map(|(flag, word)| Some((flag, word.as_deref()?)))
        .map(|(flag, word)| -> Result<Arc<dyn Sink>> {
            Ok(match Target::parse(word).context(flag)? {
                Target::Stderr => Arc::new(Stream::stderr().context("cannot write alerts to standard error")?),
                Target::Stdout => Arc::new(Stream::stdout().context("cannot write alerts to standard output")?),
                Target::Topic { arn, region } => Arc::new(Topic::new(network.aws().in_region(&region).sns(), arn)),
                Target::Webhook(webhook) => Arc::new(Webhook::new(webhook)),
            })
        })
        .collect()
}
