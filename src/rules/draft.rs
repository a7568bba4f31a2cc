//! What a check returns, and how it becomes a finding.

use serde_json::{Map, Value};

use super::settings::Settings;
use super::{Rule, phrase};
use crate::kms::call::Call;
use crate::kms::context_pattern;
use crate::kms::mfa::Mfa;
use crate::model::arn::Arn;
use crate::model::configuration::ConfigurationRow;
use crate::model::event::Event;
use crate::model::finding::{Finding, Outcome, Subject};
use crate::model::history::History;
use crate::model::key_change::KeyChange;
use crate::model::severity::Severity;
use crate::model::time::Seconds;

/// A verdict of a rule, before identity, overrides and suppressions.
#[derive(Debug)]
pub struct Draft {
    /// How bad it is.
    pub severity: Severity,
    /// Whether it happened.
    pub outcome: Outcome,
    /// One sentence for an operator.
    pub message: String,
    /// Facts that the message rests on.
    pub evidence: Map<String, Value>,
    /// What the finding is about: equal for findings that are the same thing.
    pub about: String,
    /// Columns.
    pub subject: Subject,
    /// First act, last act, number of acts.
    pub span: (Seconds, Seconds, i64),
}

impl Draft {
    /// A verdict on one call, about that call.
    #[must_use]
    pub fn on(call: &Call<'_>, severity: Severity, message: String, settings: &Settings) -> Self {
        let event = call.event;
        let time = event.time;
        let subject = subject(call, settings);
        let mut evidence = Map::new();
        if !call.succeeded() {
            evidence.insert("reason".to_owned(), call.failure_reason().into());
        }
        Self {
            severity,
            outcome: if call.succeeded() { Outcome::Success } else { Outcome::Attempt },
            message,
            evidence,
            about: about(event.act_id(), &subject),
            subject,
            span: (time, time, 1),
        }
    }

    /// A verdict on an act on a key, about that act.
    #[must_use]
    pub fn on_change(change: &KeyChange, severity: Severity, message: String) -> Self {
        let act = if change.shared_event_id.is_empty() { &change.event_id } else { &change.shared_event_id };
        Self {
            severity,
            outcome: change.outcome(),
            message,
            evidence: Map::new(),
            about: format!("{act}\n{}", change.key_arn),
            subject: Subject {
                event_id: change.event_id.clone(),
                shared_event_id: change.shared_event_id.clone(),
                event_source: Event::KMS.to_owned(),
                event_name: change.change.clone(),
                error_code: change.error_code.clone(),
                account_id: change.account_id.clone(),
                region: change.region.clone(),
                principal_arn: change.principal_arn.clone(),
                principal_type: change.principal_type.clone(),
                principal_account_id: account_of(&change.principal_arn),
                session_name: change.session_name.clone(),
                via_service: change.via_service.clone(),
                key_arn: change.key_arn.clone(),
                key_alias: change.alias.clone(),
                ..Subject::default()
            },
            span: (change.event_time, change.event_time, 1),
        }
    }

    /// A verdict on what a service was told of the encryption of a resource.
    #[must_use]
    pub fn on_configuration(row: &ConfigurationRow<'_>, severity: Severity, message: String) -> Self {
        Self {
            severity,
            outcome: Outcome::Success,
            message,
            evidence: Map::new(),
            about: row.event_id.to_owned(),
            subject: Subject {
                event_id: row.event_id.to_owned(),
                event_source: row.event_source.to_owned(),
                event_name: row.event_name.to_owned(),
                account_id: row.account_id.to_owned(),
                region: row.region.to_owned(),
                principal_arn: row.principal_arn.to_owned(),
                principal_type: row.principal_type.to_owned(),
                principal_account_id: account_of(row.principal_arn),
                session_name: row.session_name.to_owned(),
                via_service: row.via_service.to_owned(),
                key_arn: row.key_arn.to_owned(),
                resource_arn: row.resource.to_owned(),
                ..Subject::default()
            },
            span: (row.first, row.last, row.requests),
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.to_owned(), value.into());
        self
    }

    /// Says what the finding is about, so that like acts become one finding.
    #[must_use]
    pub fn about(mut self, parts: &[&str]) -> Self {
        self.about = parts.join("\n");
        self
    }

    /// Says by what alias the key goes, where the acts themselves did not name one.
    #[must_use]
    pub fn going_by(mut self, history: &History) -> Self {
        let subject = &mut self.subject;
        if subject.key_alias.is_empty()
            && let Some(alias) = history.alias(&subject.key_arn)
        {
            alias.clone_into(&mut subject.key_alias);
        }
        self
    }

    /// Gives identity, applies the configuration; `None` if the finding is suppressed.
    #[must_use]
    pub fn finish(self, rule: &'static Rule, settings: &Settings, source_object: &str) -> Option<Finding> {
        let id = xxhash_rust::xxh3::xxh3_128(format!("{}\n{}", rule.id, self.about).as_bytes());
        let finding = Finding {
            finding_id: format!("{id:032x}"),
            rule_id: rule.id,
            family: rule.family,
            severity: settings.severity.get(rule.id).copied().unwrap_or(self.severity),
            outcome: self.outcome,
            title: rule.title,
            message: self.message,
            event_time: self.span.0,
            last_event_time: self.span.1,
            event_count: self.span.2,
            evidence: if self.evidence.is_empty() { String::new() } else { Value::Object(self.evidence).to_string() },
            mitre: rule.mitre,
            subject: self.subject,
            source_object: source_object.to_owned(),
        };
        (!settings.suppressions.iter().any(|s| s.covers(&finding))).then_some(finding)
    }
}

/// The account of a principal, from its ARN or its stand-in `acct:…`; empty for services.
fn account_of(principal: &str) -> String {
    let account = match principal.strip_prefix("acct:") {
        Some(caller) => caller.split('/').next(),
        None => Arn::parse(principal).map(|arn| arn.account),
    };
    account.unwrap_or_default().to_owned()
}

/// The act's id; records older than eventVersion 1.01 have none, and are told apart by all they say.
fn about(act_id: &str, subject: &Subject) -> String {
    if act_id.is_empty() { format!("{subject:?}") } else { act_id.to_owned() }
}

fn subject(call: &Call<'_>, settings: &Settings) -> Subject {
    let event = call.event;
    let mfa = Mfa::of(event, &call.principal, &call.via, settings.mfa_max_age);
    let mut encryption_context = String::new();
    context_pattern::write(call.contexts.main(), &mut encryption_context);
    Subject {
        event_id: event.event_id.to_owned(),
        shared_event_id: event.shared_event_id.unwrap_or_default().to_owned(),
        event_source: event.source.to_owned(),
        event_name: event.name.to_owned(),
        error_code: event.error_code.unwrap_or_default().to_owned(),
        account_id: event.account.to_owned(),
        region: event.region.to_owned(),
        principal_arn: call.principal.key.clone().into_owned(),
        principal_type: call.principal.kind.as_str().to_owned(),
        principal_account_id: call.principal.account.unwrap_or_default().to_owned(),
        session_name: call.principal.session.unwrap_or_default().to_owned(),
        source_ip: event.source_ip.to_owned(),
        user_agent: event.user_agent.to_owned(),
        via_service: call.via.label().to_owned(),
        mfa_authenticated: mfa.authenticated(),
        key_arn: call.keys.arn.as_deref().unwrap_or_default().to_owned(),
        key_alias: call.keys.alias.unwrap_or_default().to_owned(),
        key_manager: phrase::manager(call.keys.alias).to_owned(),
        resource_arn: String::new(),
        encryption_context,
    }
}
