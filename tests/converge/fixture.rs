//! One emulated account, and the pipeline of a command against it.

use std::time::Duration;

use ekk::apply::{self, Interruption, Permissions, Report};
use ekk::aws::{Aws, Connection, Session};
use ekk::error::Result;
use ekk::guard;
use ekk::plan::{self, Adopt, Plan, Verb};
use ekk::read;
use ekk::resolve;
use ekk::resource::Hazard;
use ekk::spec::{Source, Spec};
use ekk::stack::{Desired, Intent, Live};
use ekk::wait::{Deadline, Pace, Progress, Waiting};
use ekk_emulator::{Control, Emulator, Options, Recorded, Service, Timing};

/// The account of the emulator; files that name a key of another account are rewritten to it.
const ACCOUNT: &str = "000000000000";

/// The waits of these tests: none.
pub(crate) const NO_PAUSE: Pace = Pace {
    first: Duration::ZERO,
    longest: Duration::from_millis(1),
    buffered_second: Duration::ZERO,
    role_spread_least: Duration::from_secs(5),
    role_spread_most: Duration::from_secs(5),
    answers_within: Duration::from_secs(5),
};

/// An emulated account.
pub(crate) struct Cloud {
    pub(crate) emulator: Emulator,
}

/// Which way a plan goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Up,
    Down,
    DownWithBackup,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let emulator = Emulator::start(Options::in_memory(Timing::instant())).await.expect("a free port");
        Self { emulator }
    }

    pub(crate) fn control(&self) -> &Control {
        self.emulator.control()
    }

    pub(crate) async fn session(&self, region: Option<&str>) -> Session {
        let connection = Connection {
            region: region.map(ToOwned::to_owned),
            local: Some(format!("http://{}", self.emulator.address())),
            ..Connection::default()
        };
        let aws = Aws::connect(&connection).await.expect("clients");
        Session::new(aws, Waiting { pace: NO_PAUSE, deadline: Deadline::Never, progress: Progress::silent() })
    }

    pub(crate) async fn live(&self, text: &str) -> Result<Live> {
        let spec = spec(text);
        let session = self.session(Some(&region_of(&spec))).await;
        read::live(&session, &resolve::names(&spec, &session.aws.region)).await
    }

    pub(crate) async fn plan(&self, text: &str, way: Way) -> Result<Plan> {
        Ok(self.plan_with(text, way, &Adopt::Nothing).await?.1)
    }

    /// One session for reading and applying, as a command has it.
    pub(crate) async fn plan_with(&self, text: &str, way: Way, adopt: &Adopt) -> Result<(Session, Plan)> {
        let spec = spec(text);
        let session = self.session(Some(&region_of(&spec))).await;
        let live = read::live(&session, &resolve::names(&spec, &session.aws.region)).await?;
        let target = session.target().await?.clone();
        let (names, desired) = resolve::resolve(&spec, &target);
        let plan = match way {
            Way::Up => plan::plan(Verb::Up, &target, &names, &desired, &live, adopt),
            Way::Down => {
                let keep = Desired { bucket: Intent::Keep, ..Desired::default() };
                plan::plan(Verb::Down, &target, &names, &keep, &live, adopt)
            }
            Way::DownWithBackup => plan::plan(Verb::Down, &target, &names, &Desired::default(), &live, adopt),
        };
        Ok((session, plan))
    }

    /// Plans and applies, with all hazards allowed.
    pub(crate) async fn go(&self, text: &str, way: Way) -> Result<Report> {
        self.go_adopting(text, way, Adopt::Nothing).await
    }

    pub(crate) async fn go_adopting(&self, text: &str, way: Way, adopt: Adopt) -> Result<Report> {
        let (session, plan) = self.plan_with(text, way, &adopt).await?;
        let allowed = Hazard::ALL.map(|hazard| guard::Allowance { hazard, kind: None }).to_vec();
        let objections = guard::objections(&plan, &allowed);
        assert!(objections.is_empty(), "refused: {objections:?}");
        let permissions = Permissions { allowed, adopt };
        let (report, interruption) = apply::apply(&session, &plan, &permissions, std::future::pending()).await;
        assert_eq!(interruption, Interruption::None);
        Ok(report)
    }

    /// Goes up, and fails the test where a change is not done.
    pub(crate) async fn up(&self, text: &str) {
        let report = self.go(text, Way::Up).await.expect("up runs");
        assert!(report.is_done(), "{report:#?}");
    }

    /// Goes down, and fails the test where a change is not done.
    pub(crate) async fn down(&self, text: &str, way: Way) {
        let report = self.go(text, way).await.expect("down runs");
        assert!(report.is_done(), "{report:#?}");
    }

    /// Fails the test unless a new plan has nothing to do, writes nothing and refuses nothing.
    pub(crate) async fn assert_converged(&self, text: &str) {
        self.control().clear_requests();
        let plan = self.plan(text, Way::Up).await.expect("a plan");
        let changes: Vec<String> = plan
            .changes
            .iter()
            .map(|change| {
                let fields: Vec<String> = change.fields.iter().map(ToString::to_string).collect();
                format!("{} {} {}: {fields:?} {:?}", change.action, change.kind, change.name, change.notes)
            })
            .collect();
        assert_eq!(changes, Vec::<String>::new());
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        assert_eq!(writes(&self.control().requests()), Vec::<String>::new());
    }
}

pub(crate) fn spec(text: &str) -> Spec {
    let text = text.replace("123456789012", ACCOUNT);
    Spec::load(&Source::text("stack.yaml", text)).unwrap_or_else(|faults| panic!("{faults}")).spec
}

fn region_of(spec: &Spec) -> String {
    spec.region.clone().unwrap_or_else(|| "eu-west-1".to_owned())
}

/// Returns the write calls, as `iam CreateRole`.
pub(crate) fn writes(requests: &[Recorded]) -> Vec<String> {
    requests
        .iter()
        .filter(|request| request.is_write)
        .map(|request| format!("{:?} {}", request.service, request.operation))
        .collect()
}

/// Counts the calls of one operation.
pub(crate) fn count(requests: &[Recorded], service: Service, operation: &str) -> usize {
    requests.iter().filter(|request| request.service == service && request.operation == operation).count()
}

/// Every stack that ships with the project.
pub(crate) const STACKS: [&str; 3] = [
    include_str!("../../stacks/minimal.yaml"),
    include_str!("../../stacks/logging-test.yaml"),
    include_str!("../../stacks/production.yaml"),
];
