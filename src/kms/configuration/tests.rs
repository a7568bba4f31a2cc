//! The interpreter on small records: every path form, operator, binding and meaning of absence.

use super::condition::Conditions;
use super::*;
use crate::model::event::Identity;
use crate::model::json::Json;
use crate::model::time::Seconds;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Reads a record of which only what the interpreter looks at is written.
fn with<R>(record: &str, look: impl FnOnce(&Event<'_>) -> R) -> R {
    let mut text = record.as_bytes().to_vec();
    let tape = simd_json::to_tape(&mut text).expect("a record in JSON");
    let record = Json::new(&tape.0);
    look(&Event {
        event_id: "",
        original_event_id: None,
        shared_event_id: None,
        time: Seconds::default(),
        source: record.get("source").str().unwrap_or_default(),
        name: record.get("name").str().unwrap_or_default(),
        event_type: "",
        category: None,
        region: "us-east-1",
        account: "111122223333",
        error_code: record.get("error").non_empty(),
        error_message: None,
        source_ip: "",
        user_agent: "",
        console_session: false,
        identity: Identity::default(),
        request: record.get("request"),
        response: record.get("response"),
        additional: record.get("additional"),
        service_details: Json::NULL,
        resources: Json::NULL,
    })
}

// ---- Paths

/// What a path leads to in a request: `place=text`, or the place alone where there is no text.
fn walked(path: &str, request: &str) -> Vec<String> {
    let path = Path::try_from(path.to_owned()).expect("a path");
    with(&format!(r#"{{"request":{request}}}"#), |event| {
        let mut found = Vec::new();
        path.each(event, &mut |place, value| {
            let place: Vec<String> = place.iter().map(usize::to_string).collect();
            found.push(format!("{}={}", place.join("."), value.text().unwrap_or_default()));
        });
        found
    })
}

#[test]
fn a_name_is_matched_exactly_before_it_is_matched_in_any_case() {
    assert_eq!(walked("a.b", r#"{"a":{"b":"x"}}"#), ["=x"]);
    assert_eq!(walked("kMSKey", r#"{"KmsKey":"x","kmskey":"y"}"#), ["=x", "=y"]);
    assert_eq!(walked("kmsKey", r#"{"KMSKEY":"x","kmsKey":"y"}"#), ["=y"]);
    assert_eq!(walked("kmsKey", r#"{"KMSKEY":"x","kmsKey":null}"#), ["="]);
    assert_eq!(walked("x-amz-a", r#"{"X-Amz-A":"x"}"#), ["=x"]);
}

#[test]
fn a_list_is_walked_whatever_way_it_is_written() {
    assert_eq!(walked("a[].b", r#"{"a":[{"b":"x"},{},{"b":"y"}]}"#), ["0=x", "2=y"]);
    assert_eq!(walked("a[].b", r#"{"a":{"b":"x"}}"#), ["0=x"]);
    assert_eq!(walked("a[].b", r#"{"a":{"items":[{"b":"x"},{"b":"y"}]}}"#), ["0=x", "1=y"]);
    assert_eq!(walked("a.items[].b", r#"{"a":{"items":[{"b":"x"}]}}"#), ["0=x"]);
    assert_eq!(walked("a.items[].b", r#"{"a":{"items":{"items":[{"b":"x"}]}}}"#), ["0=x"]);
    // A member `items` that is no list is a member.
    assert_eq!(walked("a[].items.b", r#"{"a":{"items":{"b":"x"}}}"#), ["0=x"]);
    assert_eq!(walked("a[]", r#"{"a":["x",null,"y"]}"#), ["0=x", "1=", "2=y"]);
    assert_eq!(walked("a[]", r#"{"a":"x"}"#), ["0=x"]);
    assert!(walked("a.b", r#"{"a":[{"b":"x"}]}"#).is_empty());
}

#[test]
fn lists_in_lists_have_an_index_each() {
    let request = r#"{"a":[{"b":[{"c":"w"},{"c":"x"}]},{"b":{"c":"y"}}]}"#;
    assert_eq!(walked("a[].b[].c", request), ["0.0=w", "0.1=x", "1.0=y"]);
}

#[test]
fn a_star_is_any_member() {
    assert_eq!(walked("*.b", r#"{"a":{"b":"x"},"c":1,"d":{"b":"y"},"e":["z"]}"#), ["=x", "=y"]);
    assert_eq!(walked("a.*.b", r#"{"a":{"us-east-1":{"b":"x"}}}"#), ["=x"]);
}

#[test]
fn json_in_a_string_is_parsed_and_anything_else_passes() {
    assert_eq!(walked("a{json}.b", r#"{"a":"{\"b\":\"x\"}"}"#), ["=x"]);
    assert_eq!(walked("a{json}.b", r#"{"a":{"b":"x"}}"#), ["=x"]);
    for unfit in [r#""""#, r#""{""#, r#""7""#, r#""[1]""#, "7", "null", r#""{\"b\":""#] {
        assert!(walked("a{json}.b", &format!(r#"{{"a":{unfit}}}"#)).is_empty(), "{unfit}");
    }
    let deep = format!(r#"{{"a":"{}{}"}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert!(walked("a{json}.b", &deep).is_empty());
}

#[test]
fn what_is_missing_or_of_another_type_leads_nowhere() {
    for request in ["null", "[]", "7", r#""a""#, "true", "{}", r#"{"a":null}"#, r#"{"a":7}"#, r#"{"a":[]}"#] {
        assert!(walked("a.b", request).is_empty(), "{request}");
        assert!(walked("a[].b", request).is_empty(), "{request}");
        assert!(walked("*.b.c", request).is_empty(), "{request}");
        assert!(walked("a{json}.b", request).is_empty(), "{request}");
    }
}

#[test]
fn a_path_starts_in_the_payload_that_it_names() {
    let record = r#"{"request":{"a":"q","responseElements":{"a":"q"}},"response":{"a":"r"},"additional":{"a":"d"}}"#;
    with(record, |event| {
        for (path, expected) in [("a", "q"), ("responseElements.a", "r"), ("additionalEventData.a", "d")] {
            let path = Path::try_from(path.to_owned()).expect("a path");
            assert_eq!(path.first_text(event).as_deref(), Some(expected));
        }
    });
}

#[test]
fn empty_text_names_nothing() {
    with(r#"{"request":{"a":["",null,7,"x","y"]}}"#, |event| {
        let path = Path::try_from("a[]".to_owned()).expect("a path");
        assert_eq!(path.first_text(event).as_deref(), Some("x"));
    });
}

// ---- Conditions

/// Whether conditions hold, and for which of the places `[]`, `[0]` and `[1]` they do.
fn bound(conditions: &str, request: &str) -> (bool, [bool; 3]) {
    let conditions: Conditions = serde_json::from_str(conditions).expect("conditions");
    with(&format!(r#"{{"request":{request}}}"#), |event| {
        let bound = conditions.bindings(event);
        (!bound.is_empty(), [&[][..], &[0], &[1]].map(|place| bound.cover(place)))
    })
}

/// Whether one condition on the member `a` holds where it has this value.
fn holds(operator: &str, value: &str) -> bool {
    bound(&format!(r#"[[["a",{operator}]]]"#), &format!(r#"{{"a":{value}}}"#)).0
}

#[test]
fn every_operator_holds_for_its_values_only() {
    const VALUES: [&str; 14] = [
        "null",
        "true",
        "false",
        r#""true""#,
        r#""TRUE""#,
        r#""False""#,
        r#""""#,
        r#""KMS""#,
        r#""kms""#,
        r#""SSE-KMS""#,
        "7",
        "{}",
        "[]",
        r#"["KMS"]"#,
    ];
    let of = |operator: &str| -> Vec<&str> { VALUES.into_iter().filter(|value| holds(operator, value)).collect() };
    assert_eq!(of(r#""is_true""#), ["true", r#""true""#, r#""TRUE""#]);
    assert_eq!(of(r#""is_false""#), ["false", r#""False""#]);
    assert_eq!(of(r#""eq","kms""#), [r#""KMS""#, r#""kms""#]);
    assert_eq!(of(r#""eq","""#), [r#""""#]);
    assert_eq!(of(r#""eq","false""#), ["false", r#""False""#]);
    assert_eq!(of(r#""in",["KMS","sse-kms"]"#), [r#""KMS""#, r#""kms""#, r#""SSE-KMS""#]);
    assert_eq!(of(r#""prefix","SSE""#), [r#""SSE-KMS""#]);
    assert_eq!(of(r#""not_prefix","SSE""#).len(), VALUES.len() - 1);
    assert_eq!(of(r#""present""#).len(), VALUES.len() - 1);
    assert_eq!(of(r#""absent""#), ["null"]);
    assert_eq!(of(r#""non_empty""#), [r#""true""#, r#""TRUE""#, r#""False""#, r#""KMS""#, r#""kms""#, r#""SSE-KMS""#]);
}

#[test]
fn only_negations_hold_for_a_member_that_is_missing() {
    for (operator, expected) in [
        (r#""is_true""#, false),
        (r#""is_false""#, false),
        (r#""eq","""#, false),
        (r#""in",["x"]"#, false),
        (r#""prefix","""#, false),
        (r#""not_prefix","x""#, true),
        (r#""present""#, false),
        (r#""absent""#, true),
        (r#""non_empty""#, false),
    ] {
        assert_eq!(bound(&format!(r#"[[["a",{operator}]]]"#), "{}").0, expected, "{operator}");
    }
}

#[test]
fn a_condition_in_a_list_binds_the_elements_that_fulfil_it() {
    let conditions = r#"[[["l[].on","is_true"]]]"#;
    assert_eq!(bound(conditions, r#"{"l":[{"on":false},{"on":true}]}"#), (true, [false, false, true]));
    assert_eq!(bound(conditions, r#"{"l":{"on":true}}"#), (true, [false, true, false]));
    assert_eq!(bound(conditions, r#"{"l":[{"on":false}]}"#), (false, [false; 3]));
}

#[test]
fn a_negation_binds_the_whole_record_or_nothing() {
    let conditions = r#"[[["l[].type","not_prefix","X"]]]"#;
    assert_eq!(bound(conditions, r#"{"l":[{"type":"A"}]}"#), (true, [true; 3]));
    assert_eq!(bound(conditions, r#"{"l":[{"type":"A"},{"type":"XY"}]}"#), (false, [false; 3]));
}

#[test]
fn conditions_of_one_alternative_bind_what_fulfils_all() {
    let request = r#"{"on":true,"l":[{"on":true,"type":"A"},{"on":true,"type":"B"}]}"#;
    let both = r#"[[["l[].on","is_true"],["l[].type","eq","b"]]]"#;
    assert_eq!(bound(both, request), (true, [false, false, true]));
    // Outside of the list, a condition narrows nothing.
    let outside = r#"[[["on","is_true"],["l[].type","eq","a"],["off","absent"]]]"#;
    assert_eq!(bound(outside, request), (true, [false, true, false]));
    let apart = r#"[[["l[].type","eq","a"],["l[].type","eq","b"]]]"#;
    assert_eq!(bound(apart, request), (false, [false; 3]));
    let one_fails = r#"[[["l[].on","is_true"],["off","is_true"]]]"#;
    assert_eq!(bound(one_fails, request), (false, [false; 3]));
}

#[test]
fn alternatives_bind_what_fulfils_one() {
    let request = r#"{"on":true,"l":[{"type":"A"},{"type":"B"}]}"#;
    let elements = r#"[[["l[].type","eq","a"]],[["off","is_true"]],[["l[].type","eq","b"]]]"#;
    assert_eq!(bound(elements, request), (true, [false, true, true]));
    assert_eq!(bound(r#"[[["l[].type","eq","a"]],[["on","is_true"]]]"#, request), (true, [true; 3]));
    assert_eq!(bound(r#"[[["off","is_true"]],[["off","present"]]]"#, request), (false, [false; 3]));
}

// ---- Rows

/// What an event reads as: `row choice key`, with `<` before a key that the response names.
fn said(source: &str, name: &str, payloads: &str) -> Vec<String> {
    let record = format!(r#"{{"source":"{source}.amazonaws.com","name":"{name}",{payloads}}}"#);
    with(&record, |event| read(event).iter().map(line).collect())
}

fn line(configured: &Configured) -> String {
    let mark = if configured.from_response { " <" } else { " " };
    let key = configured.key.as_ref().map(|key| format!("{mark}{key}")).unwrap_or_default();
    format!("{} {}{key}", configured.row.id, configured.choice.as_str())
}

#[test]
fn a_named_key_is_read_as_it_is_written() {
    for (key, choice) in [
        ("alias/aws/elasticfilesystem", "named_default"),
        ("arn:aws:kms:us-east-1:111122223333:alias/aws/elasticfilesystem", "named_default"),
        ("alias/app", "named_alias"),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", "named_key"),
        (KEY, "named_key"),
        ("AWS_OWNED_KMS_KEY", "named_owned"),
    ] {
        let payloads = format!(r#""request":{{"encrypted":true,"kmsKeyId":"{key}"}},"response":{{"kmsKeyId":"x"}}"#);
        assert_eq!(said("elasticfilesystem", "CreateFileSystem", &payloads), [format!("efs.create {choice} {key}")]);
    }
}

#[test]
fn an_empty_key_was_taken_off_or_reset() {
    let empty = r#""request":{"kmsKeyId":""}"#;
    assert_eq!(said("cloudtrail", "UpdateTrail", empty), ["cloudtrail.trail cleared"]);
    assert_eq!(said("secretsmanager", "UpdateSecret", empty), ["secrets.update reset"]);
    let queue = r#""request":{"attributes":{"KmsMasterKeyId":"","SqsManagedSseEnabled":"false"}}"#;
    assert_eq!(said("sqs", "SetQueueAttributes", queue), ["sqs.queue reset"]);
    // What is no text names as little.
    for value in ["7", "{}", "[]", "true"] {
        let payloads = format!(r#""request":{{"kmsKeyId":{value}}}"#);
        assert_eq!(said("cloudtrail", "UpdateTrail", &payloads), ["cloudtrail.trail cleared"]);
    }
}

#[test]
fn the_response_tells_where_the_request_does_not() {
    let read = |response: &str| {
        said(
            "elasticfilesystem",
            "CreateFileSystem",
            &format!(r#""request":{{"encrypted":true}},"response":{response}"#),
        )
    };
    assert_eq!(read(&format!(r#"{{"kmsKeyId":"{KEY}"}}"#)), [format!("efs.create named_key <{KEY}")]);
    assert_eq!(read(r#"{"kmsKeyId":"alias/aws/x"}"#), ["efs.create named_default <alias/aws/x"]);
    for nothing in ["null", "{}", r#"{"kmsKeyId":""}"#, r#"{"kmsKeyId":null}"#, r#"{"kmsKeyId":7}"#] {
        assert_eq!(read(nothing), ["efs.create implicit"], "{nothing}");
    }
    // It also tells where no key would be no choice.
    let update = r#""request":{"name":"p"},"response":{"project":{"encryptionKey":"alias/aws/s3"}}"#;
    assert_eq!(said("codebuild", "UpdateProject", update), ["codebuild named_default <alias/aws/s3"]);
}

#[test]
fn no_key_means_what_the_table_says_of_the_event() {
    let cases = [
        ("ec2", "CopySnapshot", r#"{"encrypted":true}"#, "ebs.copy_snapshot account_default"),
        ("dms", "CreateReplicationInstance", "{}", "dms.instance implicit"),
        ("redshift", "CreateCluster", "{}", "redshift.cluster possible"),
        ("kendra", "CreateIndex", "{}", "kendra owned"),
        ("cloudtrail", "CreateTrail", "{}", "cloudtrail.trail sse_s3"),
        ("sns", "SetTopicAttributes", r#"{"attributeName":"KmsMasterKeyId"}"#, "sns.set no_kms"),
        ("fsx", "CopyBackup", "{}", "fsx.create inherited"),
        ("sagemaker", "CreateTrainingJob", "{}", "sagemaker.job bucket_default"),
        ("ec2", "EnableEbsEncryptionByDefault", "{}", "ebs.default_on state"),
    ];
    for (source, name, request, expected) in cases {
        assert_eq!(said(source, name, &format!(r#""request":{request}"#)), [expected]);
    }
    let silent = [
        ("kinesis", "StartStreamEncryption", r#"{"encryptionType":"KMS"}"#),
        ("cloudtrail", "UpdateTrail", "{}"),
        ("secretsmanager", "UpdateSecret", "{}"),
        ("secretsmanager", "UpdateSecret", r#"{"kmsKeyId":null}"#),
    ];
    for (source, name, request) in silent {
        assert!(said(source, name, &format!(r#""request":{request}"#)).is_empty(), "{name}");
    }
}

#[test]
fn a_way_out_of_kms_is_read() {
    let cases = [
        (
            "s3",
            "PutBucketEncryption",
            r#"{"ServerSideEncryptionConfiguration":{"Rule":{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}}}"#,
            "s3.bucket_enc.off sse_s3",
        ),
        ("dynamodb", "UpdateTable", r#"{"sSESpecification":{"enabled":false}}"#, "ddb.table.off owned"),
        (
            "cassandra",
            "UpdateTable",
            r#"{"encryptionSpecification":{"type":"AWS_OWNED_KMS_KEY"}}"#,
            "keyspaces.off owned",
        ),
        ("redshift", "ModifyCluster", r#"{"encrypted":false}"#, "redshift.cluster.off no_kms"),
        (
            "glue",
            "PutDataCatalogEncryptionSettings",
            r#"{"dataCatalogEncryptionSettings":{"encryptionAtRest":{"catalogEncryptionMode":"DISABLED"}}}"#,
            "glue.catalog.off no_kms",
        ),
        ("xray", "PutEncryptionConfig", r#"{"type":"NONE"}"#, "xray.off owned"),
    ];
    for (source, name, request, expected) in cases {
        assert_eq!(said(source, name, &format!(r#""request":{request}"#)), [expected]);
    }
}

#[test]
fn the_answer_of_rds_decides_how_storage_is_encrypted() {
    let rows = [("CreateDBInstance", "rds.instance"), ("RestoreDBClusterFromS3", "aurora.cluster")];
    for (event, row) in rows {
        let told = |request: &str, response: &str| {
            said("rds", event, &format!(r#""request":{{{request}}},"response":{{{response}}}"#))
        };
        let (on, off) = (r#""storageEncrypted":true"#, r#""storageEncrypted":false"#);
        let kind = |kind: &str| format!(r#""storageEncryptionType":"{kind}""#);
        assert_eq!(told(on, &kind("sse-rds")), [format!("{row}.owned owned")]);
        assert_eq!(told("", &kind("sse-rds")), [format!("{row}.owned owned")]);
        assert_eq!(told(on, &kind("sse-kms")), [format!("{row} implicit")]);
        let named = format!(r#"{},"kmsKeyId":"{KEY}""#, kind("sse-kms"));
        assert_eq!(told("", &named), [format!("{row}.by_answer named_key <{KEY}")]);
        for request in [on, off, ""] {
            assert!(told(request, &kind("none")).is_empty(), "{request}");
        }
        assert_eq!(told(on, ""), [format!("{row} implicit")]);
    }
}

#[test]
fn each_element_is_read_by_itself() {
    let device = |ebs: &str| format!(r#"{{"ebs":{ebs}}}"#);
    let devices = [
        device(r#"{"encrypted":false,"kmsKeyId":"alias/not-bound"}"#),
        device(r#"{"encrypted":true,"kmsKeyId":"alias/aws/ebs"}"#),
        device(r#"{"encrypted":true}"#),
        device(r#"{"encrypted":true,"kmsKeyId":null}"#),
        device(&format!(r#"{{"encrypted":true,"kmsKeyId":"{KEY}"}}"#)),
    ];
    let payloads = format!(r#""request":{{"blockDeviceMapping":{{"items":[{}]}}}}"#, devices.join(","));
    assert_eq!(
        said("ec2", "RunInstances", &payloads),
        [
            "ebs.run_instances named_default alias/aws/ebs".to_owned(),
            format!("ebs.run_instances named_key {KEY}"),
            "ebs.run_instances account_default".to_owned(),
            "ebs.run_instances account_default".to_owned(),
        ]
    );
}

#[test]
fn a_lone_element_and_names_in_pascal_case_are_read_too() {
    let data = r#"{"BlockDeviceMapping":{"Ebs":{"Encrypted":true,"KmsKeyId":"alias/aws/ebs"},"tag":1}}"#;
    let payloads = format!(r#""request":{{"CreateLaunchTemplateRequest":{{"LaunchTemplateData":{data}}}}}"#);
    let expected = ["ebs.launch_template named_default alias/aws/ebs"];
    assert_eq!(said("ec2", "CreateLaunchTemplate", &payloads), expected);
}

#[test]
fn several_rows_read_one_event() {
    let request = format!(
        r#"{{"storageEncrypted":true,"kmsKeyId":"{KEY}","enablePerformanceInsights":true,
            "manageMasterUserPassword":"true","masterUserSecretKmsKeyId":"alias/app"}}"#
    );
    let response = r#"{"performanceInsightsKMSKeyId":"alias/aws/rds"}"#;
    let payloads = format!(r#""request":{request},"response":{response}"#);
    assert_eq!(
        said("rds", "CreateDBInstance", &payloads),
        [
            format!("rds.instance named_key {KEY}"),
            "rds.pi named_default <alias/aws/rds".to_owned(),
            "rds.master_secret named_alias alias/app".to_owned(),
        ]
    );
}

#[test]
fn a_change_of_the_default_tells_the_key() {
    let modify = format!(r#""request":{{"ModifyEbsDefaultKmsKeyIdRequest":{{"KmsKeyId":"{KEY}"}}}}"#);
    assert_eq!(said("ec2", "ModifyEbsDefaultKmsKeyId", &modify), [format!("ebs.default_key state {KEY}")]);
    let reset = r#""response":{"ResetEbsDefaultKmsKeyIdResponse":{"kmsKeyId":"alias/aws/ebs"}}"#;
    assert_eq!(said("ec2", "ResetEbsDefaultKmsKeyId", reset), ["ebs.default_key state <alias/aws/ebs"]);
    assert_eq!(said("ec2", "ResetEbsDefaultKmsKeyId", r#""request":null"#), ["ebs.default_key state"]);
}

#[test]
fn a_failed_call_and_an_event_of_nobody_say_nothing() {
    assert!(said("backup", "CreateBackupVault", r#""error":"AccessDenied","request":{}"#).is_empty());
    assert!(said("backup", "DescribeBackupVault", r#""request":{}"#).is_empty());
    assert!(said("kms", "CreateBackupVault", r#""request":{}"#).is_empty());
}

#[test]
fn the_resource_is_the_first_that_is_named() {
    let resource = |payloads: &str| {
        let record = format!(r#"{{"source":"rds.amazonaws.com","name":"CopyDBSnapshot",{payloads}}}"#);
        with(&record, |event| read(event).first().and_then(|configured| configured.resource.clone()))
    };
    let snapshot =
        r#""request":{"kmsKeyId":"alias/aws/rds"},"response":{"dBSnapshotArn":"","dBClusterSnapshotArn":"c"}"#;
    assert_eq!(resource(snapshot).as_deref(), Some("c"));
    assert_eq!(resource(r#""request":{"kmsKeyId":"alias/aws/rds"}"#), None);
}
