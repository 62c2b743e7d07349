//! The index template's whole life, by `ekk`'s own code.

use std::collections::BTreeMap;

use ekk::resource::index_template::{IndexTemplateSettings, TimeFormat, mappings};
use ekk::resource::{Goal, Manage as _, Managed, Observed, Owner, Read, Readiness};

use crate::engine::Engine;
use crate::stand_in::{Came, StandIn, names};

/// The template of a stack whose index is `logs`.
pub(crate) fn template() -> Managed<IndexTemplateSettings> {
    let fields = [("duration_ms", "float"), ("client.address", "ip"), ("levelname", "keyword")];
    let fields = fields.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
    Managed {
        settings: IndexTemplateSettings {
            index_patterns: ["logs".to_owned(), "logs-*".to_owned()].into(),
            priority: 100,
            shards: 1,
            replicas: 0,
            refresh_interval: Some("30s".to_owned()),
            total_fields_limit: Some(2000),
            mappings: mappings("asctime", TimeFormat::EpochSecond, &fields),
        },
        tags: BTreeMap::new(),
    }
}

/// Writes the template as `ekk up` does, and returns the request that carried it.
pub(crate) async fn write_template(engine: &Engine) -> Came {
    let stand_in = engine.domain().await;
    IndexTemplateSettings::create(&stand_in.session().await, &names(), &template()).await.expect("created");
    let mut came = stand_in.came().into_iter().find(|came| came.method == "PUT").expect("a PUT");
    came.path = came.path.trim_start_matches("/domain/logs").to_owned();
    came
}

async fn present(stand_in: &StandIn) -> Observed<IndexTemplateSettings> {
    match IndexTemplateSettings::read(&stand_in.session().await, &names()).await.expect("an answer") {
        Read::Present(observed) => *observed,
        Read::Absent => panic!("absent"),
        Read::Unknown(why) => panic!("unknown: {why}"),
    }
}

/// The pointers that differ at the top, as a plan finds them.
fn pointers(before: &IndexTemplateSettings, after: &IndexTemplateSettings) -> Vec<String> {
    let json = |settings: &IndexTemplateSettings| serde_json::to_value(settings).expect("JSON");
    let (before, after) = (json(before), json(after));
    let keys = after.as_object().expect("an object").keys();
    keys.filter(|key| before[key.as_str()] != after[key.as_str()]).map(|key| format!("/{key}")).collect()
}

pub(crate) async fn a_template_is_made_read_back_equal_changed_and_deleted(engine: &Engine) {
    let stand_in = engine.domain().await;
    let session = stand_in.session().await;
    IndexTemplateSettings::create(&session, &names(), &template()).await.expect("created");
    let before = present(&stand_in).await;
    assert_eq!(before.settings, template().settings);
    assert_eq!(before.owner, Owner::Ours);
    let ready = IndexTemplateSettings::readiness(&session, &names(), Goal::InForce).await.expect("an answer");
    assert_eq!(ready, Readiness::Ready);

    let changes: [fn(&mut IndexTemplateSettings); 6] = [
        |after| after.replicas = 1,
        |after| after.shards = 2,
        |after| after.priority = 120,
        |after| after.refresh_interval = Some("5s".to_owned()),
        |after| after.total_fields_limit = Some(3000),
        |after| after.mappings = mappings("time", TimeFormat::EpochMillis, &BTreeMap::new()),
    ];
    for change in changes {
        let before = present(&stand_in).await;
        let mut after = Managed { settings: before.settings.clone(), tags: BTreeMap::new() };
        change(&mut after.settings);
        let pointers = pointers(&before.settings, &after.settings);
        assert_eq!(pointers.len(), 1);
        IndexTemplateSettings::update(&session, &names(), &before, &after, &pointers).await.expect("updated");
        assert_eq!(present(&stand_in).await.settings, after.settings);
    }

    // Who manages less changes less.
    let before = present(&stand_in).await;
    let mut after = Managed { settings: before.settings.clone(), tags: BTreeMap::new() };
    (after.settings.refresh_interval, after.settings.replicas) = (None, 0);
    let replicas = ["/replicas".to_owned()];
    IndexTemplateSettings::update(&session, &names(), &before, &after, &replicas).await.expect("updated");
    let live = present(&stand_in).await.settings;
    assert_eq!((live.refresh_interval.as_deref(), live.replicas), (Some("5s"), 0));

    IndexTemplateSettings::delete(&session, &names(), &before).await.expect("deleted");
    IndexTemplateSettings::delete(&session, &names(), &before).await.expect("deleted again");
    let read = IndexTemplateSettings::read(&session, &names()).await.expect("an answer");
    assert_eq!(read, Read::Absent);
    let gone = IndexTemplateSettings::readiness(&session, &names(), Goal::Gone).await.expect("an answer");
    assert_eq!(gone, Readiness::Ready);
}

/// Before Elasticsearch 7.8 there are only legacy templates, and no engine as old as that is to be had.
#[tokio::test]
async fn a_legacy_template_lives_in_an_older_emulated_engine() {
    a_template_is_made_read_back_equal_changed_and_deleted(&Engine::emulated("Elasticsearch_7.4")).await;
}
