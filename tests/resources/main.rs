//! Each kind of resource against the emulated AWS: made, read, changed field by field, killed at every call, deleted.

mod bucket;
mod log_group;
mod role;
mod strays;

use std::collections::BTreeMap;
use std::time::Duration;

use ekk::aws::{Aws, Connection, Session};
use ekk::resource::{Goal, Manage, Managed, Observed, Owner, Read, Readiness, TAG_REGION, TAG_STACK, WantedTags};
use ekk::stack::{Names, Origin};
use ekk::target::Target;
use ekk::wait::{Deadline, Pace, Progress, Waiting};
use ekk_emulator::{Control, Emulator, Moment, Options, Timing};

const REGION: &str = "eu-west-1";

/// An emulated account, and who speaks to it.
struct Account {
    emulator: Emulator,
    session: Session,
}

impl Account {
    async fn start() -> Self {
        let emulator = Emulator::start(Options::in_memory(Timing::instant())).await.expect("an emulator");
        let session = session(&emulator, REGION).await;
        Self { emulator, session }
    }

    fn control(&self) -> &Control {
        self.emulator.control()
    }

    async fn target(&self) -> Target {
        self.session.target().await.expect("a caller").clone()
    }

    /// Returns the writing operations so far, in order, and forgets all.
    fn writes(&self) -> Vec<String> {
        let writes = self.control().requests().into_iter().filter(|request| request.is_write);
        let writes = writes.map(|request| request.operation).collect();
        self.control().clear_requests();
        writes
    }

    /// Returns the operations so far, in order, and forgets them.
    fn operations(&self) -> Vec<String> {
        let operations = self.control().requests().into_iter().map(|request| request.operation).collect();
        self.control().clear_requests();
        operations
    }
}

/// Makes a session as a new process would.
async fn session(emulator: &Emulator, region: &str) -> Session {
    let connection = Connection {
        region: Some(region.to_owned()),
        profile: None,
        local: Some(format!("http://{}", emulator.address())),
        quick_retries: true,
    };
    let aws = Aws::connect(&connection).await.expect("clients");
    let pace = Pace { first: Duration::from_millis(1), longest: Duration::from_millis(2), ..Pace::LOCAL };
    Session::new(aws, Waiting { pace, deadline: Deadline::Never, progress: Progress::silent() })
}

fn names() -> Names {
    Names {
        stack: "logs".to_owned(),
        region: REGION.to_owned(),
        role: "logs-firehose".to_owned(),
        role_path: "/ekk/".to_owned(),
        role_origin: Origin::Managed,
        bucket: "logs-{account}".to_owned(),
        bucket_origin: Origin::Managed,
        log_group: "/aws/kinesisfirehose/logs".to_owned(),
        domain: "logs".to_owned(),
        index: "logs".to_owned(),
        index_template: "logs".to_owned(),
        stream: "logs".to_owned(),
        index_pattern: "ekk-logs".to_owned(),
        index_pattern_title: "logs-*".to_owned(),
    }
}

fn own_tags() -> WantedTags {
    WantedTags::from([
        (TAG_STACK.to_owned(), Some("logs".to_owned())),
        (TAG_REGION.to_owned(), Some(REGION.to_owned())),
        ("team".to_owned(), Some("platform".to_owned())),
    ])
}

fn managed<T>(settings: T) -> Managed<T> {
    Managed { settings, tags: own_tags() }
}

async fn read<T: Manage>(session: &Session) -> Option<Observed<T>> {
    match T::read(session, &names()).await.expect("a read") {
        Read::Absent => None,
        Read::Present(observed) => Some(*observed),
        Read::Unknown(why) => panic!("{why}"),
    }
}

/// Returns the pointers that differ, as a plan would.
fn pointers<T: Manage>(live: &Observed<T>, wanted: &Managed<T>) -> Vec<String> {
    let before = serde_json::to_value(&live.settings).expect("JSON");
    let after = serde_json::to_value(&wanted.settings).expect("JSON");
    let settings = after.as_object().expect("an object").iter();
    let settings = settings.filter(|(key, value)| !value.is_null() && before[*key] != **value);
    let (set, remove) = ekk::resource::tag_changes(&live.tags, &wanted.tags);
    settings
        .map(|(key, _)| format!("/{key}"))
        .chain(set.into_keys().chain(remove).map(|key| format!("/tags/{key}")))
        .collect()
}

/// Does what a plan would find to do; returns whether there was anything.
async fn converge<T: Manage>(session: &Session, wanted: &Managed<T>) -> bool {
    match read::<T>(session).await {
        None => {
            T::create(session, &names(), wanted).await.expect("created");
            true
        }
        Some(live) => {
            assert_eq!(live.owner, Owner::Ours, "an orphan: {live:?}");
            let pointers = pointers(&live, wanted);
            if pointers.is_empty() {
                return false;
            }
            T::update(session, &names(), &live, wanted, &pointers).await.expect("updated");
            true
        }
    }
}

async fn assert_settled<T: Manage>(session: &Session, wanted: &Managed<T>) -> Observed<T> {
    let live = read::<T>(session).await.expect("it is there");
    assert_eq!(pointers(&live, wanted), Vec::<String>::new(), "{live:?}");
    assert_eq!(T::readiness(session, &names(), Goal::InForce).await.expect("an answer"), Readiness::Ready);
    live
}

/// Runs `work` so that its process dies at the nth call, before or after the call took effect, for every n; then a new
/// run has to bring the account to `wanted`.
async fn killed_at_every_call<T: Manage>(
    wanted: &Managed<T>,
    prepare: impl AsyncFn(&Account),
    work: impl AsyncFn(&Session) -> ekk::error::Result<()>,
) {
    for moment in [Moment::Before, Moment::After] {
        let mut number = 1;
        loop {
            let account = Account::start().await;
            prepare(&account).await;
            let run = session(&account.emulator, REGION).await;
            let reached = account.control().stall_at(number, moment);
            let was_killed = tokio::select! {
                result = work(&run) => { result.expect("a run without a kill"); false }
                _ = reached => true,
            };
            account.control().clear_faults();
            let next = session(&account.emulator, REGION).await;
            let did_something = converge(&next, wanted).await;
            assert_settled(&next, wanted).await;
            if !was_killed {
                assert!(!did_something, "the whole run left something to do");
                assert!(number > 1, "nothing was called");
                break;
            }
            number += 1;
        }
    }
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
