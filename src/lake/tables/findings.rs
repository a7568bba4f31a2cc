//! `findings`: what the rules have to say.

use super::columns;
use crate::lake::schema::{By, Column, Table};
use crate::model::arn::{Arn, owner_account};
use crate::model::finding::Finding;
use crate::model::time::Seconds;

/// The table.
pub enum Findings {}

impl Findings {
    /// What findings are sorted by, as [`Table::ORDER`] has it.
    #[must_use]
    pub fn order(finding: &Finding) -> (&str, Seconds, &str, &str) {
        (&finding.subject.key_arn, finding.event_time, &finding.finding_id, &finding.source_object)
    }
}

impl Table for Findings {
    type Row<'a> = &'a Finding;
    const NAME: &'static str = "findings";
    const DOC: &'static str = "One finding of a rule. Both copies of a cross-account call, and like findings of several \
        objects, have one finding_id; the command `keytrail findings` shows them as one. In SQL, count(DISTINCT finding_id), or keep one row with \
        QUALIFY row_number() OVER (PARTITION BY finding_id ORDER BY principal_type = 'AWSAccount', event_time) = 1. Its event_count is that row's; \
        the acts of all, copies once, are greatest(coalesce(sum(event_count) FILTER (coalesce(key_account_id = account_id, true)), 0), \
        coalesce(sum(event_count) FILTER (key_account_id <> account_id), 0)) by finding_id, and the last is max(last_event_time).";
    const PARTITIONED: bool = true;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![f;
        finding_id: Id = &f.finding_id, "Hash of the rule and of what the finding is about.";
        rule_id: Text = f.rule_id, "Id of the rule: `keytrail rules ID` explains it.";
        family: Text = f.family, "Family of the rule.";
        severity: Text = f.severity.as_str(), "info, low, medium, high or critical.";
        severity_rank: Integer = Some(i64::from(f.severity.rank())), "0 (info) to 4 (critical).";
        outcome: Text = f.outcome.as_str(), "success, or attempt if the call was refused or failed.";
        title: Text = f.title, "What happened, in a few words.";
        message: Id = &f.message, "What happened, to which key, by whom: one sentence. Holds names that the log's authors chose.";
        event_time: Timestamp = Some(f.event_time), "eventTime of the first act.";
        last_event_time: Timestamp = Some(f.last_event_time), "eventTime of the last act.";
        event_count: Integer = Some(f.event_count), "Acts that this row stands for.";
        event_id: Id = &f.subject.event_id, "eventID of the first act.";
        shared_event_id: Id = &f.subject.shared_event_id, "sharedEventID: the same in all accounts' copies of the call.";
        event_source: Text = &f.subject.event_source, "eventSource.";
        event_name: Text = &f.subject.event_name, "eventName.";
        error_code: Text = &f.subject.error_code, "errorCode, if the call failed.";
        account_id: Text = &f.subject.account_id, "Account whose trail had the record.";
        region: Text = &f.subject.region, "awsRegion.";
        principal_arn: Text = &f.subject.principal_arn, "Who acted: user or role (not the session); acct:… for another account's caller, svc:… for a service.";
        principal_type: Text = &f.subject.principal_type, "IAMUser, AssumedRole, IdentityCenter, Root, FederatedUser, AWSAccount, AWSService, ServiceRole or Unknown.";
        principal_account_id: Text = &f.subject.principal_account_id, "Account of the principal.";
        session_name: Text = &f.subject.session_name, "Role session name; null, as the next two, for findings of usage and posture rules.";
        source_ip: Text = &f.subject.source_ip, "sourceIPAddress.";
        user_agent: Text = &f.subject.user_agent, "userAgent, as the caller chose it.";
        via_service: Text = &f.subject.via_service, "Service that made the call for the principal; null if direct, unknown if the record hides which.";
        mfa_authenticated: Boolean = f.subject.mfa_authenticated, "Whether the session had MFA; null if that cannot be known.";
        key_arn: Text = &f.subject.key_arn, "ARN of the key.";
        key_id: Text = Arn::parse(&f.subject.key_arn).and_then(|arn| arn.kms_key_id()).unwrap_or_default(), "Id of the key.";
        key_account_id: Text = owner_account(&f.subject.key_arn).unwrap_or_default(), "Account that owns the key.";
        key_alias: Text = &f.subject.key_alias, "Alias that the request named, or that the finding rests on.";
        key_manager: Text = &f.subject.key_manager, "aws if the finding rests on the key being AWS-managed.";
        resource_arn: Text = &f.subject.resource_arn, "The other resource concerned: what was configured, a destination key, a resource named by the context.";
        encryption_context: Text = &f.subject.encryption_context, "Normalised encryption context, as in usage.context_pattern.";
        evidence: Text = &f.evidence, "Facts that the message rests on, as a JSON object.";
        mitre: TextList = f.mitre.to_vec(), "ATT&CK technique ids.";
        source_object: Text = &f.source_object, "Object that the record was read from; null for findings of usage and posture rules.";
    ];
    const ORDER: &'static [By] =
        &[By::Value("key_arn"), By::Value("event_time"), By::Value("finding_id"), By::Value("source_object")];
}
