//! From one YAML file to a working EKK logging stack on AWS.
//!
//! A command is a pipeline of five values, `Spec -> Desired`, `Live`, `Plan`, `Report`; each arrow is one module with
//! one public function. Only [`aws`], [`opensearch`], [`resource`], `read`, `preflight`, `apply` and `wait` touch AWS;
//! everything between is synchronous Rust on plain data.

pub mod cli;
pub mod command;

pub mod spec;

pub mod target;

pub mod stack;

pub mod resolve;

pub mod read;

pub mod plan;

pub mod preflight;

pub mod guard;

pub mod apply;

pub mod wait;

pub mod render;

pub mod resource;

pub mod policy;
pub mod strays;
pub mod tagged;

pub mod located;
pub mod newest;
pub mod overview;
pub mod records;
pub mod ship;

pub mod backup;
pub mod error_log;
pub mod objects;
pub mod replay;
pub mod verify;

pub mod doctor;

pub mod aws;
pub mod opensearch;
pub mod retry;

pub mod dashboards;
pub mod local;
pub mod losses;

pub mod bytes;
pub mod error;
