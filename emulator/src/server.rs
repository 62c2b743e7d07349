//! Takes requests over HTTP/1.1, one after another on each connection, and hands each to the world.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::{
    clock::Clock,
    control::{Effect, Moment, Orders},
    recorder::{Origin, Recorder},
    request::{Caller, Request, Service},
    response::{self, Response},
    store::Store,
    timing::Timing,
    world::{self, Context, World},
};

const LARGEST_BODY_BYTES: usize = 512 << 20;
const TICK: Duration = Duration::from_millis(100);
/// How long a stop waits for answers under way.
const FAREWELL: Duration = Duration::from_secs(2);

/// What all connections of an emulator share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) account: String,
    pub(crate) timing: Timing,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) held: Mutex<Held>,
    pub(crate) orders: Mutex<Orders>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) stopped: watch::Receiver<bool>,
}

/// The world and its journal, which change together.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) world: World,
    pub(crate) store: Store,
    /// Kept only once a test asked for stale reads.
    pub(crate) before_last_write: Option<World>,
}

/// Locks; a panic elsewhere does not spread.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn context(&self) -> Context<'_> {
        Context { now: self.clock.now(), timing: &self.timing, account: &self.account, address: self.address }
    }

    /// Lets happen what is due.
    pub(crate) fn tick(&self) -> io::Result<()> {
        let mut held = locked(&self.held);
        let held = &mut *held;
        world::tick(&mut held.world, &self.context());
        held.store.commit(&mut held.world)
    }

    /// Answers a request; the change it makes is on disk when this returns.
    fn answer(&self, request: &Request, stale: Staleness) -> Response {
        let context = self.context();
        if let Some(name) = request.unreadable_header() {
            return response::unreadable_header(request, name);
        }
        match &request.caller {
            Caller::Anonymous if !matches!(request.service, Service::Domain | Service::Browser) => {
                return response::unsigned(request);
            }
            Caller::Malformed => return response::malformed_signature(request),
            Caller::Signed { access_key } => {
                if let Some(refusal) = response::refused_key(request, access_key) {
                    return refusal;
                }
            }
            Caller::Anonymous => {}
        }
        let mut held = locked(&self.held);
        let held = &mut *held;
        world::tick(&mut held.world, &context);
        let denied = world::permissions(&held.world, &context, request).into_iter().find(|permission| {
            matches!(&request.caller, Caller::Signed { access_key } if access_key.starts_with("AKIADENIED"))
                || locked(&self.orders).denies(&permission.action)
        });
        let answer = match (denied, stale, &held.before_last_write) {
            (Some(permission), _, _) => response::access_denied(
                request,
                &context.caller_arn(&request.region),
                &permission.action,
                &permission.resource,
            ),
            (None, Staleness::Stale, Some(before)) => world::handle(&mut before.clone(), &context, request),
            (None, Staleness::Stale | Staleness::Fresh, _) => {
                if request.is_write() && held.before_last_write.is_some() {
                    held.before_last_write = Some(held.world.clone());
                }
                world::handle(&mut held.world, &context, request)
            }
        };
        match held.store.commit(&mut held.world) {
            Ok(()) => answer,
            Err(error) => response::error(
                request,
                500,
                "InternalFailure",
                &format!("the emulator cannot write its state folder: {error}"),
            ),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Staleness {
    Fresh,
    Stale,
}

/// Ends the connection without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is dropped")
    }
}

impl std::error::Error for Dropped {}

/// Lets time pass without requests.
pub(crate) async fn tick_for_ever(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        // What could not be written now is written with the next request, which then says so.
        let _ = shared.tick();
    }
}

/// Takes connections until the emulator is stopped.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut stopped = shared.stopped.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve_connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    drop(listener);
    let all_done = async { while connections.join_next().await.is_some() {} };
    // A client that never reads its answer is left behind.
    let _ = tokio::time::timeout(FAREWELL, all_done).await;
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut stopped = shared.stopped.clone();
    let service = service_fn(move |request| serve(Arc::clone(&shared), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // An error here is a client that went away, or a connection that a test has dropped.
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn serve(shared: Arc<Shared>, request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY_BYTES).collect().await.map_err(|_| Dropped)?.to_bytes();
    let request = Request::read(parts, body);
    let when = shared.clock.now();
    let order = locked(&shared.orders).decide(&request);
    let record = |answer: Option<&Response>, origin| {
        locked(&shared.orders).record(&request, answer.map(|answer| answer.status), when);
        if let Some(recorder) = &shared.recorder
            && let Err(error) = recorder.write(&request, answer, origin)
        {
            // A record with holes would prove nothing.
            panic!("an exchange could not be recorded: {error}");
        }
    };

    if !order.delay.is_zero() {
        tokio::time::sleep(order.delay).await;
    }
    let (stall_before, stall_after) = match order.stall {
        Some((Moment::Before, reached)) => (Some(reached), None),
        Some((Moment::After, reached)) => (None, Some(reached)),
        None => (None, None),
    };
    if let Some(reached) = stall_before {
        record(None, Origin::Injected);
        return stall(&shared, reached).await;
    }
    let answer = match &order.effect {
        Some(Effect::Error { status, code, message }) => response::error(&request, *status, code, message),
        Some(Effect::Throttle) => response::throttled(&request),
        Some(Effect::DropConnection(Moment::Before)) => {
            record(None, Origin::Injected);
            return Err(Dropped);
        }
        Some(Effect::StaleRead) => shared.answer(&request, Staleness::Stale),
        Some(Effect::DropConnection(Moment::After) | Effect::Delay(_)) | None => {
            shared.answer(&request, Staleness::Fresh)
        }
    };
    if matches!(order.effect, Some(Effect::DropConnection(Moment::After))) {
        record(None, Origin::Injected);
        return Err(Dropped);
    }
    if let Some(reached) = stall_after {
        record(None, Origin::Injected);
        return stall(&shared, reached).await;
    }
    let origin = match &order.effect {
        Some(Effect::Error { .. } | Effect::Throttle | Effect::StaleRead) => Origin::Injected,
        Some(Effect::DropConnection(_) | Effect::Delay(_)) | None => Origin::World,
    };
    record(Some(&answer), origin);
    Ok(as_http(&request, answer))
}

/// Never answers; only a stop of the emulator or of the client ends it.
async fn stall(
    shared: &Shared,
    reached: tokio::sync::oneshot::Sender<()>,
) -> Result<http::Response<Full<Bytes>>, Dropped> {
    let _ = reached.send(());
    let _ = shared.stopped.clone().wait_for(|stopped| *stopped).await;
    Err(Dropped)
}

fn as_http(request: &Request, answer: Response) -> http::Response<Full<Bytes>> {
    let Response { status, headers, body } = answer;
    let id_header = if request.service == Service::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
    let mut response = http::Response::builder().status(status).header(id_header, &request.id);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(body)).unwrap_or_else(|error| {
        let mut broken =
            http::Response::new(Full::new(Bytes::from(format!("the emulator made a bad header: {error}"))));
        *broken.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
