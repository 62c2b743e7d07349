//! The index pattern (a saved object of Dashboards or Kibana) in the global tenant. Only its title and its time field
//! are ekk's: formatting and fields are the user's, and never overwritten.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::Session;
use crate::error::{Error, Result};
use crate::opensearch::{Cause, DataPlane, Engine, Found, Path, Reach, names_inside};
use crate::plan::{Step, Work};
use crate::resource::index_template::{adopted_pattern, note_adopted_pattern};
use crate::resource::{
    Condition, Goal, HazardNote, Kind, Manage, Managed, Observed, Owner, Read, Readiness, Settings, Verdict, within,
};
use crate::stack::Names;

/// The index pattern as ekk manages it. The user's own formatting and the `fields` that Dashboards adds are not ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexPatternSettings {
    /// Such as `logging-test-*`.
    pub title: String,
    /// The time field.
    pub time_field: String,
    /// Whether any pattern is the default one. Wanted true: where there is none, ekk's becomes it.
    pub some_default: bool,
}

/// What Dashboards assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IndexPatternFacts {
    /// The saved object's id: `ekk-<stack>`, or that of an adopted pattern.
    pub id: String,
}

impl Settings for IndexPatternSettings {
    const KIND: Kind = Kind::IndexPattern;

    type Facts = IndexPatternFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::IndexPattern(step)
    }
}

impl Manage for IndexPatternSettings {
    async fn read(session: &Session, names: &Names) -> Result<Read<Self>> {
        let names = names_inside(session, names).await?;
        let plane = match DataPlane::reach(session, &names).await? {
            Reach::Absent => return Ok(Read::Absent),
            Reach::Unknown(why) => return Ok(Read::Unknown(why)),
            Reach::Ready(plane) => plane,
        };
        let (own, default) =
            futures_util::try_join!(plane.get(object(plane.engine(), &names.index_pattern), &[]), default(&plane))?;
        let some_default = match default {
            Default::None => false,
            Default::Is(_) => true,
            Default::Unknown(why) => return Ok(Read::Unknown(why)),
        };
        match own {
            Found::Unknown(why) => Ok(Read::Unknown(why)),
            Found::Present(object) => Ok(Read::Present(Box::new(observed(&object, some_default, Owner::Ours)))),
            Found::Absent => find_by_title(&plane, &names, some_default).await,
        }
    }

    async fn can_be_known(session: &Session, names: &Names) -> Result<()> {
        let names = names_inside(session, names).await?;
        match DataPlane::reach(session, &names).await? {
            Reach::Ready(plane) => {
                plane.has_dashboards().await.map_err(|error| named(&names, error))?;
                let pattern = object(plane.engine(), &names.index_pattern);
                plane.lets_in(pattern).await.map_err(|error| named(&names, error))
            }
            Reach::Absent | Reach::Unknown(_) => Ok(()),
        }
    }

    async fn create(session: &Session, names: &Names, after: &Managed<Self>) -> Result<()> {
        let names = names_inside(session, names).await?;
        let plane = DataPlane::answering(session, &names, Kind::IndexPattern, probe).await?;
        let Managed { settings, tags: _ } = after;
        let path = object(plane.engine(), &names.index_pattern);
        match plane.post(path.clone(), &attributes(settings)).await {
            Ok(_) => {}
            // The id is ekk's own: a lost answer, or a run that was killed after this call. `overwrite` would be
            // ignored as a query parameter, and would take the user's formatting with it.
            Err(refusal) if refusal.cause == Cause::Conflict => {
                plane.put(path, &attributes(settings)).await.map_err(|refusal| named(&names, refusal.error))?;
            }
            Err(refusal) => return Err(named(&names, refusal.error)),
        }
        make_default_where_none_is(&plane, &names, settings, &names.index_pattern).await
    }

    async fn update(
        session: &Session,
        names: &Names,
        before: &Observed<Self>,
        after: &Managed<Self>,
        pointers: &[String],
    ) -> Result<()> {
        let names = names_inside(session, names).await?;
        let plane = DataPlane::answering(session, &names, Kind::IndexPattern, probe).await?;
        let Managed { settings, tags: _ } = after;
        let id = &before.facts.id;
        if *id != names.index_pattern && before.owner != Owner::Ours {
            note_adopted_pattern(&plane, &names, id).await.map_err(|error| named(&names, error))?;
        }
        if pointers.iter().any(|pointer| within(pointer, "/title") || within(pointer, "/time_field")) {
            // PUT merges attributes, so what is not sent stays as the user left it.
            let put = plane.put(object(plane.engine(), id), &attributes(settings)).await;
            put.map_err(|refusal| named(&names, refusal.error))?;
        }
        make_default_where_none_is(&plane, &names, settings, id).await
    }

    async fn delete(session: &Session, names: &Names, before: &Observed<Self>) -> Result<()> {
        let names = names_inside(session, names).await?;
        match DataPlane::reach(session, &names).await? {
            Reach::Absent => return Ok(()),
            Reach::Unknown(_) | Reach::Ready(_) => {}
        }
        let plane = DataPlane::answering(session, &names, Kind::IndexPattern, probe).await?;
        let id = &before.facts.id;
        // The default first: killed in between, the next run still sees a pattern to delete, while a default that
        // points at nothing would be seen by nobody.
        match default(&plane).await? {
            Default::Is(default) if default == *id => set_default(&plane, &Value::Null).await,
            Default::Is(_) | Default::None | Default::Unknown(_) => Ok(()),
        }
        .map_err(|error| named(&names, error))?;
        plane.delete(object(plane.engine(), id)).await.map_err(|refusal| named(&names, refusal.error))
    }

    async fn readiness(session: &Session, names: &Names, goal: Goal) -> Result<Readiness> {
        Ok(match (goal, Self::read(session, names).await?) {
            (Goal::InForce, Read::Present(_)) | (Goal::Gone, Read::Absent) => Readiness::Ready,
            (Goal::InForce, Read::Absent) => Readiness::pending("waiting for the pattern to be visible"),
            // One of the same title that is not ours stays.
            (Goal::Gone, Read::Present(observed)) => match observed.owner {
                Owner::Ours => Readiness::pending("waiting for the pattern to be gone"),
                Owner::Nobody | Owner::Other { .. } => Readiness::Ready,
            },
            (Goal::InForce | Goal::Gone, Read::Unknown(why)) => Readiness::pending(why),
        })
    }
}

const TYPE: &str = "index-pattern";

fn object(engine: Engine, id: &str) -> Path {
    engine.dashboards(&["api", "saved_objects", TYPE, id])
}

fn probe(engine: Engine, names: &Names) -> Path {
    object(engine, &names.index_pattern)
}

fn attributes(settings: &IndexPatternSettings) -> Value {
    let IndexPatternSettings { title, time_field, some_default: _ } = settings;
    json!({"attributes": {"title": title, "timeFieldName": time_field}})
}

fn named(names: &Names, error: Error) -> Error {
    error.context(format!("index pattern {}", names.index_pattern_title))
}

fn observed(object: &Value, some_default: bool, owner: Owner) -> Observed<IndexPatternSettings> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attributes = &object["attributes"];
    Observed {
        settings: IndexPatternSettings {
            title: text(&attributes["title"]),
            time_field: text(&attributes["timeFieldName"]),
            some_default,
        },
        facts: IndexPatternFacts { id: text(&object["id"]) },
        tags: std::collections::BTreeMap::new(),
        owner,
        condition: Condition::Settled,
    }
}

/// Looks for a pattern of our title under another id. It is not ours unless it was adopted.
async fn find_by_title(plane: &DataPlane<'_>, names: &Names, some_default: bool) -> Result<Read<IndexPatternSettings>> {
    let adopted = adopted_pattern(plane, names).await?;
    if let Some(id) = &adopted {
        match plane.get(object(plane.engine(), id), &[]).await? {
            Found::Present(object) => return Ok(Read::Present(Box::new(observed(&object, some_default, Owner::Ours)))),
            Found::Unknown(why) => return Ok(Read::Unknown(why)),
            Found::Absent => {}
        }
    }
    let path = plane.engine().dashboards(&["api", "saved_objects", "_find"]);
    let mut page = 1;
    loop {
        // All titles are fetched, since `search` takes a query language in which `*` and `-` mean something.
        let number = page.to_string();
        let size = PER_PAGE.to_string();
        let query =
            [("type", TYPE), ("fields", "title"), ("fields", "timeFieldName"), ("page", &number), ("per_page", &size)];
        let answer = match plane.get(path.clone(), &query).await? {
            Found::Present(answer) => answer,
            Found::Absent => return Ok(Read::Absent),
            Found::Unknown(why) => return Ok(Read::Unknown(why)),
        };
        let objects = answer["saved_objects"].as_array().map(Vec::as_slice).unwrap_or_default();
        let same = objects.iter().find(|object| object["attributes"]["title"] == names.index_pattern_title.as_str());
        if let Some(object) = same {
            return Ok(Read::Present(Box::new(observed(object, some_default, Owner::Nobody))));
        }
        let total = answer["total"].as_u64().unwrap_or_default();
        if objects.is_empty() || page * PER_PAGE >= total {
            return Ok(Read::Absent);
        }
        page += 1;
    }
}

/// Dashboards answers at most 10,000 objects in one page.
const PER_PAGE: u64 = 1000;

/// The default index pattern of the tenant.
enum Default {
    None,
    Is(String),
    Unknown(String),
}

async fn default(plane: &DataPlane<'_>) -> Result<Default> {
    Ok(match plane.get(plane.engine().dashboards_settings(), &[]).await? {
        Found::Present(answer) => match answer["settings"]["defaultIndex"]["userValue"].as_str() {
            Some(id) if !id.is_empty() => Default::Is(id.to_owned()),
            Some(_) | None => Default::None,
        },
        Found::Absent => Default::None,
        Found::Unknown(why) => Default::Unknown(why),
    })
}

async fn set_default(plane: &DataPlane<'_>, id: &Value) -> Result<()> {
    plane.post(plane.engine().dashboards_settings(), &json!({"changes": {"defaultIndex": id}})).await?;
    Ok(())
}

/// Makes `id` the default pattern where there is none at this moment, whatever the plan saw.
async fn make_default_where_none_is(
    plane: &DataPlane<'_>,
    names: &Names,
    settings: &IndexPatternSettings,
    id: &str,
) -> Result<()> {
    if !settings.some_default {
        return Ok(());
    }
    match default(plane).await? {
        Default::Is(_) => Ok(()),
        Default::None => set_default(plane, &json!(id)).await.map_err(|error| named(names, error)),
        Default::Unknown(why) => Err(named(names, Error::failed(why))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_title_and_time_field_are_read_and_sent() {
        let object = json!({
            "id": "ekk-logs",
            "type": "index-pattern",
            "version": "WzIsMV0=",
            "attributes": {
                "title": "logs-*",
                "timeFieldName": "asctime",
                "fields": "[{\"name\":\"asctime\"}]",
                "fieldFormatMap": "{\"bytes\":{\"id\":\"bytes\"}}",
            },
        });
        let observed = observed(&object, true, Owner::Ours);
        let settings =
            IndexPatternSettings { title: "logs-*".into(), time_field: "asctime".into(), some_default: true };
        assert_eq!(observed.settings, settings);
        assert_eq!(observed.facts.id, "ekk-logs");
        assert_eq!(attributes(&settings), json!({"attributes": {"title": "logs-*", "timeFieldName": "asctime"}}));
    }
}
