//! Resource Groups Tagging API: what carries a tag in a region, over all services that it covers. IAM roles are not
//! among them.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    firehose,
    json_input::Input,
    opensearch,
    request::Request,
    response::{self, Failure, Response},
    world::{Context, Permission, World},
};

const TARGET: &str = "ResourceGroupsTaggingAPI_20170126";

/// The operation that X-Amz-Target names.
pub(crate) fn operation(request: &Request) -> String {
    request.target_operation(TARGET)
}

pub(crate) fn permissions(request: &Request) -> Vec<Permission> {
    vec![Permission::new(format!("tag:{}", request.operation), "*")]
}

pub(crate) fn handle(world: &World, context: &Context<'_>, request: &Request) -> Response {
    if request.operation != "GetResources" {
        return response::unknown_operation(request);
    }
    let input = Input::read(request, "InvalidParameterException");
    match get_resources(world, context, &request.region, &input) {
        Ok(answer) => Response::json_1_1(200, &answer),
        Err(failure) => failure.answer(request),
    }
}

fn get_resources(world: &World, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let filters = tag_filters(input);
    let kinds = kinds(input)?;
    if input.get("TagsPerPage").is_some() {
        return Err(input.refuse("the emulator does not know TagsPerPage"));
    }
    let arns = input.texts("ResourceARNList");
    if arns.is_some() && (!filters.is_empty() || !kinds.is_empty()) {
        return Err(input.refuse("ResourceARNList cannot be used with TagFilters or ResourceTypeFilters"));
    }
    // The range stands in the documentation alone.
    let per_page = match input.integer("ResourcesPerPage") {
        Some(number @ 1..=100) => usize::try_from(number).unwrap_or(1),
        Some(_) => return Err(input.refuse("ResourcesPerPage must be between 1 and 100")),
        None => 50,
    };
    let mut found: Vec<(String, BTreeMap<String, String>)> = world.s3.tagged(context, region);
    found.extend(opensearch::tagged(world, context, region));
    found.extend(firehose::tagged(world, context, region));
    found.extend(world.logs.tagged(context, region));
    // What never had a tag is not listed (Resource Groups Tagging API reference, GetResources).
    found.retain(|(arn, tags)| {
        !tags.is_empty()
            && (kinds.is_empty() || kinds.iter().any(|kind| kind.covers(arn)))
            && arns.as_ref().is_none_or(|arns| arns.contains(&arn.as_str()))
            && filters
                .iter()
                .all(|(key, values)| tags.get(key).is_some_and(|value| values.is_empty() || values.contains(value)))
    });
    found.sort();
    let skipped = match input.text("PaginationToken") {
        None | Some("") => 0,
        Some(token) => BASE64_STANDARD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
            .ok_or_else(|| Failure::new(400, "PaginationTokenExpiredException", "The pagination token is invalid."))?,
    };
    // The last page has an empty token, not none.
    let token = if found.len().saturating_sub(skipped) > per_page {
        BASE64_STANDARD.encode((skipped + per_page).to_string())
    } else {
        String::new()
    };
    let listed: Vec<Value> = found
        .into_iter()
        .skip(skipped)
        .take(per_page)
        .map(|(arn, tags)| {
            let tags: Vec<Value> = tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            json!({ "ResourceARN": arn, "Tags": tags })
        })
        .collect();
    Ok(json!({ "PaginationToken": token, "ResourceTagMappingList": listed }))
}

fn tag_filters(input: &Input) -> Vec<(String, Vec<String>)> {
    let texts =
        |values: &Value| values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let given = input.list("TagFilters").unwrap_or_default().iter();
    given.map(|filter| (filter["Key"].as_str().unwrap_or_default().to_owned(), texts(&filter["Values"]))).collect()
}

/// A resource type: `service` or `service:type`.
#[derive(Clone, Debug)]
struct Kind {
    service: String,
    resource: Option<String>,
}

impl Kind {
    fn covers(&self, arn: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, _, service, _, _, resource] = parts[..] else {
            return false;
        };
        service == self.service
            && self.resource.as_ref().is_none_or(|kind| match service {
                // A bucket's ARN has no type in it.
                "s3" => kind == "bucket",
                _ => resource.split([':', '/']).next() == Some(kind.as_str()),
            })
    }
}

fn kinds(input: &Input) -> Result<Vec<Kind>, Failure> {
    let given = input.texts("ResourceTypeFilters").unwrap_or_default();
    if given.len() > 100 {
        return Err(input.refuse("ResourceTypeFilters can have at most 100 entries"));
    }
    given
        .into_iter()
        .map(|kind| {
            let (service, resource) = match kind.split_once(':') {
                Some((service, resource)) => (service, Some(resource)),
                None => (kind, None),
            };
            if service.is_empty()
                || resource == Some("")
                || !service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            {
                return Err(input.refuse(format!("Unsupported resource type: {kind}")));
            }
            Ok(Kind { service: service.to_owned(), resource: resource.map(str::to_owned) })
        })
        .collect()
}
