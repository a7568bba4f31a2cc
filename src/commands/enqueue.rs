//! `keytrail enqueue`: puts a listing on a queue, so that any number of `tail` work through it.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::ProgressBar;
use serde_json::json;
use tokio::task::JoinSet;

use super::Verdict;
use super::network::Network;
use super::sources::each_page;
use crate::cli::{Enqueue, Place, SummaryFormat};
use crate::cloud::Retries;
use crate::model::object::ObjectRef;
use crate::report::table::{counted, size};
use crate::source::announcement::{self, OBJECTS_OF_A_MESSAGE};
use crate::source::notification::Named;
use crate::source::queue::{MOST_OF_A_CALL, Queue, Verdict as QueueVerdict};
use crate::source::sqs::Sqs;

/// Calls under way at once: a call takes some 10 ms, and a listing brings a thousand objects at a time.
const AT_ONCE: usize = 16;
/// Attempts at a message that the queue is too busy for.
const ATTEMPTS: u32 = 6;

pub(super) fn run(args: &Enqueue, out: &mut dyn Write) -> Result<Verdict> {
    let started = Instant::now();
    let wanted = args.filter.wanted()?;
    let network = Network::for_queue(&args.aws, &args.queue_url)?;
    let queue = Arc::new(network.queue(&args.queue_url));
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(500));
    let (mut objects, mut bytes, mut messages) = (0_u64, 0_u64, 0_u64);
    for source in &args.sources {
        let Place::S3(location) = source else { bail!("only s3://bucket/prefix can be put on a queue") };
        let mut sender = Sender { queue: Arc::clone(&queue), calls: JoinSet::new(), open: Vec::new() };
        each_page(location, &wanted, &network, async |page| {
            objects += page.len() as u64;
            bytes += page.iter().map(|object| object.size).sum::<u64>();
            for named in page.into_iter().map(named).collect::<Vec<_>>().chunks(OBJECTS_OF_A_MESSAGE) {
                messages += 1;
                sender.add(announcement::body(named)).await?;
            }
            bar.set_message(counted(objects, "file"));
            Ok(())
        })?;
        network.handle().block_on(sender.finish())?;
    }
    bar.finish_and_clear();
    if objects == 0 {
        bail!("the sources hold no log files{}", args.filter.hint());
    }
    match args.format {
        SummaryFormat::Text => {
            writeln!(
                out,
                "enqueued  {} of {} in {}",
                counted(objects, "file"),
                size(bytes),
                counted(messages, "message")
            )?;
            writeln!(out, "took      {:.1} s", started.elapsed().as_secs_f64())?;
        }
        SummaryFormat::Json => writeln!(out, "{}", json!({"objects": objects, "bytes": bytes, "messages": messages}))?,
    }
    Ok(Verdict::Good)
}

fn named(object: ObjectRef) -> Named {
    let ObjectRef { bucket, key, etag, size, .. } = object;
    Named { bucket, key, size: Some(size), etag: Some(etag).filter(|etag| !etag.is_empty()), region: None }
}

/// Sends messages in calls of as many as a call takes, several calls at once.
struct Sender {
    queue: Arc<Sqs>,
    calls: JoinSet<Result<()>>,
    open: Vec<String>,
}

impl Sender {
    async fn add(&mut self, body: String) -> Result<()> {
        self.open.push(body);
        if self.open.len() == MOST_OF_A_CALL { self.call().await } else { Ok(()) }
    }

    async fn call(&mut self) -> Result<()> {
        while self.calls.len() >= AT_ONCE {
            if let Some(ended) = self.calls.join_next().await {
                ended??;
            }
        }
        self.calls.spawn(send(Arc::clone(&self.queue), std::mem::take(&mut self.open)));
        Ok(())
    }

    async fn finish(mut self) -> Result<()> {
        self.call().await?;
        while let Some(ended) = self.calls.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// Sends messages; those that the queue is too busy for again. One that is sent twice does no harm.
async fn send(queue: Arc<Sqs>, mut bodies: Vec<String>) -> Result<()> {
    let pauses = Retries::default();
    for attempt in 1.. {
        if bodies.is_empty() {
            return Ok(());
        }
        let answers = queue.send(bodies.clone()).await;
        let mut left = Vec::new();
        for (body, answer) in bodies.into_iter().zip(answers) {
            match answer {
                Ok(()) => {}
                Err(error) if error.verdict() == QueueVerdict::Retry && attempt < ATTEMPTS => left.push(body),
                Err(error) => return Err(error.into()),
            }
        }
        bodies = left;
        if !bodies.is_empty() {
            tokio::time::sleep(pauses.pause(attempt)).await;
        }
    }
    Ok(())
}
