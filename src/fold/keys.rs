//! All keys when all days are folded, sorted; their rows are made some at a time.

use std::collections::BTreeMap;

use super::key_state::KeyState;
use super::key_stores::KeyStores;
use super::rotation::Rotation;
use crate::model::arn::Arn;
use crate::model::history::History;
use crate::model::key_record::{KeyRecord, Managers};

/// All keys, sorted by ARN.
#[derive(Debug)]
pub struct SortedKeys {
    /// With the place of its state.
    arns: Vec<(String, usize)>,
    states: Vec<KeyState>,
    aliases: BTreeMap<String, Vec<String>>,
    key_stores: KeyStores,
}

impl SortedKeys {
    pub(super) fn of(
        keys: impl Iterator<Item = (String, usize)>,
        mut states: Vec<KeyState>,
        aliases: BTreeMap<String, Vec<String>>,
        key_stores: KeyStores,
    ) -> Self {
        let mut arns: Vec<_> = keys.collect();
        arns.sort_unstable();
        share_rotation(&arns, &mut states);
        Self { arns, states, aliases, key_stores }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arns.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arns.is_empty()
    }

    /// Shows the rows to `see`, so many at a time, but not many more bytes than these: grants and
    /// policies may be long. What remains is who manages which key.
    ///
    /// # Errors
    /// What `see` says.
    pub fn chunks<E>(
        mut self,
        (rows, bytes): (usize, usize),
        history: &History,
        mut see: impl FnMut(&[&KeyRecord]) -> Result<(), E>,
    ) -> Result<Managers, E> {
        let (mut managers, mut chunk, mut size) = (Vec::with_capacity(self.len()), Vec::new(), 0);
        let mut arns = self.arns.into_iter().peekable();
        while let Some((arn, place)) = arns.next() {
            let state = std::mem::take(&mut self.states[place]);
            let aliases = self.aliases.remove(&arn).unwrap_or_default();
            let store = self.key_stores.last_act(&arn, &state.key_store);
            let record = state.into_record(&arn, aliases, history.last_policy(&arn), store);
            managers.push((arn, record.manager));
            let lists = [&record.policy_difference, &record.aliases, &record.admins];
            size += record.grants.len() + record.policy.len() + record.tags.len();
            size += lists.into_iter().flatten().map(String::len).sum::<usize>();
            chunk.push(record);
            if chunk.len() == rows || size >= bytes || arns.peek().is_none() {
                see(&chunk.iter().collect::<Vec<_>>())?;
                chunk.clear();
                size = 0;
            }
        }
        Ok(Managers::of(managers))
    }
}

/// Multi-Region keys of one id have one material: it is rotated in all Regions or in none, as was set
/// on the one that is their primary.
fn share_rotation(arns: &[(String, usize)], states: &mut [KeyState]) {
    let members = || arns.iter().filter_map(|(arn, place)| Some((material(arn)?, *place)));
    let mut shared: BTreeMap<_, Rotation> = BTreeMap::new();
    for (material, place) in members() {
        shared.entry(material).or_default().join(states[place].rotation);
    }
    for (material, place) in members() {
        states[place].rotation = shared.get(&material).copied().unwrap_or_default();
    }
}

/// What tells apart the material of multi-Region keys.
fn material(key_arn: &str) -> Option<[&str; 3]> {
    let arn = Arn::parse(key_arn)?;
    Some([arn.partition, arn.account, arn.kms_multi_region_id()?])
}
