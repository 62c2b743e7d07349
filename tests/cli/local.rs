//! The local AWS of a folder: one server in the background, found again, on the same port, with the same state.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::place::{EKK, Ended, Place};

/// A folder whose server is stopped at the end of the test, whatever becomes of it.
pub(crate) struct Folder(pub(crate) Place);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(Place::new())
    }

    pub(crate) fn ekk(&self, words: &[&str]) -> Ended {
        self.0.ekk(words)
    }

    /// What the server wrote about itself.
    fn card(&self) -> Option<Value> {
        serde_json::from_str(&std::fs::read_to_string(self.0.path(".ekk/local/server.json")).ok()?).ok()
    }

    fn pid(&self) -> i32 {
        self.card().expect("a card")["pid"].as_i64().expect("a process").try_into().expect("a process")
    }

    fn port(&self) -> u64 {
        self.card().expect("a card")["port"].as_u64().expect("a port")
    }

    fn kill(&self) {
        let pid = self.pid();
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
        until(|| !lives(pid));
    }

    /// The variables that `ekk local env` prints.
    fn variables(&self, words: &[&str]) -> BTreeMap<String, String> {
        let ended = self.ekk(&[&["local", "env"], words].concat()).with(0);
        let lines = ended.out.lines().map(|line| line.strip_prefix("export ").expect("an export"));
        lines.map(|line| line.split_once('=').expect("a value")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = self.0.binary(&["local", "stop"]).output();
        // Whatever is left holds a port and this test's folder; only what is still this binary is ended.
        if let Some(pid) = self.card().and_then(|card| i32::try_from(card["pid"].as_i64()?).ok())
            && lives(pid)
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Whether a process runs and is this binary. One that ended and was not waited for does not run.
fn lives(pid: i32) -> bool {
    let is_ours = std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program.starts_with(EKK));
    is_ours && std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "it did not happen within 20 s");
        std::thread::yield_now();
    }
}

/// Runs a command to the end of its output; one that hangs fails the test.
#[track_caller]
fn output_ends(mut command: Command) -> std::process::Output {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(command.output().expect("it runs")));
    receiver.recv_timeout(Duration::from_secs(30)).expect("its output ends")
}

#[test]
fn up_starts_the_server_and_the_next_commands_find_it() {
    let folder = Folder::new();
    folder.0.write("ekk.yaml", "stack: logs\n");
    insta::assert_snapshot!("not_running", folder.ekk(&["local", "status"]));
    let up = folder.ekk(&["up", "--local"]).with(0);
    assert!(up.err.starts_with("Started the local AWS at http://127.0.0.1:"), "{up}");
    assert!(up.out.contains("local AWS http://127.0.0.1:"), "{up}");
    assert!(up.out.contains("Up logs: 7 created"), "{up}");
    assert!(up.err.contains("domain: "), "the stages are seen: {up}");
    let pid = folder.pid();
    let plan = folder.ekk(&["plan", "--local", "--exit-code"]).with(0);
    assert_eq!(plan.err, "", "{plan}");
    assert_eq!(folder.pid(), pid);
    insta::assert_snapshot!("running", folder.ekk(&["local", "status"]));
    insta::assert_snapshot!("status_of_the_stack", folder.ekk(&["status", "--local"]));
    assert_eq!(std::fs::read_to_string(folder.0.path(".ekk/local/.gitignore")).expect("it is there"), "*\n");
    insta::assert_snapshot!("stopped", folder.ekk(&["local", "stop"]));
    insta::assert_snapshot!("stopped_again", folder.ekk(&["local", "stop"]));
    assert!(!lives(pid));
}

#[test]
fn exchanges_are_recorded_where_a_folder_is_named() {
    let mut folder = Folder::new();
    let record = folder.0.path("record");
    folder.0.set("EKK_RECORD", record.to_str().expect("UTF-8"));
    folder.0.write("ekk.yaml", "stack: logs\n");
    folder.ekk(&["plan", "--local"]).with(0);
    let files: Vec<_> = std::fs::read_dir(&record).expect("a folder").flatten().map(|entry| entry.path()).collect();
    let [file] = &files[..] else { panic!("one server, one file: {files:?}") };
    let text = std::fs::read_to_string(file).expect("a file");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a whole line")).collect();
    let asked = lines.iter().find(|line| line["operation"] == "GetCallerIdentity").expect("ekk asks who it is");
    assert_eq!((asked["via"].as_str(), asked["status"].as_i64()), (Some("emulator"), Some(200)), "{asked}");
    // By this name the check tells ekk's own requests from those of tests.
    let agent = asked["headers"]["x-amz-user-agent"].as_str().expect("a user agent");
    assert!(agent.split(' ').any(|word| word == "app/ekk"), "{agent}");
    let signature = asked["headers"]["authorization"].as_str().expect("a signature");
    assert!(signature.ends_with("Signature=-"), "{signature}");
}

#[test]
fn down_on_the_local_aws_wants_its_flags_too() {
    let folder = Folder::new();
    folder.0.write("ekk.yaml", "stack: logs\n");
    folder.ekk(&["up", "--local", "-q"]).with(0);
    folder.ekk(&["down", "--local"]).with(2).complains("no terminal");
    folder.ekk(&["down", "--local", "--yes"]).with(4).complains("--allow delete-data:domain");
    folder.ekk(&["down", "--local", "--yes", "--allow", "delete-data"]).with(0).says("from the local AWS");
}

#[test]
fn the_server_holds_none_of_its_callers_descriptors_and_is_in_a_session_of_its_own() {
    let folder = Folder::new();
    let mut shell = folder.0.command("sh");
    shell.args(["-c", &format!("'{EKK}' local env 7>&1 8>&2; exit $?")]);
    let output = output_ends(shell);
    assert!(output.status.success(), "{output:?}");
    let pid = folder.pid();
    assert!(lives(pid), "it stays");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux");
    let session: i32 =
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(3)).expect("a session").parse().expect("a number");
    assert_eq!(session, pid);
}

#[test]
fn port_and_state_survive_a_restart_and_a_kill() {
    let folder = Folder::new();
    folder.0.write("ekk.yaml", "stack: logs\n");
    folder.ekk(&["up", "--local", "-q"]).with(0);
    let (pid, port) = (folder.pid(), folder.port());
    folder.ekk(&["local", "stop"]).with(0);
    folder.ekk(&["plan", "--local", "--exit-code"]).with(0).complains("Started the local AWS");
    assert_ne!(folder.pid(), pid);
    assert_eq!(folder.port(), port);
    folder.kill();
    insta::assert_snapshot!("killed", folder.ekk(&["local", "status"]));
    folder.ekk(&["plan", "--local", "--exit-code"]).with(0);
    assert_eq!(folder.port(), port);
}

#[test]
fn a_port_that_is_taken_meanwhile_is_no_end() {
    let folder = Folder::new();
    folder.variables(&[]);
    let port = folder.port();
    folder.ekk(&["local", "stop"]).with(0);
    let taken = std::net::TcpListener::bind(("127.0.0.1", u16::try_from(port).expect("a port"))).expect("it is free");
    folder.variables(&[]);
    assert_ne!(folder.port(), port);
    drop(taken);
}

#[test]
fn two_at_once_start_one_server_and_do_not_disturb_each_other() {
    let folder = Folder::new();
    folder.0.write("a.yaml", "stack: first\n");
    folder.0.write("b.yaml", "stack: second\n");
    let children: Vec<_> = ["a.yaml", "b.yaml"]
        .iter()
        .map(|file| folder.0.start(&mut folder.0.binary(&["up", "--local", file])))
        .collect();
    let ended: Vec<Ended> = children.into_iter().map(|child| folder.0.end(child).with(0)).collect();
    let started = ended.iter().filter(|ended| ended.err.contains("Started the local AWS")).count();
    assert_eq!(started, 1, "{}{}", ended[0], ended[1]);
    folder.ekk(&["plan", "--local", "--exit-code", "a.yaml", "b.yaml"]).with(0);
}

#[test]
fn who_looks_does_not_keep_a_server_from_starting() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.0.path(".ekk/local")).expect("a folder");
    std::thread::scope(|scope| {
        let looks: Vec<_> =
            (0..2).map(|_| scope.spawn(|| (0..15).for_each(|_| drop(folder.ekk(&["local", "status"]))))).collect();
        for _ in 0..3 {
            folder.variables(&[]);
            folder.ekk(&["local", "stop"]).with(0);
        }
        for look in looks {
            look.join().expect("it looks");
        }
    });
}

#[test]
fn the_nearest_folder_above_counts() {
    let folder = Folder::new();
    folder.variables(&[]);
    let port = folder.port();
    folder.0.write("deep/er/ekk.yaml", "stack: logs\n");
    let mut below = folder.0.binary(&["plan", "--local"]);
    let below = folder.0.end(folder.0.start(below.current_dir(folder.0.path("deep/er")))).with(0);
    assert!(below.out.contains(&format!("http://127.0.0.1:{port} ")), "{below}");
    assert!(!folder.0.path("deep/er/.ekk").exists());
}

#[test]
fn one_of_another_version_is_started_anew_on_the_same_state() {
    let folder = Folder::new();
    folder.0.write("ekk.yaml", "stack: logs\n");
    folder.ekk(&["up", "--local", "-q"]).with(0);
    let (pid, port) = (folder.pid(), folder.port());
    let mut card = folder.card().expect("a card");
    card["version"] = Value::from("0.0.1");
    folder.0.write(".ekk/local/server.json", card.to_string());
    folder.ekk(&["local", "status"]).with(0).says("ekk 0.0.1");
    folder.ekk(&["plan", "--local", "--exit-code"]).with(0);
    assert!(!lives(pid));
    assert_ne!(folder.pid(), pid);
    assert_eq!(folder.port(), port);
    assert_eq!(folder.card().expect("a card")["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn env_prints_what_a_program_needs_and_no_more() {
    let mut folder = Folder::new();
    let names = |variables: BTreeMap<String, String>| variables.into_keys().collect::<Vec<_>>().join(" ");
    assert_eq!(
        names(folder.variables(&[])),
        "AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_ENDPOINT_URL_FIREHOSE AWS_REGION AWS_SECRET_ACCESS_KEY"
    );
    assert_eq!(
        names(folder.variables(&["--all"])),
        "AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_REGION AWS_SECRET_ACCESS_KEY"
    );
    let address = format!("http://127.0.0.1:{}", folder.port());
    assert_eq!(folder.variables(&[])["AWS_ENDPOINT_URL_FIREHOSE"], address);
    assert_eq!(folder.variables(&["--all"])["AWS_ENDPOINT_URL"], address);
    // Who has a region and credentials keeps them.
    folder.0.set("AWS_REGION", "eu-west-1");
    folder.0.set("AWS_PROFILE", "acme");
    assert_eq!(names(folder.variables(&[])), "AWS_ENDPOINT_URL_FIREHOSE");
    folder.0.unset("AWS_REGION");
    folder.0.unset("AWS_PROFILE");
    folder.0.write("../home/.aws/config", "[default]\nregion = eu-west-1\n");
    folder.0.write("../home/.aws/credentials", "[default]\naws_access_key_id = A\naws_secret_access_key = B\n");
    assert_eq!(names(folder.variables(&[])), "AWS_ENDPOINT_URL_FIREHOSE");
}

#[test]
fn a_program_is_run_with_the_variables_and_its_exit_code_is_passed_on() {
    let folder = Folder::new();
    let said = folder.ekk(&["local", "run", "--", "sh", "-c", "echo $AWS_ENDPOINT_URL_FIREHOSE; exit 7"]).with(7);
    assert_eq!(said.out, format!("http://127.0.0.1:{}\n", folder.port()));
    assert_eq!(said.err, "");
    folder.ekk(&["local", "run", "true"]).with(0);
    folder.ekk(&["local", "run", "--", "sh", "-c", "kill -TERM $$"]).with(143).complains("ended by signal 15");
    insta::assert_snapshot!(folder.ekk(&["local", "run", "no-such-program"]));
}

#[test]
fn the_local_aws_runs_in_the_foreground_until_ctrl_c() {
    let folder = Folder::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = folder.0.start(&mut folder.0.binary(&["local"]));
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        errors.read_line(&mut line).expect("UTF-8");
        assert_eq!(line, format!("The local AWS listens at http://127.0.0.1:{}; Ctrl-C ends it.\n", folder.port()));
        folder.ekk(&["local", "status"]).with(0).says("runs at");
        insta::assert_snapshot!("one_runs_already", folder.ekk(&["local"]));
        assert_eq!(folder.variables(&[])["AWS_ENDPOINT_URL_FIREHOSE"], format!("http://127.0.0.1:{}", folder.port()));
        kill(Pid::from_raw(child.id().try_into().expect("a process")), signal).expect("it runs");
        folder.0.end(child).with(0);
        folder.ekk(&["local", "status"]).with(1);
    }
}

#[test]
fn a_port_that_is_taken_is_said() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("a port").port().to_string();
    let ended = folder.ekk(&["local", "--port", &port]).with(1);
    insta::assert_snapshot!(ended.to_string().replace(&port, "[port]"));
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let folder = Folder::new();
    folder.0.write(".ekk", "a file where a folder must be");
    insta::assert_snapshot!(folder.ekk(&["local", "env"]));
    std::fs::remove_file(folder.0.path(".ekk")).expect("it is there");
}

/// A variable for one service would win over the address of the local AWS, and where no region is named the SDK asks the
/// metadata service of an EC2 instance, which is silent for seconds on any other machine.
#[test]
fn nothing_of_the_environment_leads_away_from_the_local_aws() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("a socket");
    let address = format!("http://{}", elsewhere.local_addr().expect("an address"));
    let mut folder = Folder::new();
    folder.0.write("ekk.yaml", "stack: logs\n");
    folder.0.unset("AWS_EC2_METADATA_DISABLED");
    folder.0.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &address);
    folder.0.set("AWS_ENDPOINT_URL", &address);
    for service in ["S3", "IAM", "FIREHOSE", "OPENSEARCH", "CLOUDWATCH_LOGS", "STS"] {
        folder.0.set(&format!("AWS_ENDPOINT_URL_{service}"), &address);
    }
    folder.0.set("HTTP_PROXY", &address);
    folder.0.set("HTTPS_PROXY", &address);
    folder.ekk(&["up", "--local", "-q"]).with(0).says("Up logs: 7 created");
    folder.ekk(&["plan", "--local", "--exit-code"]).with(0).says("us-east-1");
    let knocked = elsewhere.accept();
    assert!(knocked.is_err(), "something was asked for at {address}: {knocked:?}");
}
