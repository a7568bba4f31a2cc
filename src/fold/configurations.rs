//! What services were told of encryption becomes what is known of resources, and of EBS's default keys.

use std::collections::BTreeMap;

use crate::kms::configuration::resource::{holds_many, is_account_wide, makes_another, plain_name};
use crate::kms::configuration::{self, Choice};
use crate::model::configuration::ConfigurationRow;
use crate::model::resources::Resources;

/// Resources, and the state that decides what saying nothing means.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    pub(super) resources: Resources,
    /// By account and Region: the key that EBS takes where none is named, as it is now.
    ebs_defaults: BTreeMap<(String, String), String>,
}

/// What EBS takes unless it is told otherwise.
const EBS_DEFAULT: &str = "alias/aws/ebs";

impl Configurations {
    /// Takes a row; they come in order of time.
    pub(super) fn note(&mut self, row: &ConfigurationRow<'_>) {
        let place = (row.account_id.to_owned(), row.region.to_owned());
        match Choice::parse(row.choice) {
            Some(Choice::State) if row.event_name == "ResetEbsDefaultKmsKeyId" => {
                self.ebs_defaults.insert(place, EBS_DEFAULT.to_owned());
            }
            Some(Choice::State) if row.key_ref.is_empty() => {}
            // The account's default is a choice too, for all that is to come.
            Some(Choice::State) => {
                self.ebs_defaults.insert(place, row.key_ref.to_owned());
                self.keep(&ConfigurationRow { choice: Choice::of_key(row.key_ref).as_str(), ..*row });
            }
            Some(Choice::AccountDefault) => match self.ebs_defaults.get(&place).cloned() {
                // What the response names is that default: a customer's, though the response alone does not tell.
                Some(key_ref) if row.key_ref.is_empty() || key_ref != EBS_DEFAULT => {
                    self.keep(&ConfigurationRow { key_ref: &key_ref, by_service: false, ..*row });
                }
                _ => self.keep(row),
            },
            _ => self.keep(row),
        }
    }

    fn keep(&mut self, row: &ConfigurationRow<'_>) {
        let setting = configuration::find(row.service_rule).map_or(row.service_rule, |known| known.setting());
        let name = match row.resource {
            "" if is_account_wide(setting) => "",
            resource if is_account_wide(setting) && resource == row.account_id => "",
            // An act on a resource that the record does not name is a thing of its own.
            "" => row.event_id,
            _ if makes_another(setting, row.event_name) => row.event_id,
            resource => plain_name(resource),
        };
        self.resources.note(setting, name, row, holds_many(setting));
    }
}
