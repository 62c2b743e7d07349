//! The help of every verb, words of other tools, and mistakes on the command line.

use crate::place::Place;

const VERBS: [&[&str]; 11] = [
    &["up"],
    &["plan"],
    &["down"],
    &["status"],
    &["validate"],
    &["schema"],
    &["local"],
    &["local", "status"],
    &["local", "stop"],
    &["local", "env"],
    &["local", "run"],
];

#[test]
fn the_version_is_one_line() {
    insta::assert_snapshot!(Place::new().ekk(&["--version"]));
}

#[test]
fn the_help_is_an_overview() {
    insta::assert_snapshot!(Place::new().ekk(&["--help"]));
}

#[test]
fn the_help_of_up() {
    insta::assert_snapshot!(Place::new().ekk(&["up", "--help"]));
}

#[test]
fn the_help_of_plan() {
    insta::assert_snapshot!(Place::new().ekk(&["plan", "--help"]));
}

#[test]
fn the_help_of_down() {
    insta::assert_snapshot!(Place::new().ekk(&["down", "--help"]));
}

#[test]
fn the_help_of_local() {
    insta::assert_snapshot!(Place::new().ekk(&["local", "--help"]));
}

#[test]
fn every_help_fits_a_screen_of_80_columns_on_any_terminal() {
    let mut place = Place::new();
    place.set("COLUMNS", "200");
    for verb in VERBS {
        for flag in ["-h", "--help"] {
            let ended = place.ekk(&[verb, &[flag]].concat()).with(0);
            assert_eq!(ended.err, "");
            assert!(ended.out.lines().count() <= 60, "too long to read: {ended}");
            for line in ended.out.lines() {
                assert!(line.chars().count() <= 80, "{verb:?}: {line}");
            }
        }
        let by_word = place.ekk(&[&["help"], verb].concat());
        assert_eq!(by_word.out, place.ekk(&[verb, &["--help"]].concat()).out);
    }
}

#[test]
fn without_a_word_the_help_is_a_complaint() {
    let place = Place::new();
    let ended = place.ekk(&[]).with(2);
    assert_eq!(ended.out, "");
    assert_eq!(ended.err, place.ekk(&["--help"]).out);
}

#[test]
fn a_word_of_another_tool_is_answered_with_ours() {
    let place = Place::new();
    let told: Vec<String> = [
        &["apply"][..],
        &["apply", "-auto-approve", "-var=x=y"],
        &["deploy", "--help"],
        &["create", "logging-test.yaml"],
        &["destroy", "--yes"],
        &["delete"],
        &["diff", "-o", "json", "x.yaml"],
        &["preview"],
    ]
    .iter()
    .map(|words| format!("$ ekk {}\n{}", words.join(" "), place.ekk(words).with(2)))
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_mistake_on_the_command_line_is_said_and_nothing_is_done() {
    let place = Place::new();
    let told: Vec<String> = [
        &["up", "--force"][..],
        &["pln"],
        &["up", "--allow", "blue-gren"],
        &["up", "--allow", "blue-green:domian"],
        &["up", "--adopt=buckets"],
        &["up", "--timeout", "20"],
        &["up", "--timeout", "1h", "--no-wait"],
        &["up", "--local", "--profile", "x"],
        &["plan", "--delete-backup"],
        &["plan", "-o", "yaml"],
        &["plan", "-q", "-v"],
        &["down", "a.yaml", "b.yaml"],
        &["local", "run"],
        &["local", "--port", "70000"],
    ]
    .iter()
    .map(|words| format!("$ ekk {}\n{}", words.join(" "), place.ekk(words).with(2)))
    .collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(std::fs::read_dir(place.path("")).expect("the folder").count(), 0);
}
