//! OpenSearch Service: domains, and the way to what is inside them. Changes take their time: a domain goes through
//! stages of [`crate::Timing::domain_stage`] each, and what it is until then is what it was before.

mod domain;
mod endpoint;
mod instance_types;
mod options;
mod versions;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use domain::{Domain, ValidationFailure};
pub(crate) use endpoint::{denies, engine, handle as handle_domain, handle_browser, is_master};

use crate::{
    clock::after,
    dashboards, engine as inside_domain,
    request::{DomainPath, Request, decode},
    response::{self, Failure, Response},
    table::{Stored, Table},
    world::{Context, Permission, World},
};
use domain::{Change, ChangeKind, DryRun, OptionDates, Progress, Upgrade};
use instance_types::InstanceType;
use options::{Deployment, Options, Place, refuse};

/// Domains and what is inside them.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Domains by region and name, `REGION/NAME`.
    pub domains: Table<Domain>,
    /// Indexes, documents and templates.
    pub inside: inside_domain::Data,
    /// Saved objects and settings of Dashboards.
    pub dashboards: dashboards::Data,
    /// Domains (`REGION/NAME`) whose next validation fails, and how. For tests; not kept over a restart.
    pub failing_validations: BTreeMap<String, ValidationFailure>,
    /// Domains (`REGION/NAME`) that answer every request with a status. For tests; not kept over a restart.
    pub unavailable: BTreeMap<String, u16>,
}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        let Self { domains, inside, dashboards, failing_validations: _, unavailable: _ } = self;
        let mut tables: Vec<(&'static str, &mut dyn Stored)> = vec![("opensearch.domains", domains)];
        tables.extend(inside.tables());
        tables.extend(dashboards.tables());
        tables
    }

    /// The domain of an ARN, with its key.
    #[must_use]
    pub fn by_arn(&self, arn: &str) -> Option<(&String, &Domain)> {
        self.domains.iter().find(|(_, domain)| domain.arn == arn)
    }
}

/// The domains of a region by ARN, with their tags, for the Resource Groups Tagging API.
pub(crate) fn tagged(world: &World, _context: &Context<'_>, region: &str) -> Vec<(String, BTreeMap<String, String>)> {
    world
        .opensearch
        .domains
        .with_prefix(&format!("{region}/"))
        .map(|(_, domain)| (domain.arn.clone(), domain.tags.clone()))
        .collect()
}

/// The operation that a request names.
pub(crate) fn operation(request: &Request) -> String {
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let operation = match (request.method.as_str(), &segments[..]) {
        ("POST", ["2021-01-01", "opensearch", "domain"]) => "CreateDomain",
        ("GET", ["2021-01-01", "opensearch", "domain", _]) => "DescribeDomain",
        ("DELETE", ["2021-01-01", "opensearch", "domain", _]) => "DeleteDomain",
        ("POST", ["2021-01-01", "opensearch", "domain-info"]) => "DescribeDomains",
        ("GET", ["2021-01-01", "opensearch", "domain", _, "config"]) => "DescribeDomainConfig",
        ("POST", ["2021-01-01", "opensearch", "domain", _, "config"]) => "UpdateDomainConfig",
        ("POST", ["2021-01-01", "opensearch", "domain", _, "config", "cancel"]) => "CancelDomainConfigChange",
        ("GET", ["2021-01-01", "opensearch", "domain", _, "dryRun"]) => "DescribeDryRunProgress",
        ("GET", ["2021-01-01", "opensearch", "domain", _, "progress"]) => "DescribeDomainChangeProgress",
        ("GET", ["2021-01-01", "domain"]) => "ListDomainNames",
        ("GET", ["2021-01-01", "tags"]) => "ListTags",
        ("POST", ["2021-01-01", "tags"]) => "AddTags",
        ("POST", ["2021-01-01", "tags-removal"]) => "RemoveTags",
        ("GET", ["2021-01-01", "opensearch", "versions"]) => "ListVersions",
        ("GET", ["2021-01-01", "opensearch", "compatibleVersions"]) => "GetCompatibleVersions",
        ("POST", ["2021-01-01", "opensearch", "upgradeDomain"]) => "UpgradeDomain",
        ("GET", ["2021-01-01", "opensearch", "upgradeDomain", _, "status"]) => "GetUpgradeStatus",
        ("GET", ["2021-01-01", "opensearch", "upgradeDomain", _, "history"]) => "GetUpgradeHistory",
        ("GET", ["2021-01-01", "opensearch", "instanceTypeDetails", _]) => "ListInstanceTypeDetails",
        ("GET", ["2021-01-01", "opensearch", "instanceTypeLimits", _, _]) => "DescribeInstanceTypeLimits",
        _ => "",
    };
    operation.to_owned()
}

pub(crate) fn permissions(_world: &World, context: &Context<'_>, request: &Request) -> Vec<Permission> {
    if let Some(path) = DomainPath::read(&request.path) {
        let resource = context.arn("es", path.region, &format!("domain/{}{}", path.name, path.rest));
        return vec![Permission::new(format!("es:{}", request.operation), resource)];
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let named = body.get("DomainName").and_then(Value::as_str).or(match &segments[..] {
        [_, "opensearch", "domain" | "upgradeDomain", name, ..] => Some(name),
        _ => None,
    });
    let by_arn = body.get("ARN").and_then(Value::as_str).or_else(|| request.query("arn"));
    let resource = match (named, by_arn) {
        (Some(name), _) => context.arn("es", &request.region, &format!("domain/{name}")),
        (None, Some(arn)) => arn.to_owned(),
        (None, None) => "*".to_owned(),
    };
    let mut permissions = vec![Permission::new(format!("es:{}", request.operation), &resource)];
    let tags = body.get("TagList").and_then(Value::as_array).is_some_and(|tags| !tags.is_empty());
    if request.operation == "CreateDomain" && tags {
        permissions.push(Permission::new("es:AddTags", resource));
    }
    permissions
}

pub(crate) fn handle(world: &mut World, context: &Context<'_>, request: &Request) -> Response {
    let call = match Call::read(request) {
        Ok(call) => call,
        Err(failure) => return failure.answer(request),
    };
    let result = match request.operation.as_str() {
        "CreateDomain" => create_domain(world, context, &call),
        "DescribeDomain" => describe_domain(world, context, &call),
        "DescribeDomains" => describe_domains(world, context, &call),
        "DescribeDomainConfig" => describe_domain_config(world, context, &call),
        "UpdateDomainConfig" => update_domain_config(world, context, &call),
        "CancelDomainConfigChange" => cancel_domain_config_change(world, context, &call),
        "DescribeDryRunProgress" => describe_dry_run_progress(world, context, &call),
        "DescribeDomainChangeProgress" => describe_domain_change_progress(world, context, &call),
        "DeleteDomain" => delete_domain(world, context, &call),
        "ListDomainNames" => list_domain_names(world, &call),
        "ListTags" => list_tags(world, &call),
        "AddTags" => add_tags(world, &call),
        "RemoveTags" => remove_tags(world, &call),
        "ListVersions" => list_versions(&call),
        "GetCompatibleVersions" => get_compatible_versions(world, &call),
        "UpgradeDomain" => upgrade_domain(world, context, &call),
        "GetUpgradeStatus" => get_upgrade_status(world, context, &call),
        "GetUpgradeHistory" => get_upgrade_history(world, context, &call),
        "ListInstanceTypeDetails" => list_instance_type_details(&call),
        "DescribeInstanceTypeLimits" => describe_instance_type_limits(&call),
        _ => return response::unknown_operation(request),
    };
    match result {
        Ok(body) => Response::json(200, &body),
        Err(failure) => failure.answer(request),
    }
}

/// Whether a request to a domain's own address changes anything there.
pub(crate) fn domain_request_is_write(request: &Request) -> bool {
    const READING_POSTS: [&str; 8] =
        ["_search", "_count", "_msearch", "_mget", "_analyze", "_field_caps", "_simulate", "_bulk_get"];
    match request.method.as_str() {
        "GET" | "HEAD" => false,
        "POST" => !request.path.split('/').any(|segment| READING_POSTS.contains(&segment)),
        _ => true,
    }
}

/// The action of a request to a domain's own address, such as `ESHttpPut`.
pub(crate) fn domain_operation(request: &Request) -> String {
    let method = request.method.as_str();
    let (first, rest) = method.split_at(1.min(method.len()));
    format!("ESHttp{first}{}", rest.to_lowercase())
}

/// Whether a request asks only what a change would do.
pub(crate) fn is_dry_run(request: &Request) -> bool {
    request.operation == "UpdateDomainConfig"
        && serde_json::from_slice::<Value>(&request.body)
            .is_ok_and(|body| body.get("DryRun") == Some(&Value::Bool(true)))
}

/// Lets time pass: upgrades end, deleted domains go.
pub(crate) fn tick(world: &mut World, context: &Context<'_>) {
    let mut gone = Vec::new();
    let mut upgraded = Vec::new();
    for (key, domain) in &world.opensearch.domains {
        if domain.is_gone(context) {
            gone.push(key.clone());
        }
        if let ChangeKind::Upgrade { to } = domain.change.kind
            && domain.version != to
            && domain.change.progress(context.now) == Progress::Completed
        {
            upgraded.push((key.clone(), to));
        }
    }
    for key in gone {
        world.opensearch.domains.remove(&key);
    }
    for (key, to) in upgraded {
        if let Some(domain) = world.opensearch.domains.get_mut(&key) {
            domain.version = to;
        }
    }
}

/// A request to the control plane.
struct Call<'r> {
    request: &'r Request,
    region: &'r str,
    body: Map<String, Value>,
    segments: Vec<String>,
}

impl<'r> Call<'r> {
    fn read(request: &'r Request) -> Result<Self, Failure> {
        let body = if request.body.is_empty() {
            Map::new()
        } else {
            match serde_json::from_slice(&request.body) {
                Ok(Value::Object(body)) => body,
                Ok(_) | Err(_) => {
                    return Err(Failure::new(400, "SerializationException", "The body is not a JSON object"));
                }
            }
        };
        let segments = request.path.trim_matches('/').split('/').map(decode).collect();
        Ok(Self { request, region: &request.region, body, segments })
    }

    fn segment(&self, at: usize) -> &str {
        self.segments.get(at).map_or("", String::as_str)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key)?.as_str()
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.region)
    }

    fn domain<'w>(&self, world: &'w mut World, name: &str) -> Result<&'w mut Domain, Failure> {
        world.opensearch.domains.get_mut(&self.key(name)).ok_or_else(|| not_found(name))
    }
}

// "Not found" is a conflict here (API reference, errors of every operation on a domain).
fn not_found(name: &str) -> Failure {
    Failure::new(409, "ResourceNotFoundException", format!("Domain not found: {name}"))
}

const CREATION_STAGES: [&str; 6] = [
    "Validation",
    "Creating a new environment",
    "Provisioning new nodes",
    "Configuring access",
    "Traffic routing on new nodes",
    "Finishing the creation",
];
/// OpenSearch Service guide, stages of a configuration change.
const BLUE_GREEN_STAGES: [&str; 7] = [
    "Validation",
    "Creating a new environment",
    "Provisioning new nodes",
    "Traffic routing on new nodes",
    "Copying shards to new nodes",
    "Terminating nodes",
    "Deleting older resources",
];
const DYNAMIC_STAGES: [&str; 2] = ["Validation", "Dynamic update"];

fn new_change(context: &Context<'_>, kind: ChangeKind, stages: &[&str], before: Options) -> Change {
    Change {
        id: uuid::Uuid::new_v4().to_string(),
        kind,
        started: context.now,
        stage_length: context.timing.domain_stage,
        stages: stages.iter().map(|name| (*name).to_owned()).collect(),
        before,
        failure: None,
        cancelled: None,
        shown: false,
    }
}

fn create_domain(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.text("DomainName").unwrap_or_default();
    let key = call.key(name);
    if let Some(existing) = world.opensearch.domains.get_mut(&key) {
        match existing.deleting_since {
            // By the clock it may be gone already, though nobody has looked since.
            Some(since)
                if context.now < after(since, context.timing.domain_delete)
                    || context.timing.domain_delete.is_zero() && !existing.shown.deletion =>
            {
                existing.shown.deletion = true;
                return refuse("Domain is still being deleted");
            }
            Some(_) => {
                world.opensearch.domains.remove(&key);
            }
            // A name that is taken is no error: the answer describes the domain as it is (OpenSearch Service guide,
            // creating domains).
            None => return Ok(json!({"DomainStatus": existing.status(context)})),
        }
    }
    let wanted = call.text("EngineVersion").unwrap_or(versions::NEWEST);
    let Some(version) = versions::known(wanted) else {
        return refuse(format!("Invalid engine version: {wanted}"));
    };
    if !versions::is_emulated(version) {
        return refuse(format!("the local AWS has no engine for {version}, only OpenSearch and Elasticsearch 7"));
    }
    let mut request = options::read(&call.body, &["DomainName", "EngineVersion", "TagList"])?;
    let master_user = take_master_user(&mut request)?;
    let tags = read_tags(call.body.get("TagList"))?;
    check_tag_count(tags.len())?;
    let mut all = options::defaults(version);
    options::merge(&mut all, &request);
    options::check_volume(&all, &request)?;
    options::complete(world, context, Place { region: call.region, version }, &mut all)?;
    let mut change = new_change(context, ChangeKind::Create, &CREATION_STAGES, all.clone());
    change.failure = world.opensearch.failing_validations.remove(&key);
    let endpoint_at = change.failure.is_none().then(|| after(change.end(), context.timing.endpoint_delay));
    let mut domain = Domain {
        name: name.to_owned(),
        region: call.region.to_owned(),
        arn: context.arn("es", call.region, &format!("domain/{name}")),
        version,
        tags,
        created: context.now,
        options: all,
        option_dates: BTreeMap::new(),
        change,
        endpoint_at,
        dashboards_at: endpoint_at.map(|at| after(at, context.timing.dashboards_delay)),
        shown: domain::Shown::default(),
        deleting_since: None,
        master_user,
        upgrades: Vec::new(),
        dry_run: None,
    };
    let status = domain.status(context);
    // The answer to the creation itself is not the one read that a state is shown to.
    domain.change.shown = false;
    domain.shown = domain::Shown::default();
    world.opensearch.domains.insert(key, domain);
    Ok(json!({"DomainStatus": status}))
}

fn take_master_user(request: &mut Options) -> Result<Option<Value>, Failure> {
    let Some(security) = request.get_mut("AdvancedSecurityOptions").and_then(Value::as_object_mut) else {
        return Ok(None);
    };
    if security.get("Enabled") == Some(&json!(true)) {
        options::check_master_user(security)?;
    }
    Ok(security.remove("MasterUserOptions"))
}

fn describe_domain(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let domain = call.domain(world, call.segment(3))?;
    Ok(json!({"DomainStatus": domain.status(context)}))
}

fn describe_domains(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let names = call.body.get("DomainNames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if names.len() > 5 {
        return refuse("Please provide a maximum of 5 domain names to describe.");
    }
    let mut found = Vec::new();
    for name in names.iter().filter_map(Value::as_str) {
        if let Some(domain) = world.opensearch.domains.get_mut(&call.key(name)) {
            found.push(domain.status(context));
        }
    }
    Ok(json!({"DomainStatusList": found}))
}

fn describe_domain_config(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let domain = call.domain(world, call.segment(3))?;
    Ok(json!({"DomainConfig": domain.config(context)}))
}

fn update_domain_config(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.segment(3).to_owned();
    let key = call.key(&name);
    let mut request = options::read(&call.body, &["DomainName", "DryRun", "DryRunMode", "AcceptedWarnings"])?;
    let dry_run = call.body.get("DryRun") == Some(&json!(true));
    let mode = match call.text("DryRunMode") {
        None | Some("Basic") => DryRunMode::Basic,
        Some(_) => DryRunMode::Verbose,
    };
    let master_user = take_master_user(&mut request)?;
    let domain = call.domain(world, &name)?;
    if domain.deleting_since.is_some() {
        return refuse("Domain is being deleted");
    }
    let busy = domain.is_busy(context.now);
    if busy && !dry_run {
        return refuse(
            "A change/update is in progress. Please wait for it to complete before requesting another change.",
        );
    }
    let before = domain.options.clone();
    let place_version = domain.version;
    let mut after_change = before.clone();
    options::merge(&mut after_change, &request);
    options::check_volume(&after_change, &request)?;
    // Whether Auto-Tune can be on follows from the instance type, unless the request speaks of it.
    if !request.contains_key("AutoTuneOptions")
        && options::instance_type(&before) != options::instance_type(&after_change)
    {
        after_change.remove("AutoTuneOptions");
    }
    options::check_transition(&before, &after_change)?;
    options::complete(world, context, Place { region: call.region, version: place_version }, &mut after_change)?;
    let deployment = options::deployment(&before, &after_change);
    let failure = if dry_run && mode == DryRunMode::Verbose || !dry_run && deployment != Deployment::None {
        world.opensearch.failing_validations.remove(&key)
    } else {
        None
    };
    let domain = call.domain(world, &name)?;
    if dry_run {
        let (kind, message) = if busy {
            ("Undetermined", "The domain is in the middle of an update. Try again after the update is complete.")
        } else {
            (deployment.name(), deployment.message())
        };
        let mut answer = json!({
            "DomainConfig": domain.config(context),
            "DryRunResults": {"DeploymentType": kind, "Message": message},
        });
        if mode == DryRunMode::Verbose {
            let dry_run = DryRun {
                id: uuid::Uuid::new_v4().to_string(),
                started: context.now,
                length: context.timing.domain_stage,
                deployment: kind.to_owned(),
                message: message.to_owned(),
                options: after_change,
                failure,
            };
            answer["DryRunProgressStatus"] = dry_run.status(context.now);
            domain.dry_run = Some(dry_run);
        }
        return Ok(answer);
    }
    if master_user.is_some() {
        domain.master_user = master_user;
    }
    let stages: &[&str] = match deployment {
        Deployment::None => return Ok(json!({"DomainConfig": domain.config(context)})),
        Deployment::DynamicUpdate => &DYNAMIC_STAGES,
        Deployment::BlueGreen => &BLUE_GREEN_STAGES,
    };
    for changed in options::changes(&before, &after_change) {
        let option = changed.name.split('.').next().unwrap_or_default().to_owned();
        let dates = domain.option_dates.entry(option).or_insert_with(|| OptionDates {
            created: domain.created,
            updated: domain.created,
            version: 1,
        });
        if dates.updated != context.now {
            dates.updated = context.now;
            dates.version += 1;
        }
    }
    domain.change = new_change(context, ChangeKind::Update, stages, before);
    domain.change.failure = failure;
    domain.options = after_change;
    let config = domain.config(context);
    domain.change.shown = false;
    Ok(json!({"DomainConfig": config}))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DryRunMode {
    Basic,
    Verbose,
}

fn cancel_domain_config_change(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.segment(3).to_owned();
    let domain = call.domain(world, &name)?;
    let dry_run = call.body.get("DryRun") == Some(&json!(true));
    let cancellable = domain.change.kind == ChangeKind::Update
        && matches!(domain.change.progress(context.now), Progress::Failed | Progress::Running { stage: 0 });
    if !cancellable {
        return Err(Failure::new(
            409,
            "DisabledOperationException",
            "There is no change on this domain that can be cancelled",
        ));
    }
    let properties: Vec<Value> = options::changes(&domain.change.before, &domain.options)
        .into_iter()
        .map(|change| {
            json!({
                "PropertyName": change.name,
                "CancelledValue": change.after.to_string(),
                "ActiveValue": change.before.to_string(),
            })
        })
        .collect();
    let ids = json!([domain.change.id]);
    if !dry_run {
        domain.options = domain.change.before.clone();
        domain.change.cancelled = Some(context.now);
    }
    Ok(json!({"CancelledChangeIds": ids, "CancelledChangeProperties": properties, "DryRun": dry_run}))
}

fn describe_dry_run_progress(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.segment(3).to_owned();
    let domain = call.domain(world, &name)?;
    let wanted = call.request.query("dryRunId");
    let Some(dry_run) = domain.dry_run.clone().filter(|one| wanted.is_none_or(|id| id == one.id)) else {
        return Err(Failure::new(409, "ResourceNotFoundException", format!("There is no dry run of domain {name}")));
    };
    let mut answer = json!({
        "DryRunProgressStatus": dry_run.status(context.now),
        "DryRunResults": {"DeploymentType": dry_run.deployment, "Message": dry_run.message},
    });
    if call.request.query("loadDryRunConfig") == Some("true") {
        let mut config = domain.status(context);
        for (option, value) in dry_run.options {
            config[option] = value;
        }
        answer["DryRunConfig"] = config;
    }
    Ok(answer)
}

fn describe_domain_change_progress(
    world: &mut World,
    context: &Context<'_>,
    call: &Call<'_>,
) -> Result<Value, Failure> {
    let name = call.segment(3).to_owned();
    let domain = call.domain(world, &name)?;
    if let Some(id) = call.request.query("changeid")
        && id != domain.change.id
    {
        return refuse(format!("There is no change {id} of domain {name}"));
    }
    Ok(json!({"ChangeProgressStatus": domain.change_progress(context.now)}))
}

fn delete_domain(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.segment(3).to_owned();
    let domain = call.domain(world, &name)?;
    domain.deleting_since.get_or_insert(context.now);
    let shown = domain.shown;
    let status = domain.status(context);
    domain.shown = shown;
    let scope = domain.scope();
    // Data goes at once, and snapshots with it.
    world.opensearch.inside.delete_domain(&scope);
    world.opensearch.dashboards.delete_domain(&scope);
    Ok(json!({"DomainStatus": status}))
}

fn list_domain_names(world: &World, call: &Call<'_>) -> Result<Value, Failure> {
    let wanted = call.request.query("engineType");
    let names: Vec<Value> = world
        .opensearch
        .domains
        .with_prefix(&format!("{}/", call.region))
        .map(|(_, domain)| {
            let version = domain.version.to_string();
            json!({"DomainName": domain.name, "EngineType": version.split('_').next()})
        })
        .filter(|one| wanted.is_none_or(|kind| one["EngineType"] == kind))
        .collect();
    Ok(json!({"DomainNames": names}))
}

fn list_tags(world: &World, call: &Call<'_>) -> Result<Value, Failure> {
    let arn = call.request.query("arn").unwrap_or_default();
    let Some((_, domain)) = world.opensearch.by_arn(arn) else {
        return Err(not_found(arn));
    };
    let tags: Vec<Value> = domain.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"TagList": tags}))
}

fn add_tags(world: &mut World, call: &Call<'_>) -> Result<Value, Failure> {
    let tags = read_tags(call.body.get("TagList"))?;
    let domain = tagged_domain(world, call)?;
    let mut all = domain.tags.clone();
    all.extend(tags);
    check_tag_count(all.len())?;
    domain.tags = all;
    Ok(json!({}))
}

fn remove_tags(world: &mut World, call: &Call<'_>) -> Result<Value, Failure> {
    let keys = call.body.get("TagKeys").and_then(Value::as_array).into_iter().flatten();
    let domain = tagged_domain(world, call)?;
    for key in keys.filter_map(Value::as_str) {
        domain.tags.remove(key);
    }
    Ok(json!({}))
}

fn tagged_domain<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Domain, Failure> {
    let arn = call.text("ARN").unwrap_or_default();
    let key = world.opensearch.by_arn(arn).map(|(key, _)| key.clone());
    match key.and_then(|key| world.opensearch.domains.get_mut(&key)) {
        Some(domain) => Ok(domain),
        None => refuse(format!("Domain not found: {arn}")),
    }
}

fn read_tags(written: Option<&Value>) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    for tag in written.and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| tag.get(key).and_then(Value::as_str).unwrap_or_default();
        let (key, value) = (text("Key"), text("Value"));
        if key.to_lowercase().starts_with("aws:") {
            return refuse(format!("Invalid tag key: {key}"));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return refuse(format!("Duplicate tag key: {key}"));
        }
    }
    Ok(tags)
}

/// The API reference says ten, the guide fifty; the emulator takes the smaller number.
fn check_tag_count(count: usize) -> Result<(), Failure> {
    if count > 10 {
        return Err(Failure::new(409, "LimitExceededException", "A domain can have at most 10 tags"));
    }
    Ok(())
}

fn list_versions(call: &Call<'_>) -> Result<Value, Failure> {
    page(call, "Versions", versions::VERSIONS.iter().map(|name| json!(name)).collect())
}

fn page(call: &Call<'_>, member: &str, all: Vec<Value>) -> Result<Value, Failure> {
    let most: usize = match call.request.query("maxResults") {
        None => 100,
        Some(text) => text
            .parse()
            .ok()
            .filter(|most| (1..=100).contains(most))
            .map_or_else(|| refuse("maxResults must be between 1 and 100"), Ok)?,
    };
    let start: usize = match call.request.query("nextToken") {
        None => 0,
        Some(token) => token.parse().or_else(|_| refuse("Invalid nextToken"))?,
    };
    let total = all.len();
    let items: Vec<Value> = all.into_iter().skip(start).take(most).collect();
    let mut answer = json!({member: items});
    if start + most < total {
        answer["NextToken"] = json!((start + most).to_string());
    }
    Ok(answer)
}

fn get_compatible_versions(world: &mut World, call: &Call<'_>) -> Result<Value, Failure> {
    let of = |from: crate::engine::EngineVersion| {
        let targets: Vec<String> = versions::targets(from).iter().map(ToString::to_string).collect();
        json!({"SourceVersion": from.to_string(), "TargetVersions": targets})
    };
    let maps: Vec<Value> = match call.request.query("domainName") {
        Some(name) => vec![of(call.domain(world, name)?.version)],
        None => versions::VERSIONS.iter().filter_map(|name| name.parse().ok()).map(of).collect(),
    };
    Ok(json!({"CompatibleVersions": maps}))
}

fn upgrade_domain(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.text("DomainName").unwrap_or_default().to_owned();
    let target = call.text("TargetVersion").unwrap_or_default().to_owned();
    let check_only = call.body.get("PerformCheckOnly") == Some(&json!(true));
    let key = call.key(&name);
    let failure = world.opensearch.failing_validations.remove(&key);
    let domain = call.domain(world, &name)?;
    if domain.is_busy(context.now) || domain.deleting_since.is_some() {
        return refuse(
            "A change/update is in progress. Please wait for it to complete before requesting another change.",
        );
    }
    let Some(to) = versions::known(&target).filter(|to| versions::targets(domain.version).contains(to)) else {
        return refuse(format!("Domain {name} cannot be upgraded from {} to {target}", domain.version));
    };
    let upgrade = Upgrade {
        id: uuid::Uuid::new_v4().to_string(),
        from: domain.version,
        to,
        started: context.now,
        step_length: context.timing.domain_stage,
        check_only,
        failure: failure.clone(),
    };
    let mut answer = json!({
        "UpgradeId": upgrade.id,
        "DomainName": name,
        "TargetVersion": target,
        "PerformCheckOnly": check_only,
    });
    // An upgrade whose check fails never starts.
    if !check_only && failure.is_none() {
        let stages = ["Pre-upgrade check", "Snapshot", "Upgrade"];
        domain.change = new_change(context, ChangeKind::Upgrade { to }, &stages, domain.options.clone());
        let progress = domain.change.visible(context.now);
        answer["ChangeProgressDetails"] = domain.change_details(progress, context.now);
        if to.major >= 3
            && let Some(advanced) = domain.options.get_mut("AdvancedOptions").and_then(Value::as_object_mut)
        {
            advanced.remove("override_main_response_version");
            domain.change.before = domain.options.clone();
        }
    }
    domain.upgrades.push(upgrade);
    Ok(answer)
}

fn get_upgrade_status(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.segment(3).to_owned();
    let domain = call.domain(world, &name)?;
    match domain.upgrades.last() {
        Some(upgrade) => {
            let (step, status) = upgrade.step(context.now);
            Ok(json!({"UpgradeStep": step, "StepStatus": status, "UpgradeName": upgrade.name()}))
        }
        None => Err(Failure::new(409, "ResourceNotFoundException", format!("Domain {name} was never upgraded"))),
    }
}

fn get_upgrade_history(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.segment(3).to_owned();
    let histories: Vec<Value> =
        call.domain(world, &name)?.upgrades.iter().rev().map(|upgrade| upgrade.history(context.now)).collect();
    Ok(json!({"UpgradeHistories": histories}))
}

fn list_instance_type_details(call: &Call<'_>) -> Result<Value, Failure> {
    known_version(call.segment(3))?;
    let wanted = call.request.query("instanceType");
    let details = InstanceType::all()
        .into_iter()
        .filter(|one| wanted.is_none_or(|name| name == one.name()))
        .map(InstanceType::details)
        .collect();
    page(call, "InstanceTypeDetails", details)
}

fn describe_instance_type_limits(call: &Call<'_>) -> Result<Value, Failure> {
    known_version(call.segment(3))?;
    let name = call.segment(4);
    match InstanceType::read(name) {
        Some(instance_type) => Ok(instance_type.limits()),
        None => Err(Failure::new(409, "InvalidTypeException", format!("Invalid instance type: {name}"))),
    }
}

fn known_version(name: &str) -> Result<(), Failure> {
    match versions::known(name) {
        Some(_) => Ok(()),
        None => refuse(format!("Invalid engine version: {name}")),
    }
}

#[cfg(test)]
mod tests;
