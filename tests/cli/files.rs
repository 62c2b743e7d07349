//! The file alone: `ekk validate` and `ekk schema`, which need no AWS.

use crate::place::{Place, project};

const VALID: &str = "stack: logging-test\n";

#[test]
fn a_valid_file_is_said_to_be_valid() {
    let place = Place::new();
    place.write("ekk.yaml", VALID);
    insta::assert_snapshot!(place.ekk(&["validate"]));
    let quiet = place.ekk(&["validate", "-q"]).with(0);
    assert_eq!(quiet.out, "");
}

#[test]
fn every_stack_of_the_project_is_valid() {
    let stacks = project("stacks");
    let ended = Place::new().ekk(&["validate", stacks.to_str().expect("UTF-8")]).with(0);
    assert_eq!(ended.out.lines().count(), 3, "{ended}");
}

#[test]
fn a_file_with_warnings_is_valid() {
    let place = Place::new();
    place.write("ekk.yaml", "stack: logs\ndomain: { instance_count: 1 }\nindex: { replicas: 1 }\n");
    insta::assert_snapshot!(place.ekk(&["validate"]));
}

#[test]
fn all_faults_of_two_files_are_told_at_once() {
    let place = Place::new();
    place.write("a.yaml", "stack: Logs\nindex:\n  rotation: weekly\n  nmae: x\nstream: { retry_seconds: 7201 }\n");
    place.write("b.yaml", "stak: logs\nbucket: { name: My_Bucket }\nrole: { existing: a, name: b }\nvpc: {}\n");
    insta::assert_snapshot!(place.ekk(&["validate", "a.yaml", "b.yaml"]));
    for verb in ["up", "plan", "status"] {
        let ended = place.ekk(&[verb, "a.yaml", "b.yaml"]).with(2);
        assert_eq!(ended.err, place.ekk(&["validate", "a.yaml", "b.yaml"]).err);
        assert_eq!(ended.out, "");
    }
}

#[test]
fn standard_input_is_a_file_too() {
    let place = Place::new();
    insta::assert_snapshot!("valid", place.ekk_reading(&["validate", "-"], VALID));
    insta::assert_snapshot!(
        "faulty",
        place.ekk_reading(&["validate", "-"], "stack: logs\nindex: { rotation: weekly }\n")
    );
}

#[test]
fn a_directory_is_its_files() {
    let place = Place::new();
    place.write("stacks/b.yml", "stack: second\n");
    place.write("stacks/a.yaml", "stack: first\n");
    place.write("stacks/notes.txt", "not a stack");
    insta::assert_snapshot!("both", place.ekk(&["validate", "stacks"]));
    place.write("stacks/c.yaml", "stack: first\n");
    insta::assert_snapshot!("the_same_stack_twice", place.ekk(&["validate", "stacks"]));
    std::fs::create_dir(place.path("empty")).expect("a folder");
    insta::assert_snapshot!("nothing_in_it", place.ekk(&["validate", "empty"]));
}

#[test]
fn what_is_no_spec_is_told_from_it() {
    let place = Place::new();
    place.write("empty.yaml", "");
    place.write("comment.yaml", "# nothing yet\n");
    place.write("latin.yaml", b"stack: logs\ntags: { team: M\xfcnchen }\n");
    place.write("two.yaml", "stack: one\n---\nstack: two\n");
    place.write("tab.yaml", "stack: logs\nindex:\n\tname: x\n");
    place.write("list.yaml", "- stack: logs\n");
    place.write("open.yaml", "stack: \"logs\n");
    let told: Vec<String> = [
        "",
        "missing.yaml",
        "empty.yaml",
        "comment.yaml",
        "latin.yaml",
        "two.yaml",
        "tab.yaml",
        "list.yaml",
        "open.yaml",
    ]
    .iter()
    .map(|name| {
        let words: Vec<&str> = ["validate", name].into_iter().filter(|word| !word.is_empty()).collect();
        let ended = place.ekk(&words).with(2);
        assert_eq!(ended.out, "");
        format!("$ ekk {}\n{ended}", words.join(" "))
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn the_schema_is_the_one_in_the_papers() {
    let ended = Place::new().ekk(&["schema"]).with(0);
    let kept = std::fs::read_to_string(project("docs/spec.schema.json")).expect("the schema");
    assert_eq!(ended.out, kept);
    assert_eq!(ended.err, "");
}

#[test]
fn a_closed_pipe_is_a_failure_and_no_panic() {
    let place = Place::new();
    let mut child = place.start(&mut place.binary(&["schema"]));
    drop(child.stdout.take());
    let ended = place.end(child).with(1);
    assert!(!ended.err.contains("panicked"), "{ended}");
    insta::assert_snapshot!(ended);
}
