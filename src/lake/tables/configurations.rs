//! `configurations`: which key services were told to encrypt resources with.

use super::columns;
use crate::lake::schema::{By, Column, Table};
use crate::model::arn::owner_account;
use crate::model::configuration::Configuration;

/// The table.
pub enum Configurations {}

impl Table for Configurations {
    type Row<'a> = &'a Configuration;
    const NAME: &'static str = "configurations";
    const DOC: &'static str = "What a service was told of the encryption of a resource, by one act or by several alike in one \
        object: a key that was named, or what it means that none was. Each act on a resource that the record names is a row; what is \
        done to a bucket's objects, or to something without a name, is one row for all alike.";
    const PARTITIONED: bool = true;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![c;
        service: Text = &c.service, "The service, for people.";
        service_rule: Text = &c.service_rule, "Row of keytrail's table of services: what kind of resource, and of encryption.";
        event_source: Text = &c.event_source, "eventSource.";
        event_name: Text = &c.event_name, "eventName.";
        account_id: Text = &c.account_id, "Account whose trail had the record.";
        region: Text = &c.region, "awsRegion.";
        resource: Id = &c.resource, "The resource, as the record names it: an ARN, an id or a name.";
        choice: Text = &c.choice, "named_default (alias/aws/…), named_alias, named_key, named_owned, cleared (the key was taken off), reset (back to the default), implicit (none named: the service's default key), account_default (none named: EBS's default key of the account), possible (none named: perhaps the default key), owned (none named: a key that AWS owns), sse_s3, no_kms, inherited (that of the source), bucket_default, state (the account's default for EBS was changed).";
        key_ref: Text = &c.key_ref, "The key as the record names it.";
        key_arn: Text = &c.key_arn, "ARN of the key, where the record tells.";
        key_account_id: Text = owner_account(&c.key_arn).unwrap_or_default(), "Account that owns the key.";
        by_service: Boolean = Some(c.by_service), "Whether only the response names the key: the service took it, nobody chose it.";
        default_alias: Text = &c.default_alias, "Alias of the service's default key, where it has one.";
        principal_arn: Text = &c.principal_arn, "Who acted: user or role (not the session); of several, the first.";
        principal_type: Text = &c.principal_type, "Kind of principal.";
        session_name: Text = &c.session_name, "Role session name of the earliest act.";
        via_service: Text = &c.via_service, "Service that made the call for the principal.";
        requests: Integer = Some(c.requests), "Acts.";
        first_event_time: Timestamp = Some(c.first), "Earliest eventTime.";
        last_event_time: Timestamp = Some(c.last), "Latest eventTime.";
        event_id: Id = &c.event_id, "eventID of the earliest.";
        source_object: Text = &c.source_object, "Object that the records were read from.";
    ];
    const ORDER: &'static [By] = &[
        By::Value("account_id"),
        By::Value("service_rule"),
        By::Value("resource"),
        By::Value("first_event_time"),
        By::Value("event_id"),
        By::Value("choice"),
        By::Value("key_ref"),
        By::Value("source_object"),
    ];
}
