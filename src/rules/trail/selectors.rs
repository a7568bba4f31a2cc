//! What a request's event selectors leave of KMS's management events, by CloudTrail's own rules.
//!
//! Selectors add up: an event is logged if any of them takes it. Within an advanced selector all
//! fields must agree. In a field, one match of `equals`, `startsWith` or `endsWith` is enough, if
//! there is any such condition; one match of `notEquals`, `notStartsWith` or `notEndsWith` is a no.

use crate::model::event::Event;
use crate::model::json::Json;

/// What is logged, as far as KMS is concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four kinds of events, each there or not")]
pub(super) struct Kept {
    /// Management events of some service.
    pub(super) management: bool,
    /// Events of other kinds: data events, network activity.
    pub(super) others: bool,
    /// KMS's read events: `Decrypt`, `Encrypt`, `GenerateDataKey`, and all that only looks.
    pub(super) reads: bool,
    /// KMS's write events: whatever changes a key.
    pub(super) writes: bool,
}

impl Kept {
    /// What all selectors of a request keep together; `None` if it has none that can be read.
    pub(super) fn of(request: Json<'_>) -> Option<Self> {
        let list = |name| request.get_any_case(name).elements().filter(|selector| selector.is_object());
        let classic = list("eventSelectors").map(of_classic);
        let advanced = list("advancedEventSelectors").map(of_advanced);
        classic.chain(advanced).reduce(Self::and)
    }

    fn and(self, other: Self) -> Self {
        Self {
            management: self.management || other.management,
            others: self.others || other.others,
            reads: self.reads || other.reads,
            writes: self.writes || other.writes,
        }
    }
}

/// `{readWriteType, includeManagementEvents, excludeManagementEventSources, dataResources}`; what is
/// left out means all.
fn of_classic(selector: Json<'_>) -> Kept {
    let management = selector.get_any_case("includeManagementEvents").bool() != Some(false);
    let mut excluded = selector.get_any_case("excludeManagementEventSources").elements();
    let kms = management && !excluded.any(|source| source.str() == Some(Event::KMS));
    let is = |kind| selector.get_any_case("readWriteType").str() == Some(kind);
    // A kind of resource without any resource selects nothing.
    let mut resources = selector.get_any_case("dataResources").elements();
    let others = resources.any(|resource| resource.get_any_case("values").elements().next().is_some());
    Kept { management, others, reads: kms && !is("WriteOnly"), writes: kms && !is("ReadOnly") }
}

/// `{name, fieldSelectors: [{field, equals, …}]}`.
fn of_advanced(selector: Json<'_>) -> Kept {
    let management = takes(selector, "eventCategory", "Management");
    let kms = management && takes(selector, "eventSource", Event::KMS);
    let (reads, writes) = (takes(selector, "readOnly", "true"), takes(selector, "readOnly", "false"));
    Kept { management, others: !management, reads: kms && reads, writes: kms && writes }
}

/// Whether an event whose `field` is `value` passes what the selector says of that field.
fn takes(selector: Json<'_>, field: &str, value: &str) -> bool {
    let mut conditions = selector.get_any_case("fieldSelectors").elements();
    conditions.all(|condition| condition.get_any_case("field").str() != Some(field) || passes(condition, value))
}

type Matches = fn(&str, &str) -> bool;

fn passes(condition: Json<'_>, value: &str) -> bool {
    const TAKE: [(&str, Matches); 3] = [
        ("equals", |value, given| value == given),
        ("startsWith", |v, g| v.starts_with(g)),
        ("endsWith", |v, g| v.ends_with(g)),
    ];
    const LEAVE: [(&str, Matches); 3] =
        [("notEquals", TAKE[0].1), ("notStartsWith", TAKE[1].1), ("notEndsWith", TAKE[2].1)];
    let taken = verdicts(condition, TAKE, value);
    let left = verdicts(condition, LEAVE, value);
    (taken.is_empty() || taken.contains(&true)) && !left.contains(&true)
}

/// Whether `value` matches, for each text that the operators are given.
fn verdicts(condition: Json<'_>, operators: [(&str, Matches); 3], value: &str) -> Vec<bool> {
    let given = operators.into_iter().flat_map(|(name, matches)| {
        condition.get_any_case(name).elements().filter_map(word).map(move |given| matches(value, given))
    });
    given.collect()
}

/// A text of a condition; a boolean counts as its word.
fn word(value: Json<'_>) -> Option<&str> {
    match value.bool() {
        Some(true) => Some("true"),
        Some(false) => Some("false"),
        None => value.non_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `M` management, `o` others, `r` reads, `w` writes of KMS.
    fn kept(request: &str) -> Option<String> {
        let mut text = request.as_bytes().to_vec();
        let tape = simd_json::to_tape(&mut text).expect("JSON");
        let kept = Kept::of(Json::new(&tape.0))?;
        let letters = [(kept.management, 'M'), (kept.others, 'o'), (kept.reads, 'r'), (kept.writes, 'w')];
        Some(letters.into_iter().filter(|(is, _)| *is).map(|(_, letter)| letter).collect())
    }

    fn classic(selectors: &str) -> Option<String> {
        kept(&format!(r#"{{"eventSelectors":{selectors}}}"#))
    }

    /// An advanced selector for management events with one more field.
    fn advanced(field: &str) -> Option<String> {
        let category = r#"{"field":"eventCategory","equals":["Management"]}"#;
        kept(&format!(r#"{{"advancedEventSelectors":[{{"fieldSelectors":[{category},{field}]}}]}}"#))
    }

    #[test]
    fn classic_selectors_keep_what_they_do_not_exclude() {
        for (selectors, expected) in [
            (r"[{}]", "Mrw"),
            (r#"[{"readWriteType":"All","includeManagementEvents":true,"excludeManagementEventSources":[]}]"#, "Mrw"),
            (r#"[{"excludeManagementEventSources":["rdsdata.amazonaws.com"]}]"#, "Mrw"),
            (r#"[{"excludeManagementEventSources":["rdsdata.amazonaws.com","kms.amazonaws.com"]}]"#, "M"),
            (r#"[{"excludeManagementEventSources":"kms.amazonaws.com"}]"#, "M"),
            (r#"{"readWriteType":"WriteOnly"}"#, "Mw"),
            (r#"[{"readWriteType":"ReadOnly","includeManagementEvents":"true"}]"#, "Mr"),
            (r#"[{"readWriteType":"ReadOnly"},{"readWriteType":"WriteOnly"}]"#, "Mrw"),
            (r#"[{"includeManagementEvents":false,"dataResources":[{"type":"AWS::S3::Object","values":[]}]}]"#, ""),
            (r#"[{"includeManagementEvents":false,"dataResources":[{"values":["arn:aws:s3:::b/"]}]}]"#, "o"),
            (r#"[{"includeManagementEvents":false},{"readWriteType":"WriteOnly"}]"#, "Mw"),
            (r#"[{"readWriteType":7,"includeManagementEvents":null,"dataResources":3}]"#, "Mrw"),
        ] {
            assert_eq!(classic(selectors).as_deref(), Some(expected), "{selectors}");
        }
    }

    #[test]
    fn advanced_conditions_are_judged_as_cloudtrail_does() {
        for (field, expected) in [
            (r#"{"field":"eventSource","notEquals":["kms.amazonaws.com"]}"#, "M"),
            (r#"{"field":"eventSource","notEquals":"kms.amazonaws.com"}"#, "M"),
            (r#"{"field":"eventSource","notStartsWith":["kms"]}"#, "M"),
            (r#"{"field":"eventSource","notEndsWith":[".amazonaws.com"]}"#, "M"),
            (r#"{"field":"eventSource","notEquals":["rdsdata.amazonaws.com"],"notStartsWith":["s3"]}"#, "Mrw"),
            (r#"{"field":"eventSource","notEquals":["rdsdata.amazonaws.com","kms.amazonaws.com"]}"#, "M"),
            (r#"{"field":"eventSource","equals":["iam.amazonaws.com"]}"#, "M"),
            (r#"{"field":"eventSource","equals":["iam.amazonaws.com"],"startsWith":["km"]}"#, "Mrw"),
            (r#"{"field":"eventSource","endsWith":["amazonaws.com"],"notStartsWith":["kms."]}"#, "M"),
            (r#"{"field":"eventSource","equals":[],"startsWith":null,"notEquals":[""]}"#, "Mrw"),
            (r#"{"field":"readOnly","equals":["true"]}"#, "Mr"),
            (r#"{"field":"readOnly","equals":[false]}"#, "Mw"),
            (r#"{"field":"readOnly","equals":["true","false"]}"#, "Mrw"),
            (r#"{"field":"eventName","notEquals":["Decrypt"]}"#, "Mrw"),
            (r#"{"field":7,"equals":{"a":1}},null,"text""#, "Mrw"),
        ] {
            assert_eq!(advanced(field).as_deref(), Some(expected), "{field}");
        }
    }

    #[test]
    fn selectors_add_up() {
        let selector = |fields: &str| format!(r#"{{"fieldSelectors":[{fields}]}}"#);
        let management = r#"{"field":"eventCategory","equals":["Management"]}"#;
        let no_kms = selector(&format!(r#"{management},{{"field":"eventSource","notEquals":["kms.amazonaws.com"]}}"#));
        let reads = selector(&format!(r#"{management},{{"field":"readOnly","equals":["true"]}}"#));
        let data = selector(r#"{"field":"eventCategory","equals":["Data"]}"#);
        for (selectors, expected) in [(vec![&no_kms, &data], "Mo"), (vec![&no_kms, &reads], "Mr"), (vec![&data], "o")] {
            let list = selectors.into_iter().cloned().collect::<Vec<_>>().join(",");
            let request = format!(r#"{{"advancedEventSelectors":[{list}]}}"#);
            assert_eq!(kept(&request).as_deref(), Some(expected), "{request}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_judged() {
        for request in [
            "null",
            "[]",
            r#""text""#,
            r#"{"trailName":"t"}"#,
            r#"{"eventSelectors":[],"advancedEventSelectors":null}"#,
            r#"{"eventSelectors":"[{}]","advancedEventSelectors":[7,null,"{}"]}"#,
        ] {
            assert_eq!(kept(request), None, "{request}");
        }
    }
}
