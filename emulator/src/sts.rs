//! Security Token Service: who calls.

use crate::{
    query::{self, Form, element},
    request::Request,
    response::{self, Response},
    world::Context,
};

/// The operation that the form names.
pub(crate) fn operation(request: &Request) -> String {
    Form::read(request).get("Action").unwrap_or_default().to_owned()
}

pub(crate) fn handle(context: &Context<'_>, request: &Request) -> Response {
    if request.operation != "GetCallerIdentity" || Form::read(request).get("Version") != Some("2011-06-15") {
        return response::unknown_operation(request);
    }
    let result = element("Arn", &context.caller_arn(&request.region))
        + &element("UserId", "AIDAEMULATEDLOCALUSER")
        + &element("Account", context.account);
    query::answer(request, "https://sts.amazonaws.com/doc/2011-06-15/", Some(&result))
}
