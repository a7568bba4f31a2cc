//! Automatic rotation: how it was set, and when KMS rotated (DOMAIN F.3).

use crate::model::key_change::KeyChange;
use crate::model::time::Seconds;

/// What is known of the rotation of one key, or of all that have its material.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Rotation {
    /// When it was set last, and to how many days; to none when switched off.
    set: Option<(Seconds, Option<i64>)>,
    /// When KMS rotated by itself last.
    automatic: Option<Seconds>,
    /// When it was rotated last, by whomever.
    pub(super) last: Option<Seconds>,
}

impl Rotation {
    pub(super) fn change(&mut self, change: &KeyChange) {
        let at = change.event_time;
        let set = |days| Self { set: Some((at, days)), ..Self::default() };
        let seen = Self { last: Some(at), ..Self::default() };
        self.join(match change.change.as_str() {
            "CreateKey" if is_off_when_made(change) => set(None),
            "EnableKeyRotation" => set(change.rotation_period_days.or(Some(YEARLY))),
            "DisableKeyRotation" => set(None),
            "RotateKey" if change.rotation_type == "AUTOMATIC" => Self { automatic: Some(at), ..seen },
            "RotateKey" | "RotateKeyOnDemand" => seen,
            _ => return,
        });
    }

    /// Takes what is known of another key with the same material too: in any order it comes to the same.
    pub(super) fn join(&mut self, other: Self) {
        self.set = self.set.max(other.set);
        self.automatic = self.automatic.max(other.automatic);
        self.last = self.last.max(other.last);
    }

    /// `rotation` and `rotation_period_days`; nothing where it is not known.
    pub(super) fn told(self) -> (&'static str, Option<i64>) {
        match (self.set, self.automatic) {
            (Some((_, days @ Some(_))), _) => ("on", days),
            // It was switched on in between.
            (Some((off, None)), Some(rotated)) if rotated > off => ("on", None),
            (Some(_), _) => ("off", None),
            (None, Some(_)) => ("on", None),
            (None, None) => ("", None),
        }
    }
}

/// Days between rotations where nobody says otherwise.
pub(super) const YEARLY: i64 = 365;

/// A replica, which KMS makes, is rotated as its primary. Records of 2016 and before do not tell.
fn is_off_when_made(change: &KeyChange) -> bool {
    change.key_origin == "AWS_KMS" && change.key_spec == "SYMMETRIC_DEFAULT" && change.via_service != "kms"
}
