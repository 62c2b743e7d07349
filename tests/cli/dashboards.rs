//! `ekk dashboards`: the address that it prints opens the stack's Dashboards, until it is ended.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use ekk_emulator::{Effect, Fault, Recorded, Service};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::account::Account;
use crate::place::Ended;

/// A running `ekk dashboards`.
struct Open {
    child: Option<Child>,
    address: String,
    port: u16,
    cookie: String,
}

/// An answer: its status, and all of it as text.
type Heard = (u16, String);

fn ask(port: u16, method: &str, path: &str, headers: &str, body: &str) -> Heard {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("the door listens");
    connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    connection.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
    let mut heard = String::new();
    connection.read_to_string(&mut heard).expect("an answer in UTF-8");
    let status = heard.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, heard)
}

impl Open {
    /// Starts it and opens the address that it prints.
    fn start(account: &Account, words: &[&str]) -> Self {
        let mut command = account.place.binary(&[&["dashboards", "--no-open"], words].concat());
        let mut child = account.place.start(&mut command);
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut address).expect("UTF-8");
        if address.is_empty() {
            panic!("it ended: {}", account.place.end(child));
        }
        let (port, token) =
            address.trim().strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once('/')).expect("an address");
        let port = port.parse().expect("a port");
        let (status, heard) = ask(port, "GET", &format!("/{token}"), "", "");
        assert_eq!(status, 303, "{heard}");
        assert!(
            heard.contains("location: /_dashboards/app/discover?security_tenant=global#/?_a=(index:'ekk-logs"),
            "{heard}"
        );
        let cookie = heard.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).expect("a cookie");
        Self { port, cookie: cookie.to_owned(), address: address.trim().to_owned(), child: Some(child) }
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Heard {
        ask(self.port, method, path, &format!("cookie: {}\r\n{headers}", self.cookie), body)
    }

    /// Ends it, and returns what it said but for the address.
    fn end(mut self, account: &Account, signal: Signal) -> Ended {
        let child = self.child.take().expect("it has not ended");
        kill(Pid::from_raw(child.id().try_into().expect("a process")), signal).expect("it runs");
        let mut ended = account.place.end(child);
        ended.err = ended.err.replace(&self.port.to_string(), "[port]");
        ended
    }
}

impl Drop for Open {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A stack whose own port no other test takes, nor the same test that runs elsewhere on this machine.
fn stack_of_this_test(test: &str) -> String {
    format!("logs-{test}{}", std::process::id())
}

/// What reached the domain.
fn arrived(account: &Account) -> Vec<Recorded> {
    account.control.requests().into_iter().filter(|request| request.service == Service::Domain).collect()
}

#[test]
fn the_address_opens_discover_on_the_stack_s_pattern_until_it_is_ended() {
    let account = Account::instant();
    let stack = stack_of_this_test("a");
    account.bring_up(&format!("stack: {stack}\n"));
    let mut ports = Vec::new();
    // The first time by its file, the second by its name.
    for (signal, words) in [(Signal::SIGINT, [].as_slice()), (Signal::SIGTERM, &["--read-only", &stack])] {
        let open = Open::start(&account, words);
        let (status, page) = open.ask("GET", "/_dashboards/app/discover?security_tenant=global", "", "");
        assert!(status == 200 && page.contains("<h1>Discover</h1>"), "{page}");
        let json = "content-type: application/json\r\nosd-xsrf: true\r\n";
        let search = r#"{"params":{"index":"*","body":{}}}"#;
        let (status, found) = open.ask("POST", "/_dashboards/internal/search/opensearch", json, search);
        assert!(status == 200 && found.contains("rawResponse"), "{found}");
        let path = "/_dashboards/api/saved_objects/query/x";
        let (status, saved) =
            open.ask("POST", &format!("{path}?overwrite=true"), json, r#"{"attributes":{"title":"a"}}"#);
        assert_eq!(status, if words.is_empty() { 200 } else { 403 }, "{saved}");
        assert_eq!(ask(open.port, "GET", path, "", "").0, 403, "who has no cookie");
        ports.push(open.port);
        let ended = open.end(&account, signal).with(0).to_string().replace(&stack, "[stack]");
        insta::assert_snapshot!(format!("ended_by_{signal}"), ended);
    }
    assert_eq!(ports[0], ports[1], "the port is the stack's own");
}

#[test]
fn credentials_that_were_renewed_are_taken_and_expired_ones_are_told() {
    let mut account = Account::instant();
    account.bring_up("stack: logs\n");
    account.place.unset("AWS_ACCESS_KEY_ID");
    account.place.unset("AWS_SECRET_ACCESS_KEY");
    account.place.set("AWS_PROFILE", "acme");
    let log_in = |key: &str| {
        account.place.write("../home/.aws/config", "[profile acme]\nregion = eu-west-1\n");
        let keys = format!("[acme]\naws_access_key_id = {key}\naws_secret_access_key = x\n");
        account.place.write("../home/.aws/credentials", keys);
    };
    log_in("AKIAFIRST");
    let open = Open::start(&account, &[]);
    account.control.clear_requests();
    let page = || open.ask("GET", "/_dashboards/app/discover", "accept: text/html\r\n", "");
    assert_eq!(page().0, 200);
    log_in("AKIAEXPIRED");
    // The keys in use end: the next request reads the file, whose keys have ended, too.
    let message = "The security token included in the request is expired".to_owned();
    let expired = Effect::Error { status: 403, code: "ExpiredTokenException".to_owned(), message };
    account.control.fault(Fault::on(Service::Domain, "ESHttpGet", expired).first(1));
    let (status, told) = page();
    assert_eq!(status, 403, "{told}");
    assert!(told.contains("<h1>The AWS credentials have expired</h1>"), "{told}");
    assert!(told.contains("keys that stand in the AWS configuration, profile acme"), "{told}");
    assert!(!told.contains("aws sso login"), "{told}");
    log_in("AKIASECOND");
    assert_eq!(page().0, 200);
    let keys: Vec<String> = arrived(&account)
        .iter()
        .filter_map(|request| {
            request.headers["authorization"].to_str().ok()?.split(['=', '/']).nth(1).map(ToOwned::to_owned)
        })
        .collect();
    assert_eq!(keys, ["AKIAFIRST", "AKIAFIRST", "AKIAEXPIRED", "AKIAEXPIRED", "AKIASECOND"]);
    open.end(&account, Signal::SIGINT).with(0);
}

/// A process cannot get other variables, so a login would change nothing.
#[test]
fn expired_credentials_of_variables_ask_for_another_start() {
    let account = Account::instant();
    account.bring_up("stack: logs\n");
    let open = Open::start(&account, &[]);
    let message = "The security token included in the request is expired".to_owned();
    let expired = Effect::Error { status: 403, code: "ExpiredTokenException".to_owned(), message };
    account.control.fault(Fault::on(Service::Domain, "ESHttpGet", expired).first(2));
    let (status, told) = open.ask("GET", "/_dashboards/app/discover", "accept: text/html\r\n", "");
    assert_eq!(status, 403, "{told}");
    assert!(told.contains("<h1>The AWS credentials have expired</h1>"), "{told}");
    assert!(told.contains("They come from the environment"), "{told}");
    assert!(told.contains("<pre>ekk dashboards ekk.yaml</pre>"), "{told}");
    assert!(!told.contains("aws sso login"), "{told}");
    open.end(&account, Signal::SIGINT).with(0);
}

#[test]
fn a_stack_that_is_not_there_is_said() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    insta::assert_snapshot!("no_domain", account.place.ekk(&["dashboards", "--no-open"]));
    account.place.write("other.yaml", "stack: other\n");
    insta::assert_snapshot!("two_stacks", account.place.ekk(&["dashboards", "."]));
}

#[test]
fn a_port_that_is_taken_is_said_and_another_one_taken() {
    let account = Account::instant();
    account.bring_up(&format!("stack: {}\n", stack_of_this_test("b")));
    let own = Open::start(&account, &[]);
    let other = Open::start(&account, &[]);
    let (own_port, other_port) = (own.port.to_string(), other.port.to_string());
    assert_ne!(own_port, other_port);
    let taken = account.place.ekk(&["dashboards", "--no-open", "--port", &own_port]).with(1);
    insta::assert_snapshot!("port_taken", taken.to_string().replace(&own_port, "[port]"));
    let ended = other.end(&account, Signal::SIGINT).with(0);
    ended.complains(&format!("! port {own_port}, this stack's own, is taken: this time it is [port]"));
    own.end(&account, Signal::SIGINT).with(0);
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let wanted = Open::start(&account, &["--port", &free.to_string()]);
    assert_eq!(wanted.port, free);
    wanted.end(&account, Signal::SIGINT).with(0);
}

/// On a terminal it opens a browser, with an address that opens once: others see a command line. Where there is no screen,
/// and with --no-open, it does not.
#[test]
fn a_browser_is_opened_on_a_terminal_with_a_screen() {
    let mut account = Account::instant();
    account.bring_up("stack: logs\n");
    // Stands in for the desktop's own; it ends the command as Ctrl-C does.
    account.place.write("bin/xdg-open", "#!/bin/sh\necho \"$1\" >> opened\nkill -INT $PPID\n");
    let program = account.place.path("bin/xdg-open");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a program");
    let path = std::env::var("PATH").expect("a path");
    account.place.set("PATH", &format!("{}:{path}", account.place.path("bin").display()));
    account.place.set("DISPLAY", ":7");
    let mut script = account.place.command("script");
    let line = format!("{} dashboards", crate::place::EKK);
    let child = match script.args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh").stdin(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("NOT TESTED: there is no `script` of util-linux to make a terminal with: {error}");
            return;
        }
    };
    let screen = account.place.end(child).with(0);
    let opened = std::fs::read_to_string(account.place.path("opened")).expect("a browser was opened");
    let token = |text: &str| text.split("/?token=").nth(1).and_then(|rest| rest.get(..32)).map(ToOwned::to_owned);
    assert!(token(&opened).is_some() && token(&screen.out).is_some(), "{opened}{screen}");
    assert_ne!(token(&opened), token(&screen.out), "the printed secret is on no command line");
    std::fs::remove_file(account.place.path("opened")).expect("it is there");
    // No terminal.
    let open = Open::start(&account, &[]);
    assert!(open.address.starts_with("http://127.0.0.1:"));
    open.end(&account, Signal::SIGINT).with(0);
    assert!(!account.place.path("opened").exists());
}
