//! How bad an act is: the algorithm of DOMAIN E.2, as far as one record tells.

use serde_json::{Map, Value, json};

use super::acts::{ATTEMPT_MATTERS_FROM, MFA_CRITICAL, READ};
use crate::kms::accounts::Standing;
use crate::kms::call::Call;
use crate::kms::failure::Ending;
use crate::kms::grant::{Grant, Making};
use crate::kms::mfa::Mfa;
use crate::kms::policy::analysis::{self, Key};
use crate::kms::policy::document::{Policy, document};
use crate::kms::policy::weakness::{Found, Weakness};
use crate::kms::principal::PrincipalKind;
use crate::model::json::Json;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::rules::phrase;
use crate::rules::settings::Settings;

/// Settings of a custom key store that `UpdateCustomKeyStore` shows.
const STORE_SETTINGS: [&str; 7] = [
    "newCustomKeyStoreName",
    "cloudHsmClusterId",
    "xksProxyConnectivity",
    "xksProxyUriEndpoint",
    "xksProxyUriPath",
    "xksProxyVpcEndpointServiceName",
    "xksProxyVpcEndpointServiceOwner",
];

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
        // What KMS could not do at the moment is tried again, and says nothing of whom it did not serve.
        Ending::Failed if matches!(call.failure_reason(), "throttled" | "service trouble") => Some(Severity::Info),
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
    if settings.is_by_template(call) {
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

/// Of a policy without a weakness that is worth a place of its own.
fn unremarkable(found: &[Found], policy: Option<&Policy>) -> String {
    // The bypass is none of them, and the message tells of it.
    let small = found.iter().map(|found| found.weakness).filter(|weakness| *weakness != Weakness::Bypassed);
    let small: Vec<&str> = small.map(Weakness::id).collect();
    if !small.is_empty() {
        return format!("only small weaknesses stand out in the new policy ({})", small.join(", "));
    }
    // What a Deny takes from whom is not worked out: it may be everything.
    let denies = policy.is_some_and(|policy| policy.statements.iter().any(|statement| !statement.allows));
    let but = if denies { ", but it denies too: see what" } else { "" };
    format!("nothing stands out in the new policy{but}")
}

/// A weakness in words, and the places that they are about. P3 tells of accounts of the organization too, which are
/// not foreign.
fn told<'f>(found: &'f Found, standing: &dyn Fn(&str) -> Standing) -> (&'static str, Vec<&'f str>) {
    let (words, all) = (found.weakness.words(), found.places.iter().map(String::as_str));
    let is_foreign =
        |account: &&str| found.weakness != Weakness::ForeignAccount || standing(account) == Standing::Foreign;
    let foreign: Vec<&str> = all.clone().filter(is_foreign).collect();
    if foreign.is_empty() && !found.places.is_empty() {
        ("lets an account of the organization in", all.collect())
    } else {
        (words, foreign)
    }
}

fn as_evidence(found: &Found, standing: &dyn Fn(&str) -> Standing) -> (String, Value) {
    let (what, _) = told(found, standing);
    let fact = json!({ "severity": found.severity.as_str(), "what": what, "in": found.places });
    (found.weakness.id().to_owned(), fact)
}

/// When the waiting period of a deletion ends. That of a multi-Region primary has not begun while it
/// has replicas.
fn end_of_waiting(response: Json<'_>) -> String {
    if response.get("keyState").str() == Some("PendingReplicaDeletion") {
        return ", which begin when its last replica is gone".to_owned();
    }
    let date = response.get("deletionDate").text().and_then(|text| Seconds::parse_lenient(&text));
    date.map(|date| format!(", until {}", date.rfc3339())).unwrap_or_default()
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
                    self.notes.push(format!("waiting period {days} days{}", end_of_waiting(response)));
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
                    self.notes.push(format!("its material comes from outside of KMS ({origin})"));
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
            "UpdateCustomKeyStore" => self.note_settings(request),
            "CreateGrant" => self.look_at_grant(call, settings),
            "RevokeGrant" => self.note_grant_id(request),
            "UpdateAlias" | "DeleteAlias" | "CreateAlias" => {
                if let Some(alias) = call.keys.alias {
                    self.facts.push(("alias", alias.into()));
                }
            }
            _ => {}
        }
    }

    /// Passwords and credentials are in no record: a request that shows nothing else changes one.
    fn note_settings(&mut self, request: Json<'_>) {
        let shown = |name: &&str| Some(format!("{name} {}", request.get(name).non_empty()?));
        let changed: Vec<String> = STORE_SETTINGS.iter().filter_map(shown).collect();
        let secret = "a password or credential, which no record shows".to_owned();
        self.notes.push(if changed.is_empty() { secret } else { changed.join(", ") });
    }

    /// Imported material that destroys itself soon is a way to hold data to ransom.
    fn look_at_expiry(&mut self, call: &Call<'_>) {
        let request = call.event.request;
        let valid_to = request.get("validTo").text().and_then(|text| Seconds::parse_lenient(&text));
        if request.get("expirationModel").str() == Some("KEY_MATERIAL_DOES_NOT_EXPIRE") {
            return;
        }
        let Some(valid_to) = valid_to else {
            if request.get("expirationModel").str() == Some("KEY_MATERIAL_EXPIRES") {
                self.severity = self.severity.max(Severity::High);
                self.notes.push("that material expires, at a time that the record does not tell".to_owned());
            }
            return;
        };
        let left = valid_to.0 - call.event.time.0;
        self.facts.push(("valid_to", valid_to.rfc3339().into()));
        self.notes.push(format!("that material is gone at {}", valid_to.rfc3339()));
        if left < Seconds::DAY {
            self.severity = Severity::Critical;
        } else if left < 30 * Seconds::DAY {
            self.severity = self.severity.max(Severity::High);
        }
    }

    fn note_grant_id(&mut self, named: Json<'_>) {
        if let Some(id) = named.get("grantId").non_empty() {
            self.facts.push(("grant_id", id.into()));
        }
    }

    fn look_at_grant(&mut self, call: &Call<'_>, settings: &Settings) {
        let grant = Grant::of(call.event.request);
        let made = Making::of(call);
        let standing = grant.standing(&settings.accounts, made.owner);
        self.severity = grant.severity(&made, standing);
        match standing {
            Some(Standing::Foreign) => self.tag("cross_account", "the grantee is in a foreign account"),
            Some(Standing::Unknown) => self.tag("other_account", "the grantee is in another account"),
            Some(_) if grant.account != Some(made.owner) => {
                self.tag("other_account", "the grantee is in another account");
            }
            _ => {}
        }
        if grant.grantee.ends_with(":root") {
            self.notes.push("whoever that account lets may use the grant".to_owned());
        }
        if !grant.constrained {
            self.notes.push("no constraints".to_owned());
        }
        if grant.operations.contains(&"CreateGrant") {
            self.notes.push("the grantee may grant further".to_owned());
        }
        self.note_grant_id(call.event.response);
        self.facts.push(("grantee", grant.grantee.into()));
        self.facts.push(("operations", grant.operations.into()));
    }

    /// Raises to what the policy deserves, and returns that as the floor for later lowering.
    fn look_at_policy(&mut self, call: &Call<'_>, settings: &Settings) -> Severity {
        let (request, response) = (call.event.request, call.event.response);
        let given = document(request.get("policy")).or_else(|| document(response.get("replicaPolicy")));
        // Whoever puts a policy has one: where the record lacks it, nothing is known of it.
        let Some(document) = given.or_else(|| (call.event.name == "PutKeyPolicy").then(String::new)) else {
            return Severity::Info;
        };
        let owner = call.keys.owner().unwrap_or(call.event.account);
        let standing = |account: &str| settings.accounts.standing(account, owner);
        // A replica is another key than the one that it is made of.
        let arn = match call.event.name {
            "ReplicateKey" => response.at(&["replicaKeyMetadata", "arn"]).str(),
            _ => call.keys.arn.as_deref(),
        };
        let arn = arn.unwrap_or_default();
        let key = Key { arn, owner, bypassed: is_bypassed(call), standing: &standing };
        let mut found = analysis::judge(&document, &key);
        found.retain(|found| call.event.name == "PutKeyPolicy" || found.weakness.counts_at_creation());
        self.facts
            .push(("policy", found.iter().map(|found| as_evidence(found, &standing)).collect::<Map<_, _>>().into()));
        // The bypass has a say of its own.
        let told = found.iter().filter(|found| found.weakness != Weakness::Bypassed);
        let mut words: Vec<String> = told.filter_map(|found| self.weakness(found, &standing)).collect();
        let policy = Policy::of_key(&document, arn);
        let others = policy.as_ref().map(|policy| analysis::others(policy, owner)).unwrap_or_default().into_keys();
        let unknown: Vec<_> = others.filter(|account| standing(account) == Standing::Unknown).collect();
        if !unknown.is_empty() {
            self.tags.push("other_account");
            words.push(format!("lets {} in", phrase::accounts(&unknown)));
            self.facts.push(("accounts", unknown.into()));
        }
        if !words.is_empty() {
            self.notes.push(format!("the new policy {}", phrase::listed(&words)));
        } else if call.event.name == "PutKeyPolicy" {
            self.notes.push(unremarkable(&found, policy.as_ref()));
        }
        // The bypass raises by itself, once: see `judge`.
        let of_itself = found.iter().filter(|found| found.weakness != Weakness::Bypassed).map(|found| found.severity);
        self.severity = of_itself.fold(self.severity, Severity::max);
        found.iter().map(|found| found.severity).max().unwrap_or(Severity::Info)
    }

    /// Tags a weakness; in words, if it is worth a place in the message.
    fn weakness(&mut self, found: &Found, standing: &dyn Fn(&str) -> Standing) -> Option<String> {
        let (words, named) = told(found, standing);
        match found.weakness {
            Weakness::Public | Weakness::AllBut => self.tags.push("public"),
            Weakness::PublicConditioned => self.tags.push("public_conditioned"),
            Weakness::ForeignAccount if words == found.weakness.words() => self.tags.push("cross_account"),
            Weakness::ForeignAccount => self.tags.push("other_account"),
            Weakness::Unreadable => self.tags.push("policy_unreadable"),
            _ => {}
        }
        let outsiders = matches!(
            found.weakness,
            Weakness::Public | Weakness::PublicConditioned | Weakness::ForeignAccount | Weakness::Unreadable
        );
        if !outsiders && found.severity < Severity::Medium {
            return None;
        }
        let places = if named.is_empty() { String::new() } else { format!(" ({})", phrase::some(&named)) };
        Some(format!("{words}{places}"))
    }

    fn look_at_actor(&mut self, call: &Call<'_>, settings: &Settings) {
        if call.principal.kind == PrincipalKind::Root {
            if call.event.name != READ {
                self.severity = self.severity.raised().max(Severity::High);
            }
            self.tags.push("root");
        }
        if call.via.console {
            self.tags.push("console");
        }
        let mfa = Mfa::of(call.event, &call.principal, &call.via, settings.mfa_max_age);
        self.tags.extend(mfa.tag());
        if !MFA_CRITICAL.contains(&call.event.name) {
            return;
        }
        if let Mfa::Fresh(age) | Mfa::Stale(Some(age)) = mfa {
            self.facts.push(("mfa_age_seconds", age.into()));
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
            Mfa::Fresh(_) | Mfa::Unknown | Mfa::NotApplicable => {}
        }
    }
}
