//! The `ekk` command.

fn main() {}
