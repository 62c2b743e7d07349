//! CloudWatch Logs: groups, streams and events.

use crate::{
    request::Request,
    response::{self, Response},
    table::Stored,
    world::{Context, Permission, World},
};

/// Log groups.
#[derive(Clone, Debug, Default)]
pub struct State {}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        Vec::new()
    }
}

/// The operation that a request names.
pub(crate) fn operation(request: &Request) -> String {
    request.target_operation("Logs_20140328")
}

pub(crate) fn permissions(_context: &Context<'_>, _request: &Request) -> Vec<Permission> {
    Vec::new()
}

pub(crate) fn handle(_world: &mut World, _context: &Context<'_>, request: &Request) -> Response {
    response::unknown_operation(request)
}
