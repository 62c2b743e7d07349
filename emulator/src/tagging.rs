//! Resource Groups Tagging API: what carries a tag, over all services.

use crate::{
    request::Request,
    response::{self, Response},
    world::{Context, Permission, World},
};

/// The operation that a request names.
pub(crate) fn operation(request: &Request) -> String {
    request.target_operation("ResourceGroupsTaggingAPI_20170126")
}

pub(crate) fn permissions(_request: &Request) -> Vec<Permission> {
    Vec::new()
}

pub(crate) fn handle(_world: &mut World, _context: &Context<'_>, request: &Request) -> Response {
    response::unknown_operation(request)
}
