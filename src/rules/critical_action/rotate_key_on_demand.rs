//! Keys that are rotated on demand several times a day: a key has 25 such rotations in its life (DOMAIN
//! E.1).

use std::collections::BTreeMap;

use crate::model::key_change::KeyChange;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::rules::draft::Draft;
use crate::rules::phrase::{named_key, who_changed};
use crate::rules::{Day, Watch};

/// Rotations of a key in a day that are no routine.
const MANY: usize = 3;

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Rotated>::default()
}

/// Rotations by key: when, and a verdict on the latest.
#[derive(Default)]
struct Rotated(BTreeMap<String, (Vec<Seconds>, Option<Draft>)>);

impl Watch for Rotated {
    fn see_change(&mut self, change: &KeyChange, day: &Day<'_>) {
        if change.change != "RotateKeyOnDemand" || change.attempt || change.key_arn.is_empty() {
            return;
        }
        let (times, draft) = self.0.entry(change.key_arn.clone()).or_default();
        times.push(change.event_time);
        let key = named_key(&change.key_arn, day.history.alias(&change.key_arn));
        let message = format!(
            "{} rotated {key} on demand, the {}. time that day; a key has 25 such rotations in its life",
            who_changed(change),
            times.len()
        );
        *draft = Some(Draft::on_change(change, Severity::Low, message));
    }

    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft> {
        let many = self.0.into_iter().filter(|(_, (times, _))| times.len() >= MANY);
        let verdicts = many.filter_map(|(key, (times, draft))| {
            let mut draft = draft?.about(&[&key, &day.day.to_string()]);
            draft.span = (*times.first()?, *times.last()?, i64::try_from(times.len()).unwrap_or(i64::MAX));
            Some(draft)
        });
        verdicts.collect()
    }
}
