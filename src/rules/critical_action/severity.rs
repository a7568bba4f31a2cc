//! How bad an act is: the algorithm of DOMAIN E.2, as far as one record tells.

use serde_json::{Map, Value, json};

use super::acts::{ATTEMPT_MATTERS_FROM, MFA_CRITICAL};
use crate::kms::accounts::Standing;
use crate::kms::call::Call;
use crate::kms::failure::Ending;
use crate::kms::grant::{Grant, Making};
use crate::kms::mfa::Mfa;
use crate::kms::policy::analysis::{self, Key};
use crate::kms::policy::facts::PolicyFacts;
use crate::kms::policy::weakness::{Found, Weakness};
use crate::kms::principal::PrincipalKind;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::rules::settings::Settings;

/// Statements and principals that a message names of each weakness; the evidence has all.
const PLACES: usize = 3;

/// A severity, and what led to it.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) severity: Severity,
    /// Short words for machines.
    pub(super) tags: Vec<&'static str>,
    /// Half-sentences for the message.
    pub(super) notes: Vec<String>,
    /// Facts for the evidence.
    pub(super) facts: Vec<(&'static str, Value)>,
}

/// Judges a call whose act has the severity `base` in the table.
pub(super) fn judge(base: Severity, call: &Call<'_>, settings: &Settings) -> Verdict {
    let mut verdict = Verdict { severity: base, tags: Vec::new(), notes: Vec::new(), facts: Vec::new() };
    let failed = match call.ending {
        Ending::Succeeded => None,
        Ending::Denied if base >= ATTEMPT_MATTERS_FROM => Some(Severity::Medium),
        Ending::NotFound | Ending::Failed if base >= ATTEMPT_MATTERS_FROM => Some(Severity::Low),
        _ => Some(Severity::Info),
    };
    if let Some(severity) = failed {
        // What is known of the actor is told of attempts too; it does not make them worse.
        verdict.look_at_actor(call, settings);
        return Verdict { severity, ..verdict };
    }
    if is_echo(call) {
        return Verdict { severity: Severity::Info, ..verdict };
    }
    verdict.look_at_request(call, settings);
    if verdict.severity == Severity::Info {
        // What is ordinary stays so: root and missing MFA make a bad act worse, not a good one bad.
        return verdict;
    }
    let floor = verdict.look_at_policy(call, settings);
    verdict.look_at_actor(call, settings);
    if is_bypassed(call) {
        verdict.severity = verdict.severity.raised().max(Severity::High);
        verdict.tag("bypass", "the lock-out safety check was bypassed");
    }
    if call.via.label() == "cloudformation" {
        verdict.tags.push("iac");
        if verdict.severity < Severity::Critical {
            verdict.severity = verdict.severity.lowered().max(floor);
        }
    }
    verdict
}

fn is_bypassed(call: &Call<'_>) -> bool {
    call.event.request.get("bypassPolicyLockoutSafetyCheck").bool() == Some(true)
}

fn as_evidence(found: &Found) -> (String, Value) {
    let fact = json!({ "severity": found.severity.as_str(), "what": found.weakness.words(), "in": found.places });
    (found.weakness.id().to_owned(), fact)
}

/// KMS records a change of two Regions twice; the second record says that KMS made it.
fn is_echo(call: &Call<'_>) -> bool {
    matches!(call.event.name, "CreateKey" | "UpdatePrimaryRegion") && call.via.label() == "kms"
}

impl Verdict {
    fn tag(&mut self, tag: &'static str, note: &str) {
        self.tags.push(tag);
        self.notes.push(note.to_owned());
    }

    /// What the operation's own parameters make of it.
    fn look_at_request(&mut self, call: &Call<'_>, settings: &Settings) {
        let (request, response) = (call.event.request, call.event.response);
        match call.event.name {
            "ScheduleKeyDeletion" => {
                let days =
                    response.get("pendingWindowInDays").i64().or_else(|| request.get("pendingWindowInDays").i64());
                if let Some(days) = days {
                    self.notes.push(format!("waiting period {days} days"));
                    self.facts.push(("pending_window_in_days", days.into()));
                    if days <= 7 {
                        self.tags.push("fast_delete");
                    }
                }
            }
            "ImportKeyMaterial" => self.look_at_expiry(call),
            "CreateKey" => {
                let metadata = response.get("keyMetadata");
                let origin = metadata.get("origin").str().or_else(|| request.get("origin").str());
                if metadata.get("keyManager").str() == Some("AWS") {
                    self.severity = Severity::Info;
                } else if let Some(origin @ ("EXTERNAL" | "EXTERNAL_KEY_STORE")) = origin {
                    self.severity = self.severity.max(Severity::Medium);
                    self.notes.push(format!("key material of origin {origin}"));
                }
            }
            "CreateCustomKeyStore" if request.get("customKeyStoreType").str() == Some("EXTERNAL_KEY_STORE") => {
                self.severity = Severity::Critical;
                self.notes.push("its keys live outside of AWS".to_owned());
            }
            "EnableKeyRotation" => {
                if let Some(days) = request.get("rotationPeriodInDays").i64().filter(|days| *days > 365) {
                    self.severity = Severity::Low;
                    self.notes.push(format!("rotation every {days} days"));
                }
            }
            "CreateGrant" => self.look_at_grant(call, settings),
            "UpdateAlias" | "DeleteAlias" | "CreateAlias" => {
                if let Some(alias) = call.keys.alias {
                    self.facts.push(("alias", alias.into()));
                }
            }
            _ => {}
        }
    }

    /// Imported material that destroys itself soon is a way to hold data to ransom.
    fn look_at_expiry(&mut self, call: &Call<'_>) {
        let valid_to = call.event.request.get("validTo").text().and_then(|text| Seconds::parse_lenient(&text));
        let Some(valid_to) = valid_to else { return };
        if call.event.request.get("expirationModel").str() == Some("KEY_MATERIAL_DOES_NOT_EXPIRE") {
            return;
        }
        let left = valid_to.0 - call.event.time.0;
        self.facts.push(("valid_to", valid_to.rfc3339().into()));
        self.notes.push(format!("the material expires {}", valid_to.rfc3339()));
        if left < Seconds::DAY {
            self.severity = Severity::Critical;
        } else if left < 30 * Seconds::DAY {
            self.severity = self.severity.max(Severity::High);
        }
    }

    fn look_at_grant(&mut self, call: &Call<'_>, settings: &Settings) {
        let grant = Grant::of(call.event.request);
        let made = Making::of(call);
        let standing = grant.standing(&settings.accounts, made.owner);
        self.severity = grant.severity(&made, standing);
        if !grant.operations.is_empty() {
            self.notes.push(grant.operations.join(", "));
        }
        if !grant.constrained {
            self.notes.push("no constraints".to_owned());
        }
        match standing {
            Some(Standing::Foreign) => self.tags.push("cross_account"),
            Some(Standing::Unknown) => self.tags.push("other_account"),
            _ => {}
        }
        self.facts.push(("grantee", grant.grantee.into()));
        self.facts.push(("operations", grant.operations.into()));
    }

    /// Raises to what the policy deserves, and returns that as the floor for later lowering.
    fn look_at_policy(&mut self, call: &Call<'_>, settings: &Settings) -> Severity {
        let replica = call.event.response.get("replicaPolicy").str();
        let Some(document) = call.event.request.get("policy").str().or(replica) else { return Severity::Info };
        let owner = call.keys.owner().unwrap_or(call.event.account);
        let standing = |account: &str| settings.accounts.standing(account, owner);
        let mut found = analysis::judge(document, &Key { owner, bypassed: is_bypassed(call), standing: &standing });
        found.retain(|found| call.event.name == "PutKeyPolicy" || found.weakness.counts_at_creation());
        self.facts.push(("policy", found.iter().map(as_evidence).collect::<Map<_, _>>().into()));
        // The bypass has a say of its own.
        for found in found.iter().filter(|found| found.weakness != Weakness::Bypassed) {
            self.note_weakness(found);
        }
        let unknown: Vec<_> = PolicyFacts::of(document, owner, false).accounts.into_keys().collect();
        if unknown.iter().any(|account| standing(account) == Standing::Unknown) {
            self.tag("other_account", &format!("the policy lets in account {}", unknown.join(", ")));
        }
        let floor = found.iter().map(|found| found.severity).max().unwrap_or(Severity::Info);
        self.severity = self.severity.max(floor);
        floor
    }

    fn note_weakness(&mut self, found: &Found) {
        let unreadable = found.weakness == Weakness::Unreadable;
        if unreadable || found.severity >= Severity::Medium {
            let places = found.places.iter().take(PLACES).cloned().collect::<Vec<_>>().join(", ");
            let places = if places.is_empty() { places } else { format!(" ({places})") };
            self.notes.push(format!("of the new policy: {}{places}", found.weakness.words()));
        }
        match found.weakness {
            Weakness::Public | Weakness::AllBut => self.tags.push("public"),
            Weakness::PublicConditioned => self.tags.push("public_conditioned"),
            Weakness::ForeignAccount => self.tags.push("cross_account"),
            Weakness::Unreadable => self.tags.push("policy_unreadable"),
            _ => {}
        }
    }

    fn look_at_actor(&mut self, call: &Call<'_>, settings: &Settings) {
        if call.principal.kind == PrincipalKind::Root {
            self.severity = self.severity.raised().max(Severity::High);
            self.tag("root", "by the root user");
        }
        if call.via.console {
            self.tags.push("console");
        }
        let mfa = Mfa::of(call.event, &call.principal, &call.via, settings.mfa_max_age);
        self.tags.extend(mfa.tag());
        if !MFA_CRITICAL.contains(&call.event.name) {
            return;
        }
        match mfa {
            Mfa::Absent => {
                self.severity = self.severity.raised();
                self.notes.push("session without MFA".to_owned());
            }
            Mfa::Stale(age) => {
                self.severity = self.severity.max(Severity::Medium);
                self.notes.push(age.map_or_else(|| "MFA of unknown age".to_owned(), |s| format!("MFA {s} s old")));
            }
            Mfa::Fresh(age) => self.facts.push(("mfa_age_seconds", age.into())),
            Mfa::Unknown | Mfa::NotApplicable => {}
        }
    }
}
