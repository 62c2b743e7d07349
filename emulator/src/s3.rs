//! Simple Storage Service: buckets and objects.

use crate::{
    request::Request,
    response::{self, Response},
    table::Stored,
    world::{Context, Permission, World},
};

/// Buckets and objects.
#[derive(Clone, Debug, Default)]
pub struct State {}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        Vec::new()
    }

    /// The buckets of a region.
    pub(crate) fn tagged(&self, _region: &str) -> Vec<(String, std::collections::BTreeMap<String, String>)> {
        Vec::new()
    }

    /// The bodies that objects name.
    pub(crate) fn blob_ids(&self) -> impl Iterator<Item = String> {
        std::iter::empty()
    }
}

/// The operation that a request names.
pub(crate) fn operation(request: &Request) -> String {
    request.method.to_string()
}

pub(crate) fn permissions(_context: &Context<'_>, _request: &Request) -> Vec<Permission> {
    Vec::new()
}

pub(crate) fn handle(_world: &mut World, _context: &Context<'_>, request: &Request) -> Response {
    response::unknown_operation(request)
}
