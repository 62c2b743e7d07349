//! From one YAML file to a working EKK logging stack on AWS.
//!
//! A command is a pipeline of five values, `Spec -> Desired`, `Live`, `Plan`, `Report`; each arrow is one module with
//! one public function. Only [`aws`], [`opensearch`], [`resource`], `read`, `preflight`, `apply` and `wait` touch AWS;
//! everything between is synchronous Rust on plain data.

pub mod aws;
pub mod error;
pub mod plan;
pub mod policy;
pub mod resource;
pub mod retry;
pub mod stack;
pub mod strays;
pub mod target;
pub mod wait;
