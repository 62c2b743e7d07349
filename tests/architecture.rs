//! Imports point one way: what decides names no AWS SDK, no tokio and no async, and nobody but the command line knows
//! the commands.

use std::fs;
use std::path::{Path, PathBuf};

/// Stages that decide: plain data in, plain data out.
const PURE: [&str; 9] = ["plan", "resolve", "stack", "target", "guard", "render", "spec", "policy", "backup"];

/// From the top to the ground; a file may use what stands below its own line, and its own line.
const LAYERS: [&[&str]; 6] = [
    &["main"],
    &["cli", "command"],
    &[
        "dashboards",
        "local",
        "losses",
        "replay",
        "verify",
        "doctor",
        "apply",
        "preflight",
        "read",
        "strays",
        "located",
        "tagged",
        "guard",
        "render",
        "plan",
        "resolve",
        "stack",
    ],
    &["resource"],
    &["opensearch", "retry", "aws", "wait", "policy", "spec", "objects", "backup"],
    &["target", "error"],
];

#[test]
fn what_decides_does_not_act() {
    for module in PURE {
        for (path, text) in files_of(module) {
            let code = without_tests(&text);
            for forbidden in ["aws_", "tokio", "async ", ".await", "crate::aws", "crate::opensearch"] {
                let found = code.lines().find(|line| !line.trim_start().starts_with("//") && line.contains(forbidden));
                assert_eq!(found, None, "{} names {forbidden}", path.display());
            }
        }
    }
}

#[test]
fn nothing_imports_the_commands_but_main_and_commands() {
    for (path, text) in all_files() {
        let module = module_of(&path);
        if module == "main" || module == "command" || module == "lib" {
            continue;
        }
        assert!(!text.contains("crate::command"), "{}", path.display());
        if module != "cli" {
            assert!(!text.contains("crate::cli"), "{} imports the command line", path.display());
        }
    }
}

#[test]
fn the_ground_imports_nothing_above_it() {
    for (layer, modules) in LAYERS.iter().enumerate() {
        let above: Vec<&str> = LAYERS[..layer].iter().flat_map(|modules| modules.iter().copied()).collect();
        for module in *modules {
            for (path, text) in files_of(module) {
                for used in uses(&without_tests(&text)) {
                    let is_allowed = !above.contains(&used.as_str()) || is_known_exception(module, &used);
                    assert!(is_allowed, "{} uses {used}, which stands above it", path.display());
                }
            }
        }
    }
}

/// The contract of a resource names the plan's steps and the stack's names, and the session names a stack's names:
/// types, no behaviour.
fn is_known_exception(module: &str, used: &str) -> bool {
    matches!(
        (module, used),
        ("resource", "plan" | "stack") | ("aws" | "opensearch", "stack") | ("wait" | "opensearch", "resource")
    )
}

#[test]
fn only_apply_calls_what_writes() {
    for (path, text) in all_files() {
        let module = module_of(&path);
        if module == "apply" || module == "resource" {
            continue;
        }
        for call in ["T::create(", "T::update(", "T::delete(", "Manage::create(", "Manage::delete("] {
            assert!(!text.contains(call), "{} calls {call}", path.display());
        }
    }
}

fn uses(code: &str) -> Vec<String> {
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn all_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    collect(&source(), &mut files);
    assert!(files.len() > 30, "only {} files were found", files.len());
    files
}

fn files_of(module: &str) -> Vec<(PathBuf, String)> {
    let files: Vec<_> = all_files().into_iter().filter(|(path, _)| module_of(path) == module).collect();
    assert!(!files.is_empty(), "there is no module {module}");
    files
}

fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(source()).expect("a file of this crate");
    let first = relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a file");
            files.push((path, text));
        }
    }
}
