//! Starts and stops the server of one emulated account.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    clock::Clock,
    control::{Control, Recording},
    recorder::{self, Recorder},
    server::{self, Held, Shared},
    store::Store,
    timing::Timing,
    world::World,
};

/// What an emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on; anything but loopback is refused. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder that keeps the state over restarts; without one it is in memory.
    pub state: Option<PathBuf>,
    /// The account that every caller belongs to, 12 digits.
    pub account: String,
    /// How long things take.
    pub timing: Timing,
    /// Whether requests are kept for [`Control::requests`].
    pub recording: Recording,
    /// The folder that every exchange is written into ([`crate::recorder`]).
    pub exchanges: Option<PathBuf>,
}

impl Options {
    /// An emulator in memory on a free port, which records its requests, also where `EKK_RECORD` says.
    #[must_use]
    pub fn in_memory(timing: Timing) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state: None,
            account: "000000000000".to_owned(),
            timing,
            recording: Recording::Everything,
            exchanges: recorder::folder(),
        }
    }
}

/// A running emulator. Dropping it stops it at once; [`Emulator::stop`] lets answers under way finish.
#[derive(Debug)]
pub struct Emulator {
    control: Control,
    stopping: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    ticking: JoinHandle<()>,
}

impl Emulator {
    /// Binds, loads the state and serves in background tasks of the current runtime.
    ///
    /// # Errors
    ///
    /// The address is not loopback or taken, the account is not 12 digits, or the state folder is unreadable, of
    /// another version, or in use by another process ([`io::ErrorKind::WouldBlock`]).
    pub async fn start(options: Options) -> io::Result<Self> {
        let Options { listen, state, account, timing, recording, exchanges } = options;
        if !listen.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{listen} is not a loopback address, and the emulator checks no signature"),
            ));
        }
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("account {account:?} is not 12 digits")));
        }
        let (world, store) = match &state {
            Some(folder) => Store::open(folder)?,
            None => (World::default(), Store::in_memory()),
        };
        let recorder = exchanges.map(|folder| Recorder::create(&folder, "emulator")).transpose()?;
        let listener = TcpListener::bind(listen).await?;
        let (stopping, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            account,
            timing,
            address: listener.local_addr()?,
            clock: Clock::default(),
            held: Mutex::new(Held { world, store, before_last_write: None }),
            orders: Mutex::new(crate::control::Orders::new(recording)),
            recorder,
            stopped,
        });
        let accepting = tokio::spawn(server::accept(listener, Arc::clone(&shared)));
        let ticking = tokio::spawn(server::tick_for_ever(Arc::clone(&shared)));
        Ok(Self { control: Control::new(shared), stopping, accepting, ticking })
    }

    /// The address it listens on, with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.control.address()
    }

    /// What a test may see and provoke.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Takes no more requests, finishes those under way, and lets go of the port and the state folder.
    pub async fn stop(mut self) {
        self.ticking.abort();
        let _ = self.stopping.send(true);
        let _ = (&mut self.accepting).await;
        let _ = (&mut self.ticking).await;
        self.control.close_store();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.ticking.abort();
        self.accepting.abort();
    }
}
