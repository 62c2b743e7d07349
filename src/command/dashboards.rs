//! `ekk dashboards`: a door on loopback to a stack's Dashboards, signed with the caller's credentials.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::prepare::Opened;
use super::up::interrupt;
use super::{mention, prepare, print};
use crate::aws::Connection;
use crate::cli::{self, Talk};
use crate::dashboards::{Access, Behind, CredentialsFrom, Port, Proxy};
use crate::error::{Exit, Result};
use crate::located::Depth;
use crate::opensearch::forward::Upstream;
use crate::resource::Read;

/// Runs `ekk dashboards`.
pub(super) async fn run(args: cli::Dashboards, talk: Talk) -> Result<Exit> {
    let cli::Dashboards { stack, port, read_only, no_open, place } = args;
    let opened = prepare::open(stack.as_deref().map(Path::as_os_str), &place, talk, Depth::IndexPattern).await?;
    let Opened { word, session, header, stack, file: _ } = &opened;
    let plane = stack.data_plane(session).await?;
    let names = &stack.names;
    let name = plane.engine().dashboards_name();
    let pattern = match &stack.index_pattern {
        Ok(Read::Present(_)) => Some(names.index_pattern.as_str()),
        Ok(Read::Absent) => {
            mention(talk, &format!("! there is no index pattern {} yet\n", names.index_pattern_title));
            None
        }
        // It may come to answer while the door is open, and the page tells if it does not.
        Ok(Read::Unknown(why)) => {
            mention(talk, &format!("! {name} did not answer yet: {why}\n"));
            Some(names.index_pattern.as_str())
        }
        Err(error) => return Err(error.clone()),
    };
    let connection = Connection {
        region: Some(header.target.region.clone()),
        profile: place.profile.clone(),
        local: header.local.clone(),
        quick_retries: false,
    };
    let upstream = Upstream::new(&plane, connection).await?;
    let behind = Behind {
        discover: upstream.engine().discover(pattern),
        upstream,
        access: if read_only { Access::ReadOnly } else { Access::ReadWrite },
        credentials: CredentialsFrom::find(place.profile.as_deref()).await,
        again: format!("ekk dashboards{} {word}", prepare::flags(&place)),
        permissions: format!("ekk policy reader{} {word}", prepare::flags(&place)),
    };
    let port = port.map_or_else(|| Port::of_stack(&names.stack, &header.target), Port::Exactly);
    // Before anything is said, so that a Ctrl-C right after it ends it in order.
    let ended = interrupt();
    let proxy = Proxy::listen(behind, port).await?;
    if let Port::OfStack(own) = port
        && own != proxy.port()
    {
        mention(talk, &format!("! port {own}, this stack's own, is taken: this time it is {}\n", proxy.port()));
    }
    let may = if read_only { "Whoever has this address reads" } else { "Whoever has this address reads and writes" };
    mention(
        talk,
        &format!(
            "{header} · stack {} · {name}, Discover on {}\n{may} there as you, until Ctrl-C ends it.\n",
            names.stack, names.index_pattern_title
        ),
    );
    print(&format!("{}\n", proxy.address()))?;
    if !no_open && std::io::stdout().is_terminal() && !open(&proxy.address_for_once()) {
        mention(talk, "No browser was opened: open the address in one.\n");
    }
    proxy.serve(ended).await;
    Ok(Exit::Done)
}

/// Opens the person's browser, where there is a screen to open one on. Others on this machine can see the command line, so
/// the address must open once only.
fn open(address: &str) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    // Without a screen xdg-open takes a browser for terminals, which would take this terminal.
    if !cfg!(target_os = "macos") && !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return false;
    }
    let started =
        Command::new(program).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    match started {
        Ok(mut child) => {
            // Whoever opens a browser ends at once; nobody waits for one that does not.
            std::thread::spawn(move || child.wait());
            true
        }
        Err(_) => false,
    }
}
