//! Specs from files: the ones of this repository, hostile ones, generated ones; and what is made from the table.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ekk::spec::{Loaded, Source, Spec, distinct, find, json_schema, key_reference};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

fn load(text: &str) -> Result<Loaded, String> {
    Spec::load(&Source::text("a.yaml", text)).map_err(|faults| faults.to_string())
}

fn in_repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(load(text).map(|loaded| loaded.spec).expect_err("a fault"), expected.trim_matches('\n'));
}

#[test]
fn every_stack_of_the_repository_loads() {
    let sources = find(&[in_repository("stacks")]).expect("a folder of specs");
    assert!(sources.len() >= 3);
    let mut loaded = Vec::new();
    for source in sources {
        let one = Spec::load(&source).unwrap_or_else(|faults| panic!("{faults}"));
        let text =
            fs::read_to_string(in_repository("stacks").join(Path::new(&source.name()).file_name().expect("a name")));
        assert!(text.expect("text").starts_with("# yaml-language-server: $schema=../docs/spec.schema.json\n"));
        loaded.push((source, one));
    }
    distinct(&loaded).expect("stacks of their own");
}

#[test]
fn the_articles_stack_is_the_articles() {
    let Loaded { spec, places, warnings } =
        Spec::load(&Source::File(in_repository("stacks/logging-test.yaml"))).expect("sound");
    assert_eq!(spec.bucket.name.as_deref(), Some("logging-test-110520"));
    assert_eq!(spec.index.rotation.map(ekk::spec::Rotation::word), Some("OneWeek"));
    assert_eq!(spec.stream.retry_seconds, Some(300));
    assert_eq!(spec.dashboards.index_pattern.as_deref(), Some("logging-test-*"));
    assert_eq!(places.line_of("domain.instance_type"), Some(7));
    assert_eq!(places.line_of("domain.engine_version"), None);
    let messages: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(messages, ["one small node without a replica: writes stop when the disk is nearly full"]);
}

#[test]
fn production_has_nothing_to_warn_about() {
    let loaded = Spec::load(&Source::File(in_repository("stacks/production.yaml"))).expect("sound");
    assert_eq!(loaded.warnings, []);
}

#[test]
fn what_is_made_from_the_table_is_up_to_date() {
    let path = in_repository("docs/spec.md");
    let document = fs::read_to_string(&path).expect("docs/spec.md");
    let (head, rest) = document.split_once("do not edit -->\n").expect("a mark");
    let (_, tail) = rest.split_once("<!-- /keys -->").expect("a mark");
    let document = format!("{head}do not edit -->\n\n{}\n<!-- /keys -->{tail}", key_reference());
    for (path, made) in [(in_repository("docs/spec.schema.json"), json_schema()), (path, document)] {
        if std::env::var_os("EKK_WRITE").is_some() {
            fs::write(&path, &made).expect("a file");
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == made, "{} is out of date: EKK_WRITE=1 cargo test --test spec", path.display());
    }
}

#[test]
fn a_fault_looks_like_this() {
    refused(
        "stack: logging-test\nindex:\n  name: logging-test\n  rotation: weekly\n",
        "
1 fault in a.yaml
  a.yaml:4:13  index.rotation: `weekly` is not a rotation
    4 |   rotation: weekly
      |             ^^^^^^ did you mean OneWeek? (NoRotation OneHour OneDay OneWeek OneMonth)
",
    );
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    refused(
        "account: 012345678901
tags: { aws:x: y, n: 1 }
domain:
  instanceType: t3.small.search
  engine_version: 2.19
  availability_zones: 3
  vpc: {}
stream:
  retry_seconds: 60s
  index_rotation_period: OneDay
  buffer: { seconds: 901 }
backup:
  s3_backup_mode: AllDocuments
error_log:
  retention_days: 15
  enabled: yes
  enabled: true
bucket: none
",
        r#"
16 faults in a.yaml
  a.yaml:1:1  stack: a spec needs `stack`, a stack's name
    1 | account: 012345678901
      | ^ such as `stack: logging-test`
  a.yaml:1:10  account: an account was expected, found the number `012345678901`
    1 | account: 012345678901
      |          ^^^^^^^^^^^^ in quotes it is one: "012345678901"
  a.yaml:2:9  tags: `aws:x` begins with `aws:`
    2 | tags: { aws:x: y, n: 1 }
      |         ^^^^^ such keys are AWS's own
  a.yaml:2:22  tags.n: a tag's value was expected, found the number `1`
    2 | tags: { aws:x: y, n: 1 }
      |                      ^ in quotes it is one: "1"
  a.yaml:4:3  domain.instanceType: `instanceType` is not a key of domain
    4 |   instanceType: t3.small.search
      |   ^^^^^^^^^^^^ did you mean instance_type?
  a.yaml:5:19  domain.engine_version: an engine version was expected, found the number `2.19`
    5 |   engine_version: 2.19
      |                   ^^^^ did you mean OpenSearch_2.19?
  a.yaml:6:3  domain.availability_zones: 3 zones with 1 data node
    6 |   availability_zones: 3
      |   ^^^^^^^^^^^^^^^^^^ instance_count of 3 or more
  a.yaml:7:3  domain.vpc: `vpc` is not supported yet
    7 |   vpc: {}
      |   ^^^ a domain in a VPC comes with a later release
  a.yaml:9:18  stream.retry_seconds: a whole number of seconds was expected, found the text `60s`
    9 |   retry_seconds: 60s
      |                  ^^^ did you mean 60? (seconds)
  a.yaml:10:3  stream.index_rotation_period: `index_rotation_period` is not a key of stream
   10 |   index_rotation_period: OneDay
      |   ^^^^^^^^^^^^^^^^^^^^^ did you mean index.rotation?
  a.yaml:11:22  stream.buffer.seconds: 901 seconds is out of range
   11 |   buffer: { seconds: 901 }
      |                      ^^^ 0 to 900 seconds
  a.yaml:13:3  backup.s3_backup_mode: `s3_backup_mode` is not a key of backup
   13 |   s3_backup_mode: AllDocuments
      |   ^^^^^^^^^^^^^^ did you mean documents?
  a.yaml:15:19  error_log.retention_days: 15 is not a retention of CloudWatch Logs
   15 |   retention_days: 15
      |                   ^^ did you mean 30? (1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653)
  a.yaml:16:12  error_log.enabled: true or false was expected, found the text `yes`
   16 |   enabled: yes
      |            ^^^ did you mean true?
  a.yaml:17:3  error_log.enabled: `enabled` stands here twice
   17 |   enabled: true
      |   ^^^^^^^ the first is in line 16
  a.yaml:18:9  bucket: a section was expected, found the text `none`
   18 | bucket: none
      |         ^^^^ its keys are name existing expire_days abort_uploads_days kms_key
"#,
    );
}

#[test]
fn keys_of_other_tools_are_understood() {
    for (path, key, meant) in [
        ("domain", "InstanceType", "instance_type"),
        ("domain", "ebs_options", "volume"),
        ("domain", "zone_awareness_enabled", "availability_zones"),
        ("domain", "dedicatedMasterCount", "domain.dedicated_masters.count"),
        ("domain", "volume_size", "domain.volume.size_gib"),
        ("stream", "retry_duration", "retry_seconds"),
        ("stream", "buffering_interval", "stream.buffer.seconds"),
        ("stream", "S3BackupMode", "backup.documents"),
        ("stream", "rotation", "index.rotation"),
        ("index", "number_of_replicas", "replicas"),
        ("error_log", "retention_in_days", "retention_days"),
        ("bucket", "retention", "expire_days"),
    ] {
        let fault = load(&format!("stack: logs\n{path}:\n  {key}: 1\n")).map(|loaded| loaded.spec).expect_err(key);
        assert!(fault.ends_with(&format!(" did you mean {meant}?")), "{fault}");
    }
}

#[test]
fn keys_of_later_releases_are_not_supported_yet_and_not_in_the_schema() {
    let schema = json_schema();
    for (path, key) in [
        ("domain", "vpc"),
        ("domain", "fine_grained_access"),
        ("domain", "cognito"),
        ("domain", "saml"),
        ("domain", "custom_endpoint"),
        ("domain", "log_publishing"),
        ("domain", "ultrawarm"),
        ("index", "retention"),
        ("stream", "lambda"),
        ("stream", "processing"),
        ("dashboards", "alarms"),
    ] {
        let fault = load(&format!("stack: logs\n{path}:\n  {key}: 1\n")).map(|loaded| loaded.spec).expect_err(key);
        assert!(fault.contains("is not supported yet"), "{fault}");
        assert!(!schema.contains(&format!("\"{key}\"")));
    }
}

#[test]
fn names_are_measured_with_their_placeholders_filled() {
    let bucket = |name: &str, region: &str| load(&format!("stack: logs\n{region}bucket: {{ name: \"{name}\" }}\n"));
    bucket("logs-{account}-{region}", "").expect("sound");
    // 36 + 12 + 14 characters fit, and one more in the shorter region that the file names.
    let name = format!("{}{{account}}{{region}}", "a".repeat(38));
    bucket(&name, "").expect_err("64 in the longest region");
    bucket(&name, "region: eu-west-1\n").expect("59 in this one");
    bucket("logs-{stack}", "").expect_err("not a placeholder");
}

#[test]
fn an_anchor_may_be_used_and_may_not_explode() {
    let text = "stack: logs\nstream: { buffer: &b { seconds: 60, mib: 5 } }\nbackup: { buffer: *b }\n";
    assert_eq!(load(text).expect("sound").spec.backup.buffer.seconds, Some(60));
}

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let mebibyte = 1024 * 1024 - 64;
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let uses = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
    }
    let wide: String = (0..100_000).map(|n| format!("k{n}: 1\n")).collect();
    vec![
        ("billion laughs", bomb.into_bytes()),
        ("deep flow", vec![b'['; mebibyte]),
        ("deep maps", "{a: ".repeat(mebibyte / 4).into_bytes()),
        ("deep blocks", "- ".repeat(mebibyte / 2).into_bytes()),
        ("wide", wide.into_bytes()),
        ("one long key", vec![b'a'; mebibyte]),
        ("one long value", [b"stack: ".to_vec(), vec![b'a'; mebibyte]].concat()),
        ("one long quoted value", [b"stack: \"".to_vec(), vec![b'a'; mebibyte], b"\"".to_vec()].concat()),
        ("open quote", [b"stack: \"".to_vec(), vec![b'a'; mebibyte]].concat()),
        ("spaces", vec![b' '; mebibyte]),
        ("newlines", vec![b'\n'; mebibyte]),
        ("tabs", vec![b'\t'; mebibyte]),
        ("colons", vec![b':'; mebibyte]),
        ("question marks", "? ".repeat(mebibyte / 2).into_bytes()),
        ("anchors", "&a ".repeat(mebibyte / 3).into_bytes()),
        ("stars", "*a ".repeat(mebibyte / 3).into_bytes()),
        ("documents", "---\n".repeat(mebibyte / 4).into_bytes()),
        ("comments", "#\n".repeat(mebibyte / 2).into_bytes()),
        ("nul", vec![0; mebibyte]),
        ("not UTF-8", vec![0xff; mebibyte]),
        ("percents", "%YAML 1.2\n".repeat(mebibyte / 10).into_bytes()),
        ("digits", [b"stack: ".to_vec(), vec![b'9'; mebibyte]].concat()),
        ("literal", [b"stack: |\n".to_vec(), " a\n".repeat(mebibyte / 3).into_bytes()].concat()),
    ]
}

#[test]
fn hostile_files_are_refused_before_they_explode() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in hostile() {
        let path = folder.path().join("a.yaml");
        fs::write(&path, bytes).expect("a file");
        let start = Instant::now();
        let faults = Spec::load(&Source::File(path.clone())).map(|loaded| loaded.spec).expect_err(name);
        assert!(faults.to_string().len() < 40_000, "{name}");
        // They take milliseconds; one that explodes takes minutes, or all memory.
        assert!(start.elapsed() < Duration::from_secs(20), "{name} took {:?}", start.elapsed());
    }
}

#[test]
fn a_file_of_100_megabytes_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.yaml");
    fs::File::create(&path).and_then(|file| file.set_len(100_000_000)).expect("a file");
    let faults = Spec::load(&Source::File(path.clone())).map(|loaded| loaded.spec).expect_err("too large");
    let name = path.display();
    assert_eq!(
        faults.to_string(),
        format!("1 fault in {name}\n  {name}  is larger than 1 MiB\n  a spec is a few kilobytes")
    );
}

#[test]
fn an_endless_file_ends() {
    let faults = Spec::load(&Source::File("/dev/zero".into())).map(|loaded| loaded.spec).expect_err("too large");
    assert!(faults.to_string().contains("larger than 1 MiB"));
}

#[test]
fn a_byte_that_is_not_utf8_has_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.yaml");
    fs::write(&path, b"stack: logs\ntags: { team: \xe9 }\n").expect("a file");
    let faults = Spec::load(&Source::File(path)).map(|loaded| loaded.spec).expect_err("not UTF-8");
    assert_eq!(faults.faults()[0].place.map(|place| (place.line, place.column)), Some((2, 15)));
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let loaded = load("\u{feff}stack: logs\nregion: nowhere\n").map(|loaded| loaded.spec).expect_err("a fault");
    assert!(loaded.contains("a.yaml:2:9"), "{loaded}");
    assert_eq!(load("\u{feff}stack: logs\n").expect("sound").spec.stack, "logs");
}

#[test]
fn folders_are_read_in_order_and_a_missing_file_has_a_neighbour() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    assert!(find(&[folder.path()]).expect_err("empty").to_string().contains("holds no *.yaml or *.yml file"));
    for name in ["b.yaml", "a.yml", "c.txt", ".d.yaml"] {
        fs::write(path(name), "stack: logs\n").expect("a file");
    }
    let sources = find(&[folder.path()]).expect("specs");
    assert_eq!(sources, [Source::File(path("a.yml")), Source::File(path("b.yaml"))]);
    let fault = find(&[path("b.yml")]).expect_err("absent").to_string();
    assert!(fault.contains("is not there") && fault.contains("b.yaml?"), "{fault}");
    assert_eq!(find(&["-"]).expect("standard input"), [Source::Stdin]);
}

#[test]
fn two_files_of_one_stack_in_one_place_are_refused() {
    let spec =
        |name: &str, text: &str| (Source::text(name, text), Spec::load(&Source::text(name, text)).expect("sound"));
    let fault = distinct(&[spec("a", "stack: logs"), spec("b", "stack: logs")]).expect_err("the same").to_string();
    assert!(fault.contains("the stack `logs` stands in a, too"), "{fault}");
    distinct(&[spec("a", "stack: logs\nregion: eu-west-1"), spec("b", "stack: logs\nregion: us-east-1")])
        .expect("two places");
    distinct(&[spec("a", "stack: logs"), spec("b", "stack: other")]).expect("two stacks");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(fault) = load(&text) {
            prop_assert!(fault.contains("in a.yaml"));
        }
    }

    #[test]
    fn arbitrary_yaml_never_panics(text in "(stack|domain|tags|index|a|volume|: |:|\n|\n  |\n    |- |\\{|\\}|\\[|\\]|,|\"|'|&a |\\*a|!!str |1|none|null|<<|\\||>|#|é|\u{feff}| ){0,60}") {
        if let Err(fault) = load(&text) {
            prop_assert!(fault.contains("in a.yaml"));
        }
    }
}
