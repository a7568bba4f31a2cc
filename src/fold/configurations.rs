//! What services were told of encryption becomes what is known of resources, and of EBS's default keys.

use std::collections::BTreeMap;

use crate::kms::configuration::resource::{holds_many, is_account_wide, makes_another, plain_name, set_apart};
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
        let of_row = || configuration::find(row.service_rule).map_or(row.service_rule, |known| known.setting());
        let setting = set_apart(row.service_rule, row.event_name).unwrap_or_else(of_row);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Seconds;

    /// A row of an act at a time, of which only what the fold looks at is given.
    fn row(rule: &'static str, event: &'static str, choice: Choice, time: i64) -> ConfigurationRow<'static> {
        ConfigurationRow {
            service_rule: rule,
            service: "",
            event_source: "",
            event_name: event,
            account_id: "111122223333",
            region: "us-east-1",
            resource: "",
            choice: choice.as_str(),
            key_ref: "",
            key_arn: "",
            by_service: false,
            default_alias: "",
            principal_arn: "",
            principal_type: "",
            session_name: "",
            via_service: "",
            requests: 1,
            first: Seconds(time),
            last: Seconds(time),
            event_id: ["a", "b", "c", "d"][usize::try_from(time).expect("small")],
        }
    }

    /// What is held of the rows: name, then choice, key and number of acts.
    fn held(rows: &[ConfigurationRow<'_>]) -> Vec<(String, Vec<String>)> {
        let mut configurations = Configurations::default();
        rows.iter().for_each(|row| configurations.note(row));
        let said = |row: &ConfigurationRow<'_>| format!("{} {} {}", row.choice, row.key_ref, row.requests);
        let resources = configurations.resources.sorted();
        let resources = resources.iter();
        resources.map(|resource| (resource.name.to_owned(), resource.choices.iter().map(said).collect())).collect()
    }

    #[test]
    fn a_choice_made_again_after_another_stands_twice() {
        let choose =
            |choice, time| ConfigurationRow { resource: "s", ..row("secrets.create", "CreateSecret", choice, time) };
        let (default, own) = (Choice::Implicit, Choice::NamedAlias);
        let rows = [choose(default, 0), choose(default, 1), choose(own, 2), choose(default, 3)];
        let choices = ["implicit  2", "named_alias  1", "implicit  1"].map(str::to_owned).to_vec();
        assert_eq!(held(&rows), [("s".to_owned(), choices)]);
        // A bucket stands for its objects: there is no order to tell of.
        let rows = rows.map(|row| ConfigurationRow { service_rule: "s3.put_object", event_name: "PutObject", ..row });
        assert_eq!(held(&rows)[0].1, ["implicit  3", "named_alias  1"]);
    }

    #[test]
    fn a_workgroup_has_one_setting_and_any_number_of_queries() {
        let act = |event, choice, time| ConfigurationRow { resource: "w", ..row("athena.wg", event, choice, time) };
        let (default, own) = (Choice::NamedDefault, Choice::NamedAlias);
        let set =
            [act("CreateWorkGroup", default, 0), act("UpdateWorkGroup", own, 1), act("UpdateWorkGroup", default, 2)];
        let choices = ["named_default  1", "named_alias  1", "named_default  1"].map(str::to_owned).to_vec();
        assert_eq!(held(&set), [("w".to_owned(), choices)]);
        let ask = |choice, time| act("StartQueryExecution", choice, time);
        let choices = ["named_default  2", "named_alias  1"].map(str::to_owned).to_vec();
        assert_eq!(held(&[ask(default, 0), ask(own, 1), ask(default, 2)]), [("w".to_owned(), choices)]);
        // What a query says is nothing that the workgroup was told.
        let apart = ["named_default  1", "named_alias  1"].map(|choice| ("w".to_owned(), vec![choice.to_owned()]));
        assert_eq!(held(&[ask(default, 0), act("UpdateWorkGroup", own, 1)]), apart);
    }

    #[test]
    fn the_default_for_ebs_is_that_of_its_time() {
        let volume = |name, time| ConfigurationRow {
            resource: name,
            ..row("ebs.create_volume", "CreateVolume", Choice::AccountDefault, time)
        };
        let modify = ConfigurationRow {
            key_ref: "alias/app",
            ..row("ebs.default_key", "ModifyEbsDefaultKmsKeyId", Choice::State, 1)
        };
        let reset = row("ebs.default_key", "ResetEbsDefaultKmsKeyId", Choice::State, 2);
        let held = held(&[volume("v0", 0), modify, volume("v1", 1), reset, volume("v3", 3)]);
        let choices: Vec<&str> = held.iter().map(|(_, choices)| choices[0].as_str()).collect();
        let with_default = ["account_default  1", "account_default alias/app 1", "account_default alias/aws/ebs 1"];
        assert_eq!(choices, [&with_default[..], &["named_alias alias/app 1"]].concat());
    }

    #[test]
    fn what_an_account_has_once_needs_no_name() {
        let catalog = |name, time| ConfigurationRow {
            resource: name,
            ..row("glue.catalog", "PutDataCatalogEncryptionSettings", Choice::Implicit, time)
        };
        let held_of_catalog = held(&[catalog("", 0), catalog("111122223333", 1)]);
        assert_eq!(held_of_catalog, [(String::new(), vec!["implicit  2".to_owned()])]);
        let unnamed = row("workspaces", "CreateWorkspaces", Choice::Implicit, 0);
        let names: Vec<String> = held(&[unnamed, row("workspaces", "CreateWorkspaces", Choice::Implicit, 1)])
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_snapshot_is_a_thing_of_its_own() {
        let act = |event, time| ConfigurationRow { resource: "c", ..row("memorydb", event, Choice::Owned, time) };
        let names: Vec<String> =
            held(&[act("CreateCluster", 0), act("CreateSnapshot", 1)]).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "c"]);
    }
}
