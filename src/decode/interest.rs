//! Which events somebody wants, as the scan asks for it: by raw bytes.

use rustc_hash::{FxHashMap, FxHashSet};

/// Wanted (`eventSource`, `eventName`) pairs.
#[derive(Debug, Default)]
pub struct Interest {
    sources: FxHashMap<Box<[u8]>, Names>,
    everything: bool,
}

/// Wanted events of one source.
#[derive(Debug)]
pub enum Names {
    /// All of them.
    All,
    /// Those with these names.
    Some(FxHashSet<Box<[u8]>>),
}

impl Names {
    /// Whether the event is wanted.
    #[must_use]
    pub fn contains(&self, event_name: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => names.contains(event_name),
        }
    }
}

static ALL: Names = Names::All;

impl Interest {
    /// Every event there is: for `--strict`, and for files whose kind is in doubt.
    #[must_use]
    pub fn in_everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Wants all events of `source`.
    #[must_use]
    pub fn and_source(mut self, source: &str) -> Self {
        self.sources.insert(source.as_bytes().into(), Names::All);
        self
    }

    /// Wants one event of `source`.
    #[must_use]
    pub fn and_event(mut self, source: &str, name: &str) -> Self {
        let entry = self.sources.entry(source.as_bytes().into());
        if let Names::Some(names) = entry.or_insert_with(|| Names::Some(FxHashSet::default())) {
            names.insert(name.as_bytes().into());
        }
        self
    }

    /// What is wanted of `source`, if anything.
    #[must_use]
    pub fn of(&self, source: &[u8]) -> Option<&Names> {
        if self.everything { Some(&ALL) } else { self.sources.get(source) }
    }
}
