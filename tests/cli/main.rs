//! The binary itself: whole outputs, exit codes, signals, and the local AWS in the background.

mod account;
mod dashboards;
mod data_path;
mod doctor;
mod files;
mod help;
mod local;
mod place;
mod recovery;
mod refusals;
mod replay;
mod signals;
mod terminal;
mod trouble;
mod verbs;
mod verify;
