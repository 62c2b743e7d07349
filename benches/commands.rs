//! What a command costs against the emulator, with its waits at zero: time by criterion, calls and memory beside it.
//!
//! `cargo bench` prints them; no test asserts a time.

use std::process::Command;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ekk::apply::{self, Permissions};
use ekk::aws::{Aws, Connection, Session};
use ekk::plan::{self, Adopt, Plan, Verb};
use ekk::read;
use ekk::resolve;
use ekk::spec::{Source, Spec};
use ekk::wait::{Deadline, Pace, Progress, Waiting};
use ekk_emulator::{Emulator, Options, Timing};
use nix::sys::resource::{UsageWho, getrusage};
use tokio::runtime::Runtime;

const ARTICLE: &str = include_str!("../stacks/logging-test.yaml");

const NO_PAUSE: Pace = Pace {
    first: Duration::ZERO,
    longest: Duration::from_millis(1),
    buffered_second: Duration::ZERO,
    role_spread_least: Duration::from_secs(5),
    role_spread_most: Duration::from_secs(5),
    answers_within: Duration::from_secs(5),
};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn session(emulator: &Emulator) -> Session {
    let connection = Connection {
        region: Some("eu-west-1".to_owned()),
        local: Some(format!("http://{}", emulator.address())),
        ..Connection::default()
    };
    let aws = Aws::connect(&connection).await.expect("clients");
    Session::new(aws, Waiting { pace: NO_PAUSE, deadline: Deadline::Never, progress: Progress::silent() })
}

async fn planned(session: &Session) -> Plan {
    let spec = Spec::load(&Source::text("logging-test.yaml", ARTICLE)).expect("a valid spec").spec;
    let live = read::live(session, &resolve::names(&spec, &session.aws.region)).await.expect("a read");
    let target = session.target().await.expect("an identity");
    let (names, desired) = resolve::resolve(&spec, target);
    plan::plan(Verb::Up, target, &names, &desired, &live, &Adopt::Nothing)
}

async fn up(emulator: &Emulator) {
    let session = session(emulator).await;
    let plan = planned(&session).await;
    let (report, _) = apply::apply(&session, &plan, &Permissions::default(), std::future::pending()).await;
    assert!(report.is_done(), "{report:#?}");
}

fn commands(criterion: &mut Criterion) {
    let runtime = runtime();
    let emulator = runtime.block_on(Emulator::start(Options::in_memory(Timing::instant()))).expect("a free port");
    runtime.block_on(up(&emulator));
    emulator.control().clear_requests();
    assert!(runtime.block_on(async { planned(&session(&emulator).await).await }).is_empty());
    println!("plan, nothing to do: {} calls", emulator.control().requests().len());

    criterion.bench_function("plan, nothing to do", |bench| {
        bench.to_async(&runtime).iter(|| async { planned(&session(&emulator).await).await });
    });
    criterion.bench_function("up of the article's stack", |bench| {
        bench.to_async(&runtime).iter_batched(
            || (),
            |()| async {
                let fresh = Emulator::start(Options::in_memory(Timing::instant())).await.expect("a free port");
                up(&fresh).await;
            },
            BatchSize::PerIteration,
        );
    });
    memory(&runtime, &emulator);
}

fn start_up(criterion: &mut Criterion) {
    criterion.bench_function("ekk --version", |bench| {
        bench.iter(|| Command::new(env!("CARGO_BIN_EXE_ekk")).arg("--version").output().expect("the binary runs"));
    });
}

/// The largest resident set of any `ekk plan` that this process started. Linux gives KiB.
fn memory(runtime: &Runtime, emulator: &Emulator) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ekk"));
    command
        .args(["plan", concat!(env!("CARGO_MANIFEST_DIR"), "/stacks/logging-test.yaml")])
        .env("AWS_ENDPOINT_URL", format!("http://{}", emulator.address()))
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "bench")
        .env("AWS_SECRET_ACCESS_KEY", "bench");
    // On a thread of its own: the emulator answers on this one.
    let output = runtime
        .block_on(async { tokio::task::spawn_blocking(move || command.output()).await })
        .expect("the thread ends")
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage of children");
    println!("ekk plan: {:.1} MiB at its peak", f64::from(i32::try_from(usage.max_rss()).unwrap_or(i32::MAX)) / 1024.0);
}

criterion_group!(benches, start_up, commands);
criterion_main!(benches);
