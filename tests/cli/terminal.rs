//! On a terminal: what is asked, and what an answer does. util-linux's `script` makes the terminal.

use std::io::Write as _;
use std::process::Stdio;

use crate::account::Account;

/// Runs the binary on a terminal of its own and types this; returns exit code and screen, `None` where there is no
/// `script` to make one.
fn on_a_terminal(account: &Account, words: &str, typed: &str) -> Option<(i32, String)> {
    let mut command = account.place.command("script");
    let line = format!("{} {words}", crate::place::EKK);
    let mut child = match command
        .args(["-qec", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            eprintln!("NOT TESTED: there is no `script` of util-linux to make a terminal with: {error}");
            return None;
        }
    };
    let mut keyboard = child.stdin.take().expect("a pipe");
    keyboard.write_all(typed.as_bytes()).expect("script reads");
    let ended = account.place.end(child);
    drop(keyboard);
    Some((ended.code, ended.out.replace("\r\n", "\n")))
}

#[test]
fn up_asks_once_and_names_the_account() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    let Some((code, screen)) = on_a_terminal(&account, "up", "n\n") else { return };
    assert_eq!(code, 4, "{screen}");
    assert!(screen.contains("Do 7 changes in 000000000000, eu-west-1? [y/N]"), "{screen}");
    assert!(screen.contains("Nothing was changed."), "{screen}");
    assert_eq!(account.writes(), Vec::<String>::new());
    let Some((code, screen)) = on_a_terminal(&account, "up --color never", "y\n") else { return };
    assert_eq!(code, 0, "{screen}");
    assert_eq!(screen.matches("[y/N]").count(), 1, "{screen}");
    account.assert_converged();
    // With nothing to do nothing is asked.
    let Some((code, screen)) = on_a_terminal(&account, "up", "") else { return };
    assert_eq!((code, screen.matches("[y/N]").count()), (0, 0), "{screen}");
}

#[test]
fn down_has_the_name_of_the_stack_typed() {
    let account = Account::instant();
    account.bring_up("stack: logs\n");
    for answer in ["yes\n", "y\n", "\n", "Logs\n"] {
        let Some((code, screen)) = on_a_terminal(&account, "down --color never", answer) else { return };
        assert_eq!(code, 4, "{screen}");
        assert!(
            screen.contains("To delete it from 000000000000, eu-west-1, type the stack's name (logs):"),
            "{screen}"
        );
        assert!(screen.contains("will be lost: domain logs: 0 documents"), "{screen}");
        assert!(screen.contains("Nothing was deleted."), "{screen}");
    }
    assert_eq!(account.writes(), Vec::<String>::new());
    let Some((code, screen)) = on_a_terminal(&account, "down --color never", "logs\n") else { return };
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Down logs: 4 deleted"), "{screen}");
}

#[test]
fn nobody_is_asked_about_what_is_refused_anyway() {
    let account = Account::instant();
    account.bring_up("stack: logs\n");
    account.place.write("ekk.yaml", "stack: logs\ndomain: { instance_type: m7g.large.search }\n");
    let Some((code, screen)) = on_a_terminal(&account, "up", "y\n") else { return };
    assert_eq!((code, screen.matches("[y/N]").count()), (4, 0), "{screen}");
    assert!(screen.contains("--allow blue-green:domain"), "{screen}");
    assert_eq!(account.writes(), Vec::<String>::new());
}

#[test]
fn the_live_lines_end_with_what_was_done() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    let Some((code, screen)) = on_a_terminal(&account, "up --yes", "") else { return };
    assert_eq!(code, 0, "{screen}");
    for kind in ["role", "bucket", "log group", "domain", "index template", "stream", "index pattern"] {
        assert!(screen.contains(&format!("✓\u{1b}[0m {kind}")), "no last line of {kind}: {screen:?}");
    }
}
