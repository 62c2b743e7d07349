//! An emulated account that the binary reaches as it reaches AWS: by its endpoint, its credentials and its region.

use std::sync::mpsc;
use std::thread::JoinHandle;

use ekk_emulator::{Control, Emulator, Options, Timing};
use tokio::sync::oneshot;

use crate::place::Place;

/// An emulated account, and a folder to work on it from.
pub(crate) struct Account {
    pub(crate) place: Place,
    pub(crate) control: Control,
    /// Where it listens, such as `http://127.0.0.1:41234`.
    pub(crate) address: String,
    end: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

/// Where its callers are.
pub(crate) const REGION: &str = "eu-west-1";

impl Account {
    /// Starts one that takes no time.
    pub(crate) fn instant() -> Self {
        Self::start(Timing::instant())
    }

    /// Starts one in a thread of its own.
    pub(crate) fn start(timing: Timing) -> Self {
        let (end, ended) = oneshot::channel();
        let (told, started) = mpsc::channel();
        let server = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an asynchronous runtime");
            runtime.block_on(async {
                let emulator = Emulator::start(Options::in_memory(timing)).await.expect("a free port");
                told.send((emulator.address(), emulator.control().clone())).expect("the test waits");
                // A sender that is gone says the same.
                let _ = ended.await;
            });
        });
        let (address, control) = started.recv().expect("the emulator starts");
        let mut place = Place::new();
        let address = format!("http://{address}");
        place.set("AWS_ENDPOINT_URL", &address);
        place.set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
        place.set("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        place.set("AWS_REGION", REGION);
        Self { place, control, address, end: Some(end), server: Some(server) }
    }

    /// Returns the write calls so far, as `Iam CreateRole`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let requests = self.control.requests();
        let writes = requests.iter().filter(|request| request.is_write);
        writes.map(|request| format!("{:?} {}", request.service, request.operation)).collect()
    }

    /// Counts the calls of one operation.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.control.requests().iter().filter(|request| request.operation == operation).count()
    }

    /// Brings the stack of `ekk.yaml` up and forgets the calls.
    pub(crate) fn bring_up(&self, text: &str) {
        self.place.write("ekk.yaml", text);
        self.place.ekk(&["up", "--yes"]).with(0);
        self.control.clear_requests();
    }

    /// Fails the test unless a plan has nothing to do.
    #[track_caller]
    pub(crate) fn assert_converged(&self) {
        self.place.ekk(&["plan", "--exit-code"]).with(0);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(server) = self.server.take() {
            // A thread that panicked has said so.
            let _ = server.join();
        }
    }
}
