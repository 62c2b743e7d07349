//! The papers say what is so: the help of the binary, the permissions, the files and functions they point at, and the
//! specs they show.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ekk::spec::{Source, Spec};
use serde_json::Value;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(in_repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_help_in_the_papers_is_what_the_binary_prints() {
    const COMMANDS: [&[&str]; 20] = [
        &[],
        &["up"],
        &["plan"],
        &["down"],
        &["status"],
        &["list"],
        &["put"],
        &["logs"],
        &["policy"],
        &["verify"],
        &["replay"],
        &["doctor"],
        &["dashboards"],
        &["validate"],
        &["schema"],
        &["local"],
        &["local", "status"],
        &["local", "stop"],
        &["local", "env"],
        &["local", "run"],
    ];
    let document = read("docs/cli.md");
    let (head, rest) = document.split_once("do not edit -->\n").expect("a mark");
    let (_, tail) = rest.split_once("<!-- /help -->").expect("a mark");
    let help: String = COMMANDS
        .iter()
        .map(|words| {
            let name = [&["ekk"], *words].concat().join(" ");
            format!("\n### `{name}`\n\n```text\n{}\n```\n", help_of(words).trim_end())
        })
        .collect();
    let made = format!("{head}do not edit -->\n{help}\n<!-- /help -->{tail}");
    if std::env::var_os("EKK_WRITE").is_some() {
        fs::write(in_repository("docs/cli.md"), &made).expect("a file");
    }
    assert!(read("docs/cli.md") == made, "docs/cli.md is out of date: EKK_WRITE=1 cargo test --test docs");
}

fn help_of(words: &[&str]) -> String {
    let answer = Command::new(env!("CARGO_BIN_EXE_ekk")).args(words).arg("--help").env("COLUMNS", "80").output();
    let answer = answer.expect("the binary");
    assert!(answer.status.success(), "{words:?}");
    let text = String::from_utf8(answer.stdout).expect("UTF-8");
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    assert!(longest <= 80, "{words:?}: a line of {longest} characters");
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Actions of the policy that no error names, each explained in docs/permissions.md.
const NOT_NAMED: [&str; 6] = [
    "es:DescribeDomainChangeProgress",
    "iam:ListAccountAliases",
    "iam:PassRole",
    "kms:CreateGrant",
    "kms:DescribeKey",
    "s3:TagResource",
];

/// Actions that no error names, of who ships with a program of their own.
const NOT_NAMED_OF_OTHERS: [&str; 1] = ["logs:GetLogEvents"];

#[test]
fn the_callers_policies_allow_what_the_code_calls_and_no_more() {
    let provisioner = actions_of("policies/provisioner.json");
    let others: BTreeSet<String> = ["policies/producer.json", "policies/reader.json", "policies/operator.json"]
        .into_iter()
        .flat_map(actions_of)
        .collect();
    let named = named_actions();
    assert!(named.len() > 60, "only {named:?}");
    let not_named = NOT_NAMED.iter().chain(&NOT_NAMED_OF_OTHERS).map(|action| (*action).to_owned());
    let wanted: BTreeSet<String> = named.into_iter().chain(not_named).collect();
    let allowed: BTreeSet<String> = provisioner.union(&others).cloned().collect();
    assert_eq!(allowed.difference(&wanted).collect::<Vec<_>>(), Vec::<&String>::new(), "nobody needs these");
    assert_eq!(wanted.difference(&allowed).collect::<Vec<_>>(), Vec::<&String>::new(), "these are missing");
    let paper = read("docs/permissions.md");
    for action in NOT_NAMED {
        assert!(provisioner.contains(action), "{action}");
        assert!(paper.contains(&format!("`{action}`")), "docs/permissions.md does not explain {action}");
    }
}

fn actions_of(path: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(&read(path)).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    statements
        .iter()
        .flat_map(|statement| match &statement["Action"] {
            Value::String(one) => vec![one.clone()],
            several => {
                several.as_array().expect("actions").iter().map(|one| one.as_str().expect("text").to_owned()).collect()
            }
        })
        .collect()
}

/// Every action that stands as a literal in the code. Those in policy.rs and resolve.rs are of documents for Firehose,
/// and GetCallerIdentity needs no permission.
fn named_actions() -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for path in sources("src") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if ["policy.rs", "resolve.rs", "access.rs", "judge.rs"].contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//") && !line.contains("starts_with(")) {
            actions.extend(line.split('"').skip(1).step_by(2).filter(|word| is_action(word)).map(str::to_owned));
        }
    }
    actions.remove("sts:GetCallerIdentity");
    actions
}

fn is_action(word: &str) -> bool {
    const SERVICES: [&str; 8] = ["es", "firehose", "iam", "kms", "logs", "s3", "sts", "tag"];
    word.split_once(':').is_some_and(|(service, action)| {
        SERVICES.contains(&service)
            && action.starts_with(|letter: char| letter.is_ascii_uppercase())
            && action.chars().all(|letter| letter.is_ascii_alphanumeric())
    })
}

#[test]
fn what_the_papers_point_at_is_there() {
    let mut checked = 0;
    for path in papers() {
        let text = fs::read_to_string(&path).expect("a file");
        for word in text.split('`').skip(1).step_by(2).filter(|word| is_place(word)) {
            let (file, item) = word.split_once("::").map_or((word, None), |(file, item)| (file, Some(item)));
            let file = file.trim_end_matches('/');
            let there = in_repository(file);
            assert!(there.exists(), "{} points at {file}, which is not there", path.display());
            if let Some(item) = item {
                let code = fs::read_to_string(&there).expect("a file");
                let is_there = ["fn", "const", "struct", "enum", "trait", "static"]
                    .iter()
                    .any(|keyword| code.contains(&format!("{keyword} {item}")));
                assert!(is_there, "{} points at {item} in {file}, which is not there", path.display());
                checked += 1;
            }
        }
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") {
                continue;
            }
            let there = path.parent().expect("a folder").join(file);
            assert!(there.exists(), "{} links to {target}, which is not there", path.display());
        }
    }
    assert!(checked > 50, "only {checked} places were found");
}

/// Tells whether a word in backticks is a place in the repository: `src/read.rs`, `src/read.rs::live`, `tests/plan/`.
fn is_place(word: &str) -> bool {
    let roots = ["src/", "tests/", "emulator/", "policies/", "stacks/", "docs/", ".ci/"];
    roots.iter().any(|root| word.starts_with(root))
        && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-:".contains(letter))
}

#[test]
fn every_spec_that_the_papers_show_is_valid() {
    let mut checked = 0;
    for path in papers() {
        let text = fs::read_to_string(&path).expect("a file");
        for block in text.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block) {
            if !block.lines().any(|line| line.starts_with("stack:")) {
                continue;
            }
            let source = Source::text(path.display().to_string(), block);
            if let Err(faults) = Spec::load(&source) {
                panic!("{faults}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 2, "only {checked} specs were found");
}

#[test]
fn the_spec_at_a_glance_names_every_key() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("```yaml\n").expect("a spec");
    let (glance, _) = rest.split_once("```").expect("its end");
    let schema: Value = serde_json::from_str(&read("docs/spec.schema.json")).expect("JSON");
    let mut keys = BTreeSet::new();
    keys_of(&schema, &mut keys);
    assert!(keys.len() > 40, "only {keys:?}");
    let missing: Vec<&String> = keys.iter().filter(|key| !glance.contains(&format!("{key}:"))).collect();
    assert_eq!(missing, Vec::<&String>::new(), "the README's spec does not name these");
}

fn keys_of(schema: &Value, keys: &mut BTreeSet<String>) {
    for (key, value) in schema.as_object().into_iter().flatten() {
        if key == "properties" {
            keys.extend(value.as_object().into_iter().flatten().map(|(key, _)| key.clone()));
        }
        keys_of(value, keys);
    }
}

fn papers() -> Vec<PathBuf> {
    let mut papers: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].iter().map(|name| in_repository(name)).collect();
    let in_docs = fs::read_dir(in_repository("docs")).expect("a folder").flatten().map(|entry| entry.path());
    papers.extend(in_docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    papers
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![in_repository(folder)];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
