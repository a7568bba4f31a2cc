//! What services were told of encryption becomes what is known of resources, and of EBS's default keys.

use std::collections::BTreeMap;

use crate::kms::configuration::{self, Choice, resource::plain_name};
use crate::model::configuration::ConfigurationRow;
use crate::model::resources::Resources;

/// Resources, and the state that decides what saying nothing means.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    pub(super) resources: Resources,
    /// By account and Region: the key that EBS takes where none is named, as it is now.
    ebs_defaults: BTreeMap<(String, String), String>,
}

/// What `ResetEbsDefaultKmsKeyId` goes back to.
const EBS_DEFAULT: &str = "alias/aws/ebs";

impl Configurations {
    /// Takes a row; those of a day come in order of time.
    pub(super) fn note(&mut self, row: &ConfigurationRow<'_>) {
        let place = (row.account_id.to_owned(), row.region.to_owned());
        match Choice::parse(row.choice) {
            Some(Choice::State) if row.event_name == "ResetEbsDefaultKmsKeyId" => {
                self.ebs_defaults.insert(place, EBS_DEFAULT.to_owned());
            }
            Some(Choice::State) if row.key_ref.is_empty() => {}
            Some(Choice::State) => _ = self.ebs_defaults.insert(place, row.key_ref.to_owned()),
            Some(Choice::AccountDefault) if row.key_ref.is_empty() => {
                let key_ref = self.ebs_defaults.get(&place).cloned().unwrap_or_default();
                self.keep(&ConfigurationRow { key_ref: &key_ref, ..*row });
            }
            _ => self.keep(row),
        }
    }

    fn keep(&mut self, row: &ConfigurationRow<'_>) {
        let setting = configuration::find(row.service_rule).map_or(row.service_rule, |known| known.setting());
        // An act on a resource that the record does not name is a thing of its own.
        let name = if row.resource.is_empty() { row.event_id } else { plain_name(row.resource) };
        self.resources.note(setting, name, row);
    }
}
