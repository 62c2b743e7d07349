//! What a test may see and provoke in a running emulator. Nothing here can be reached over the network.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::{
    request::{Request, Service},
    server::{Shared, locked},
    world::World,
};

/// Whether requests are kept for [`Control::requests`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Every request, for ever: for tests.
    Everything,
    /// None: for a server that runs for days.
    Nothing,
}

/// A request that was answered, dropped or stalled.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The service it was for.
    pub service: Service,
    /// The operation as AWS names it; for a domain the action, such as `ESHttpPut`.
    pub operation: String,
    /// The region it was for.
    pub region: String,
    /// The HTTP method.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The decoded query.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as sent.
    pub body: Bytes,
    /// The status of the answer; none if the client got none.
    pub status: Option<u16>,
    /// Whether it was a write by its operation, whatever became of it.
    pub is_write: bool,
    /// When it came, by the emulator's clock.
    pub when: Timestamp,
}

/// Before or after a request took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The world has not changed.
    Before,
    /// The world has changed, and the change is on disk.
    After,
}

/// Which of the matching requests a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// All of them.
    Always,
    /// The first so many.
    First(usize),
    /// Only the nth, counted from 1.
    Nth(usize),
}

/// What happens to a request that a fault hits.
#[derive(Clone, Debug)]
pub enum Effect {
    /// An error in the service's shape; nothing changes.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error's code.
        code: String,
        /// Its message.
        message: String,
    },
    /// The service's own throttling error; nothing changes.
    Throttle,
    /// The connection breaks without an answer.
    DropConnection(Moment),
    /// It is handled later.
    Delay(Duration),
    /// Reads are answered from the world as it was before the last write; writes are not affected. The world is
    /// remembered from the moment this fault is set.
    StaleRead,
}

/// A fault: which requests it hits, and how. A condition that is none holds for every request.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The service.
    pub service: Option<Service>,
    /// The operation, as [`Recorded::operation`] has it.
    pub operation: Option<String>,
    /// A part of the path as sent.
    pub path_contains: Option<String>,
    /// Which of the matching requests.
    pub occurrence: Occurrence,
    /// What happens to them.
    pub effect: Effect,
}

impl Fault {
    /// A fault that hits an operation of a service every time.
    #[must_use]
    pub fn on(service: Service, operation: &str, effect: Effect) -> Self {
        Self {
            service: Some(service),
            operation: Some(operation.to_owned()),
            path_contains: None,
            occurrence: Occurrence::Always,
            effect,
        }
    }

    /// A fault that hits every request.
    #[must_use]
    pub fn everywhere(effect: Effect) -> Self {
        Self { service: None, operation: None, path_contains: None, occurrence: Occurrence::Always, effect }
    }

    /// The same fault for the first so many matching requests.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.occurrence = Occurrence::First(count);
        self
    }

    /// The same fault for the nth matching request alone, counted from 1.
    #[must_use]
    pub fn nth(mut self, number: usize) -> Self {
        self.occurrence = Occurrence::Nth(number);
        self
    }

    fn matches(&self, request: &Request) -> bool {
        self.service.is_none_or(|service| service == request.service)
            && self.operation.as_ref().is_none_or(|operation| *operation == request.operation)
            && self.path_contains.as_ref().is_none_or(|part| request.path.contains(part))
    }
}

/// The handle of a running emulator's inside; clones are handles of the same emulator.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.address
    }

    pub(crate) fn close_store(&self) {
        locked(&self.shared.held).store.close();
    }

    /// The requests so far, in the order in which they were answered.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        locked(&self.shared.orders).recorded.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        locked(&self.shared.orders).recorded.clear();
    }

    /// Sets a fault; faults are tried in the order in which they were set, and a request is hit by the first that
    /// matches (delays apart, which add to it).
    pub fn fault(&self, fault: Fault) {
        if matches!(fault.effect, Effect::StaleRead) {
            let mut held = locked(&self.shared.held);
            if held.before_last_write.is_none() {
                held.before_last_write = Some(held.world.clone());
            }
        }
        locked(&self.shared.orders).faults.push((fault, 0));
    }

    /// Takes all faults and denials away.
    pub fn clear_faults(&self) {
        let mut orders = locked(&self.shared.orders);
        orders.faults.clear();
        orders.denied.clear();
        orders.stall = None;
    }

    /// Denies an action, such as `iam:CreateRole` or `es:*`, to every caller.
    pub fn deny(&self, action: &str) {
        locked(&self.shared.orders).denied.insert(action.to_owned());
    }

    /// Lets the nth request from now (counted from 1) hang for ever, before or after it took effect. The receiver
    /// fires when that request has come so far.
    #[must_use]
    pub fn stall_at(&self, number: usize, moment: Moment) -> oneshot::Receiver<()> {
        let (reached, receiver) = oneshot::channel();
        locked(&self.shared.orders).stall = Some(Stall { remaining: number, moment, reached });
        receiver
    }

    /// Looks at or changes the world; what changed is on disk when this returns.
    ///
    /// # Panics
    ///
    /// The state folder cannot be written.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut held = locked(&self.shared.held);
        let held = &mut *held;
        let result = look(&mut held.world);
        held.store.commit(&mut held.world).expect("the state folder is writable");
        result
    }

    /// The emulated time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Moves the clock forward and lets happen what is due by then.
    ///
    /// # Panics
    ///
    /// The state folder cannot be written.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
        self.shared.tick().expect("the state folder is writable");
    }

    /// Sets the clock, which then runs on, and lets happen what is due by then.
    ///
    /// # Panics
    ///
    /// The state folder cannot be written.
    pub fn set_clock(&self, to: Timestamp) {
        self.shared.clock.set(to);
        self.shared.tick().expect("the state folder is writable");
    }
}

/// What tests have ordered, and what was seen.
#[derive(Debug)]
pub(crate) struct Orders {
    recording: Recording,
    recorded: Vec<Recorded>,
    faults: Vec<(Fault, usize)>,
    denied: BTreeSet<String>,
    stall: Option<Stall>,
}

#[derive(Debug)]
struct Stall {
    remaining: usize,
    moment: Moment,
    reached: oneshot::Sender<()>,
}

/// What is to happen to one request.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) delay: Duration,
    pub(crate) stall: Option<(Moment, oneshot::Sender<()>)>,
    pub(crate) effect: Option<Effect>,
}

impl Orders {
    pub(crate) fn new(recording: Recording) -> Self {
        Self { recording, recorded: Vec::new(), faults: Vec::new(), denied: BTreeSet::new(), stall: None }
    }

    /// Counts a request and says what is to happen to it.
    pub(crate) fn decide(&mut self, request: &Request) -> Order {
        let mut order = Order::default();
        if let Some(stall) = &mut self.stall {
            stall.remaining = stall.remaining.saturating_sub(1);
        }
        if let Some(Stall { moment, reached, .. }) = self.stall.take_if(|stall| stall.remaining == 0) {
            order.stall = Some((moment, reached));
        }
        for (fault, seen) in &mut self.faults {
            if !fault.matches(request) || (matches!(fault.effect, Effect::StaleRead) && request.is_write()) {
                continue;
            }
            *seen += 1;
            let hit = match fault.occurrence {
                Occurrence::Always => true,
                Occurrence::First(count) => *seen <= count,
                Occurrence::Nth(number) => *seen == number,
            };
            if !hit {
                continue;
            }
            match &fault.effect {
                Effect::Delay(wait) => order.delay += *wait,
                effect @ (Effect::Error { .. } | Effect::Throttle | Effect::DropConnection(_) | Effect::StaleRead) => {
                    if order.effect.is_none() {
                        order.effect = Some(effect.clone());
                    }
                }
            }
        }
        order
    }

    /// Whether an action was denied by a test.
    pub(crate) fn denies(&self, action: &str) -> bool {
        self.denied.iter().any(|pattern| wildcard_matches(pattern, action))
    }

    pub(crate) fn record(&mut self, request: &Request, status: Option<u16>, when: Timestamp) {
        match self.recording {
            Recording::Nothing => {}
            Recording::Everything => self.recorded.push(Recorded {
                service: request.service,
                operation: request.operation.clone(),
                region: request.region.clone(),
                method: request.method.clone(),
                path: request.path.clone(),
                query: request.query.clone(),
                headers: request.headers.clone(),
                body: request.body.clone(),
                status,
                is_write: request.is_write(),
                when,
            }),
        }
    }
}

/// Whether a text matches a pattern of IAM, in which `*` stands for any text and `?` for one character.
#[must_use]
pub fn wildcard_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut position) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while position < text.len() {
        match pattern.get(at) {
            Some('*') => {
                retry = Some((at + 1, position));
                at += 1;
            }
            Some(expected) if *expected == '?' || *expected == text[position] => {
                at += 1;
                position += 1;
            }
            Some(_) | None => {
                let Some((star, tried)) = retry else {
                    return false;
                };
                retry = Some((star, tried + 1));
                at = star;
                position = tried + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::wildcard_matches;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(wildcard_matches("arn:aws:s3:::logs*/x", "arn:aws:s3:::logs-1/y/x"));
        assert!(wildcard_matches("es:*", "es:ESHttpPut"));
        assert!(!wildcard_matches("es:Describe*", "es:ESHttpPut"));
        assert!(!wildcard_matches("es", "es:ESHttpPut"));
    }
}
