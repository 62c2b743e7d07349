//! A stack as its file says it, and the live state that would be equal to it.

use std::collections::BTreeMap;

use ekk::plan::{Adopt, Plan, Verb, plan};
use ekk::resolve;
use ekk::resource::domain::DomainFacts;
use ekk::resource::role::RoleFacts;
use ekk::resource::{Condition, Managed, Observed, Owner, Read, Settings, tags_to_set};
use ekk::spec::{Source, Spec};
use ekk::stack::{Desired, Intent, Live, Names, Strays};
use ekk::target::Target;

/// A file, resolved in eu-west-1 of account 123456789012.
pub(crate) struct Stack {
    pub(crate) target: Target,
    pub(crate) names: Names,
    pub(crate) desired: Desired,
}

impl Stack {
    pub(crate) fn of(text: &str) -> Self {
        let spec = Spec::load(&Source::text("stack.yaml", text)).unwrap_or_else(|faults| panic!("{faults}")).spec;
        let target =
            Target { partition: "aws".to_owned(), region: "eu-west-1".to_owned(), account: "123456789012".to_owned() };
        let (names, desired) = resolve::resolve(&spec, &target);
        Self { target, names, desired }
    }

    pub(crate) fn article() -> Self {
        Self::of(include_str!("../../stacks/logging-test.yaml"))
    }

    /// The live state of this stack right after `up`.
    pub(crate) fn live(&self) -> Live {
        let Desired { role, bucket, log_group, domain, index_template, stream, index_pattern } = &self.desired;
        let mut live = Live {
            role: present(role),
            bucket: present(bucket),
            log_group: present(log_group),
            domain: present(domain),
            index_template: present(index_template),
            stream: present(stream),
            index_pattern: present(index_pattern),
            strays: Strays::Known(Vec::new()),
        };
        edit(&mut live.role, |role| {
            role.facts = RoleFacts { arn: self.target.role_arn("/ekk/", &self.names.role), ..RoleFacts::default() };
        });
        edit(&mut live.domain, |domain| {
            domain.settings.engine_version = Some("OpenSearch_2.19".to_owned());
            domain.facts = DomainFacts {
                arn: self.target.domain_arn(&self.names.domain),
                engine_version: "OpenSearch_2.19".to_owned(),
                endpoint: Some("search-logs.eu-west-1.es.amazonaws.com".to_owned()),
            };
        });
        live
    }

    pub(crate) fn up(&self, live: &Live) -> Plan {
        self.up_adopting(live, &Adopt::Nothing)
    }

    pub(crate) fn up_adopting(&self, live: &Live, adopt: &Adopt) -> Plan {
        plan(Verb::Up, &self.target, &self.names, &self.desired, live, adopt)
    }

    pub(crate) fn down(&self, live: &Live) -> Plan {
        let desired = Desired { bucket: Intent::Keep, ..Desired::default() };
        plan(Verb::Down, &self.target, &self.names, &desired, live, &Adopt::Nothing)
    }

    pub(crate) fn down_with_backup(&self, live: &Live) -> Plan {
        plan(Verb::Down, &self.target, &self.names, &Desired::default(), live, &Adopt::Nothing)
    }
}

fn present<T: Settings>(intent: &Intent<T>) -> Read<T> {
    match intent {
        Intent::Managed(Managed { settings, tags }) => Read::Present(Box::new(Observed {
            settings: settings.clone(),
            facts: T::Facts::default(),
            tags: tags_to_set(tags),
            owner: Owner::Ours,
            condition: Condition::Settled,
        })),
        Intent::Existing(settings) => Read::Present(Box::new(Observed {
            settings: settings.clone(),
            facts: T::Facts::default(),
            tags: BTreeMap::new(),
            owner: Owner::Nobody,
            condition: Condition::Settled,
        })),
        Intent::Keep | Intent::Nothing => Read::Absent,
    }
}

/// Changes what is live of one kind.
pub(crate) fn edit<T: Settings>(read: &mut Read<T>, change: impl FnOnce(&mut Observed<T>)) {
    match read {
        Read::Present(observed) => change(observed),
        Read::Absent | Read::Unknown(_) => panic!("nothing is there to edit"),
    }
}

/// One line a change: `update domain /cluster/instance_count`.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    plan.changes
        .iter()
        .map(|change| {
            let pointers = match change.action {
                ekk::plan::Action::Update | ekk::plan::Action::Replace => change.pointers().join(" "),
                ekk::plan::Action::Create
                | ekk::plan::Action::Delete
                | ekk::plan::Action::Wait
                | ekk::plan::Action::Settle => String::new(),
            };
            format!("{} {} {pointers}", change.action, change.kind).trim_end().to_owned()
        })
        .collect()
}
