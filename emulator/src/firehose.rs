//! Amazon Data Firehose: delivery streams, and what they deliver.

use std::collections::BTreeMap;

use crate::{
    request::Request,
    response::{self, Response},
    table::Stored,
    world::{Context, Permission, World},
};

/// Delivery streams.
#[derive(Clone, Debug, Default)]
pub struct State {}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        Vec::new()
    }
}

/// The operation that a request names.
pub(crate) fn operation(request: &Request) -> String {
    request.target_operation("Firehose_20150804")
}

pub(crate) fn permissions(_context: &Context<'_>, _request: &Request) -> Vec<Permission> {
    Vec::new()
}

pub(crate) fn handle(_world: &mut World, _context: &Context<'_>, request: &Request) -> Response {
    response::unknown_operation(request)
}

/// Lets time pass: buffers are delivered.
pub(crate) fn tick(_world: &mut World, _context: &Context<'_>) {}

/// The resources of a region by ARN, with their tags, for the Resource Groups Tagging API.
pub(crate) fn tagged(_world: &World, _context: &Context<'_>, _region: &str) -> Vec<(String, BTreeMap<String, String>)> {
    Vec::new()
}
