//! Security Token Service: who calls.

use crate::{
    request::{Request, decode_pairs},
    response::{self, Response},
    world::Context,
};

/// The operation that the form names.
pub(crate) fn operation(request: &Request) -> String {
    decode_pairs(std::str::from_utf8(&request.body).unwrap_or_default())
        .into_iter()
        .find(|(key, _)| key == "Action")
        .map(|(_, value)| value)
        .unwrap_or_default()
}

pub(crate) fn handle(context: &Context<'_>, request: &Request) -> Response {
    if request.operation != "GetCallerIdentity" {
        return response::unknown_operation(request);
    }
    Response::xml(
        200,
        &format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>{}</Arn><UserId>AIDAEMULATEDLOCALUSER</UserId><Account>{}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
            context.caller_arn(&request.region),
            context.account,
            request.id
        ),
    )
}
