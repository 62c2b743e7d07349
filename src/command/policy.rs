//! `ekk policy`: the permissions of who ships to a stack, of who looks at it, and of who looks after it.

use super::{prepare, print_json};
use crate::cli::{Policy, Talk, Who};
use crate::error::{Exit, Result};
use crate::located::Depth;
use crate::policy::{self, ReaderGrants};

/// Runs `ekk policy`.
pub(super) async fn run(args: Policy, talk: Talk) -> Result<Exit> {
    let opened = prepare::open(args.stack.as_deref(), &args.place, talk, Depth::Stream).await?;
    let target = &opened.header.target;
    let names = &opened.stack.names;
    // The names alone are enough: permissions may be written before the stack is up.
    let stream_arn = target.stream_arn(&names.stream);
    let grants = ReaderGrants {
        stream_arn: stream_arn.clone(),
        domain_arn: target.domain_arn(&names.domain),
        bucket_arn: target.bucket_arn(&names.bucket),
        log_group_arn: target.log_group_arn(&names.log_group),
    };
    let document = match args.who {
        Who::Producer => policy::producer(&stream_arn),
        Who::Reader => policy::reader(&grants),
        Who::Operator => policy::operator(&grants),
    };
    print_json(&document)?;
    Ok(Exit::Done)
}
