//! One object, synchronously: from its stored bytes to everything that is drawn from it. The
//! pipeline, benches and tests all call this.

mod configurations;
mod facts;
mod key_changes;
mod object;
mod rejects;
mod resume;
mod usage;

use rustc_hash::FxHashSet;

use crate::decode::event::Decoder;
use crate::decode::gunzip::{Buffer, Gunzip, GunzipError};
use crate::decode::interest::Interest;
use crate::decode::scan::Found;
use crate::kms::configuration;
use crate::model::event::Event;
use crate::model::object::ObjectRef;
use crate::model::r#yield::Yield;
use crate::rules::index::Index;
use crate::rules::settings::Settings;

/// What all workers share: the rules, and what they are interested in.
#[derive(Debug)]
pub struct Plan {
    settings: Settings,
    index: Index,
    interest: Interest,
    everything: Interest,
    /// Whether an object that is no CloudTrail log, by its name as by its content, is skipped.
    skips_foreign: bool,
}

/// How records are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// By the raw bytes: what cannot matter is not parsed, and checked for balance only.
    Fast,
    /// Every record is parsed: nearly twice the time, and every malformed one is noticed.
    Strict,
}

impl Plan {
    /// A plan for the whole catalogue.
    #[must_use]
    pub fn new(settings: Settings, selection: Selection) -> Self {
        let index = Index::default();
        let interest = match selection {
            Selection::Strict => Interest::in_everything(),
            Selection::Fast => index
                .events()
                .chain(configuration::events())
                .filter(|(source, _)| *source != Event::KMS)
                .fold(Interest::default().and_source(Event::KMS), |wanted, (source, name)| {
                    wanted.and_event(source, name)
                }),
        };
        Self { settings, index, interest, everything: Interest::in_everything(), skips_foreign: false }
    }

    /// For sources that hold other things too, such as a bucket with logs of several services: what is
    /// no log of CloudTrail, by its name as by its content, is skipped and not a failure.
    #[must_use]
    pub fn skipping_foreign(mut self) -> Self {
        self.skips_foreign = true;
        self
    }

    /// The settings of the rules.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// A worker's tools, reused from object to object, whatever the plan.
pub struct Analyzer {
    gunzip: Gunzip,
    buffer: Buffer,
    parser: Parser,
}

/// What is needed for the records of an object.
#[derive(Default)]
struct Parser {
    decoder: Decoder,
    found: Found,
    pattern: String,
}

impl Analyzer {
    /// Sets a worker up; `max_object_size` is the most bytes of JSON that one object may hold.
    ///
    /// # Errors
    /// Without memory for a decompressor.
    pub fn new(max_object_size: usize) -> Result<Self, GunzipError> {
        Ok(Self { gunzip: Gunzip::new(max_object_size)?, buffer: Buffer::default(), parser: Parser::default() })
    }

    /// Analyses one object. Events whose identity is in `seen_elsewhere` are counted as duplicates.
    ///
    /// An object that cannot be read is a failed [`Yield`], not an error: it has a row like any other.
    pub fn analyze(
        &mut self,
        plan: &Plan,
        object: &ObjectRef,
        stored: &[u8],
        seen_elsewhere: &FxHashSet<u64>,
    ) -> Yield {
        let analysis = object::Analysis::new(plan, object, seen_elsewhere);
        let drawn = analysis.run(&mut self.gunzip, &mut self.buffer, &mut self.parser, stored);
        self.buffer.release();
        self.parser.decoder.release();
        drawn
    }
}
