//! Looks for weaknesses in a key policy. Not an evaluation of IAM: of what other policies, SCPs and
//! endpoint policies add or take nothing is known here.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::{ADMIN, Actions, READ, USE};
use super::condition::{Condition, Reach, Share, people, source_accounts};
use super::document::{Policy, Principal, Statement};
use super::weakness::{Found, Weakness};
use crate::kms::accounts::Standing;
use crate::model::arn::is_account_id;
use crate::model::severity::Severity;

/// What is to be known of the key and its surroundings.
pub struct Key<'a> {
    /// Its ARN; empty if that is not known.
    pub arn: &'a str,
    /// Account that owns it.
    pub owner: &'a str,
    /// Whether the lock-out check was skipped when the policy was set.
    pub bypassed: bool,
    /// How an account stands to the owner.
    pub standing: &'a dyn Fn(&str) -> Standing,
}

/// What a policy gives to one account that is not the owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// Actions of statements that no Deny guards.
    pub open: Actions,
    /// Actions of statements that a Deny for strangers guards.
    pub guarded: Actions,
}

/// Principals with use of a key, and administrators, that are many.
const MANY_USERS: usize = 10;
const MANY_ADMINS: usize = 5;

/// The weaknesses of a document, each once with its worst severity.
#[must_use]
pub fn judge(document: &str, key: &Key<'_>) -> Vec<Found> {
    let Some(policy) = Policy::of_key(document, key.arn) else {
        let alone = |weakness, severity| Found { weakness, severity, places: Vec::new() };
        let bypassed = key.bypassed.then(|| alone(Weakness::Bypassed, Severity::High));
        return bypassed.into_iter().chain([alone(Weakness::Unreadable, Severity::Info)]).collect();
    };
    weaknesses(&policy, key)
}

/// The weaknesses of a policy that could be read, of which all statements are about the key.
#[must_use]
pub fn weaknesses(policy: &Policy, key: &Key<'_>) -> Vec<Found> {
    let mut search = Search { policy, guards: Guards::of(policy), key, found: BTreeMap::new() };
    for statement in policy.statements.iter().filter(|statement| statement.allows) {
        search.look_at_statement(statement);
    }
    for (account, rights) in others(policy, key.owner) {
        let standing = (key.standing)(&account);
        if let Some(severity) = rights.severity(standing) {
            search.note(Weakness::ForeignAccount, severity, &account);
        }
        if standing == Standing::Foreign && rights.are_everything() {
            search.note(Weakness::Everything, Severity::Critical, &account);
        }
    }
    search.look_at_root();
    search.look_at_principals();
    if key.bypassed {
        search.note(Weakness::Bypassed, Severity::High, "");
    }
    search.found.into_values().collect()
}

/// What accounts other than the owner's are given, of a policy of which all statements are about the key: by name,
/// by condition, or because the Deny that guards a statement for everybody lets them through.
#[must_use]
pub fn others(policy: &Policy, owner: &str) -> BTreeMap<String, Rights> {
    let mut others: BTreeMap<String, Rights> = BTreeMap::new();
    let all_guards = Guards::of(policy);
    let gives_rights = |statement: &&Statement| statement.allows && statement.actions.meets(ADMIN | USE | READ);
    for statement in policy.statements.iter().filter(gives_rights) {
        let guards: Vec<&Guard> = all_guards.of_statement(statement).collect();
        let named: BTreeSet<String> = if is_public(statement) {
            guards.iter().flat_map(|guard| guard.exempt.iter().cloned()).collect()
        } else {
            accounts(statement).collect()
        };
        for account in named.into_iter().filter(|account| account != owner) {
            let guarded = guards.iter().any(|guard| !guard.exempt.contains(&account));
            if guarded && is_public(statement) {
                continue;
            }
            let rights = others.entry(account).or_default();
            let actions = if guarded { &mut rights.guarded } else { &mut rights.open };
            *actions = *actions | statement.actions;
        }
    }
    others
}

impl Rights {
    /// How bad they are in the hands of an account that stands so; `None` if that is fine, or unknown.
    #[must_use]
    pub fn severity(self, standing: Standing) -> Option<Severity> {
        match standing {
            Standing::Own | Standing::Trusted | Standing::Unknown => None,
            Standing::Organization => graded(self.open | self.guarded).map(|_| Severity::Info),
            Standing::Foreign => {
                let guarded = graded(self.guarded).map(|severity| severity.lowered().lowered());
                graded(self.open).max(guarded)
            }
        }
    }

    /// Whether they are all that can be given.
    #[must_use]
    pub fn are_everything(self) -> bool {
        is_everything(self.open | self.guarded)
    }

    /// In words for evidence.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let all = self.open | self.guarded;
        [("admin", ADMIN), ("use", USE), ("read", READ)]
            .iter()
            .filter(|(_, set)| all.meets(*set))
            .map(|(word, _)| *word)
            .collect()
    }
}

/// A policy while it is looked through.
struct Search<'p> {
    policy: &'p Policy,
    guards: Guards,
    key: &'p Key<'p>,
    found: BTreeMap<Weakness, Found>,
}

impl Search<'_> {
    fn note(&mut self, weakness: Weakness, severity: Severity, place: &str) {
        let found = self.found.entry(weakness).or_insert_with(|| Found { weakness, severity, places: Vec::new() });
        found.severity = found.severity.max(severity);
        if !place.is_empty() && !found.places.iter().any(|known| known == place) {
            found.places.push(place.to_owned());
        }
    }

    fn look_at_statement(&mut self, statement: &Statement) {
        let name = statement.name().unwrap_or_default();
        if statement.not_principal {
            self.note(Weakness::AllBut, Severity::Critical, name);
            return;
        }
        for principal in statement.principals.iter().filter(|principal| principal.is_dead()) {
            self.note(Weakness::DeadPrincipal, Severity::Info, principal.as_str());
        }
        if is_public(statement) {
            self.look_at_public(statement, name);
        } else {
            if statement.is_loosely_worded(ADMIN) {
                self.note(Weakness::LooseActions, Severity::Medium, name);
            }
            if is_everything(statement.actions) {
                self.look_at_everything(statement, name);
            }
        }
        // Grants that are for the resources of AWS services only are what a service asks for.
        let rights = if is_for_aws(statement) {
            statement.actions.without(Actions::one("CreateGrant"))
        } else {
            statement.actions
        };
        if rights.meets(USE | ADMIN) && !statement.conditions.iter().any(Condition::names_a_source) {
            for principal in &statement.principals {
                if let Principal::Service(service) = principal {
                    self.note(Weakness::ConfusedDeputy, Severity::Low, service);
                }
            }
        }
    }

    fn look_at_public(&mut self, statement: &Statement, name: &str) {
        let wide = statement.actions.meets(USE | ADMIN);
        if !wide && !statement.actions.meets(READ) {
            return;
        }
        let (weakness, severity) = match Reach::of(&statement.conditions) {
            Reach::AnyAccount { by_address_only: true } if wide => (Weakness::PublicConditioned, Severity::Medium),
            Reach::AnyAccount { .. } if wide => (Weakness::PublicConditioned, Severity::High),
            Reach::AnyAccount { .. } => (Weakness::PublicConditioned, Severity::Low),
            _ if wide => (Weakness::Public, Severity::Critical),
            _ => (Weakness::Public, Severity::Medium),
        };
        let guarded = self.guards.of_statement(statement).next().is_some();
        let severity = if guarded { severity.lowered().lowered() } else { severity };
        self.note(weakness, severity, name);
    }

    /// `kms:*` for another account, or for everybody. For a principal it may come from several statements.
    fn look_at_everything(&mut self, statement: &Statement, name: &str) {
        let others: Vec<String> = accounts(statement).filter(|account| account != self.key.owner).collect();
        for account in &others {
            let foreign = (self.key.standing)(account) == Standing::Foreign;
            self.note(Weakness::Everything, if foreign { Severity::Critical } else { Severity::Medium }, account);
        }
        if statement.names_everybody() {
            let people = people(&statement.conditions, self.key.owner);
            if people.is_empty() && others.is_empty() {
                self.note(Weakness::Everything, Severity::Medium, name);
            }
            for whom in &people {
                self.note(Weakness::Everything, Severity::Medium, whom);
            }
        }
    }

    fn look_at_root(&mut self) {
        let put = Actions::one("PutKeyPolicy");
        let may_put =
            self.policy.statements.iter().filter(|statement| statement.allows && statement.actions.meets(put));
        let share = may_put.map(|statement| share(statement, self.key)).max().unwrap_or(Share::Nobody);
        if share < Share::All {
            self.note(Weakness::NoRoot, if self.key.bypassed { Severity::High } else { Severity::Medium }, "");
        }
        if share == Share::Nobody {
            self.note(Weakness::NoAdministrator, Severity::High, "");
        }
    }

    /// What is gathered over all statements that name a principal.
    fn look_at_principals(&mut self) {
        let gathered = gathered(self.policy);
        // The account's own root is whoever IAM lets: no one to be counted.
        let is_root = |principal: &Principal| principal.is_root() && principal.account() == Some(self.key.owner);
        let named = || gathered.iter().filter(|(p, _)| p.account().is_some() && !is_root(p));
        let users = named().filter(|(_, rights)| rights.all.meets(USE)).count();
        let admins = named().filter(|(_, rights)| rights.all.meets(ADMIN)).count();
        if users > MANY_USERS || admins > MANY_ADMINS {
            self.note(
                Weakness::ManyPrincipals,
                Severity::Medium,
                &format!("{users} to use it, {admins} to administer it"),
            );
        }
        for (principal, rights) in &gathered {
            let local_root = principal.is_root() && principal.account() == Some(self.key.owner);
            if local_root {
                continue;
            }
            let named = principal.account().is_some();
            if rights.everything {
                let other = principal.account().filter(|account| *account != self.key.owner);
                if named || principal.is_service() {
                    self.note(Weakness::Everything, Severity::Medium, other.unwrap_or(principal.as_str()));
                }
                continue;
            }
            let (grant, put, delete) =
                (Actions::one("CreateGrant"), Actions::one("PutKeyPolicy"), Actions::one("ScheduleKeyDeletion"));
            let administers = rights.all.meets(put | delete) || rights.free_grants;
            if named && administers && rights.all.meets(Actions::one("Decrypt")) {
                self.note(Weakness::NoSeparation, Severity::Low, principal.as_str());
            }
            if rights.free_grants && rights.all.meets(grant) && (named || **principal == Principal::Everybody) {
                self.note(Weakness::FreeGrants, Severity::Low, principal.as_str());
            }
        }
    }
}

/// What all statements together give to one principal.
#[derive(Default)]
struct Gathered {
    all: Actions,
    /// That is everything.
    everything: bool,
    /// Some statement lets it make grants that are not for AWS's own resources.
    free_grants: bool,
}

fn gathered(policy: &Policy) -> BTreeMap<&Principal, Gathered> {
    let mut gathered: BTreeMap<&Principal, Gathered> = BTreeMap::new();
    for statement in policy.statements.iter().filter(|statement| statement.allows && !is_public(statement)) {
        for principal in statement.principals.iter().collect::<BTreeSet<_>>() {
            let rights = gathered.entry(principal).or_default();
            rights.all = rights.all | statement.actions;
            // Everybody under one condition is not everybody under another.
            let given = if *principal == Principal::Everybody { statement.actions } else { rights.all };
            rights.everything |= is_everything(given);
            rights.free_grants |= statement.actions.meets(Actions::one("CreateGrant")) && !is_for_aws(statement);
        }
    }
    gathered
}

/// Whether a statement allows grants for the resources of AWS services only.
fn is_for_aws(statement: &Statement) -> bool {
    let limits =
        |c: &Condition| c.operator.eq_ignore_ascii_case("Bool") && c.is_bool("kms:GrantIsForAWSResource", true);
    statement.conditions.iter().any(limits)
}

/// Whether a statement lets in people that nobody has named.
fn is_public(statement: &Statement) -> bool {
    statement.not_principal
        || (statement.names_everybody() && !matches!(Reach::of(&statement.conditions), Reach::Restricted { .. }))
}

fn is_everything(actions: Actions) -> bool {
    actions.covers(ADMIN | USE)
}

fn graded(actions: Actions) -> Option<Severity> {
    [(ADMIN, Severity::High), (USE, Severity::Medium), (READ, Severity::Low)]
        .iter()
        .find(|(set, _)| actions.meets(*set))
        .map(|(_, severity)| *severity)
}

/// The accounts that a statement lets in: of its principals, of conditions on everybody, and those for whose
/// resources a service may act.
fn accounts(statement: &Statement) -> impl Iterator<Item = String> {
    let by_condition = match Reach::of(&statement.conditions) {
        Reach::Restricted { accounts } if statement.names_everybody() => accounts,
        _ => BTreeSet::new(),
    };
    let by_service = if statement.principals.iter().any(Principal::is_service) {
        source_accounts(&statement.conditions)
    } else {
        BTreeSet::new()
    };
    let named = statement.principals.iter().filter_map(Principal::account).map(str::to_owned);
    named.chain(by_condition).chain(by_service).collect::<BTreeSet<_>>().into_iter()
}

/// How many of the owner's principals a statement lets change the policy: all if it is for the account's root, or
/// for everybody, and its conditions do not take that back.
fn share(statement: &Statement, key: &Key<'_>) -> Share {
    let of_owner = |principal: &Principal| principal.account() == Some(key.owner);
    let named = statement.principals.iter().filter(|principal| of_owner(principal));
    let named = named.map(|principal| if principal.is_root() { Share::All } else { Share::Some }).max();
    let for_everybody = statement.not_principal || statement.names_everybody();
    let given = if for_everybody { Share::All } else { named.unwrap_or(Share::Nobody) };
    // An organisation is taken for the owner's: KMS refuses a policy that shuts out who puts it, unless it was told
    // not to look.
    let vouched = !key.bypassed;
    let left = statement.conditions.iter().map(|condition| condition.share(key.owner, vouched));
    left.fold(given, Share::min)
}

/// The denies of a policy that keep strangers out. Other denies change no verdict.
struct Guards(Vec<Guard>);

/// A Deny that keeps strangers from all that a statement allows.
struct Guard {
    denies: Actions,
    /// Accounts that it lets through by name.
    exempt: BTreeSet<String>,
    /// Whether it lets AWS's own services through.
    spares_services: bool,
}

impl Guards {
    fn of(policy: &Policy) -> Self {
        // AWS's own services, in their own names, are no strangers.
        let services = |condition: &Condition| condition.is_bool("aws:PrincipalIsAWSService", false);
        let is_guard = |deny: &&Statement| {
            !deny.allows
                && deny.names_everybody()
                && deny.conditions.iter().any(Condition::excludes_the_known)
                && deny.conditions.iter().all(|condition| condition.excludes_the_known() || services(condition))
        };
        let exempt = |deny: &Statement| {
            let named = deny.conditions.iter().flat_map(Condition::accounts);
            named.filter(|account| is_account_id(account)).map(str::to_owned).collect()
        };
        let guard = |deny: &Statement| Guard {
            denies: deny.actions,
            exempt: exempt(deny),
            spares_services: deny.conditions.iter().any(services),
        };
        Self(policy.statements.iter().filter(is_guard).map(guard).collect())
    }

    /// Those of a statement.
    fn of_statement(&self, allow: &Statement) -> impl Iterator<Item = &Guard> {
        let allowed = allow.actions.and(ADMIN | USE | READ);
        let for_services = !allow.not_principal && allow.principals.iter().all(Principal::is_service);
        self.0.iter().filter(move |guard| guard.denies.covers(allowed) && !(for_services && guard.spares_services))
    }
}
