//! The AWS that `ekk --local` and the tests talk to: the few services an EKK stack needs, over real HTTP on
//! loopback, and never kinder than AWS where its documentation leaves a choice.
//!
//! One [`World`] behind one lock holds everything that exists; each service is a module of plain functions on it.
//! Every answer that changed something is in the journal before it is sent.

pub mod blobs;
pub mod clock;
pub mod control;
pub mod dashboards;
pub mod emulator;
pub mod engine;
pub mod firehose;
pub mod iam;
mod json_input;
pub mod logs;
pub mod loopback;
mod models;
pub mod opensearch;
mod policy_document;
mod query;
pub mod recorder;
pub mod request;
pub mod response;
pub mod s3;
mod server;
mod store;
pub mod sts;
pub mod table;
pub mod tagging;
pub mod timing;
pub mod world;

pub use control::{Control, Effect, Fault, Moment, Occurrence, Recorded, Recording};
pub use emulator::{Emulator, Options};
pub use request::Service;
pub use timing::Timing;
pub use world::World;
