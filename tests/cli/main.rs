//! The binary itself: whole outputs, exit codes, signals, and the local AWS in the background.

mod account;
mod dashboards;
mod files;
mod help;
mod local;
mod place;
mod refusals;
mod signals;
mod terminal;
mod trouble;
mod verbs;
