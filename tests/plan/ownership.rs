//! Only what carries this stack's tags is changed or deleted.

use ekk::plan::Adopt;
use ekk::resource::{Kind, Owner, Read};
use ekk::stack::{Stray, Strays};

use crate::fixture::{Stack, edit, lines};

fn other() -> Owner {
    Owner::Other { stack: "theirs".to_owned(), region: "eu-west-1".to_owned() }
}

#[test]
fn what_belongs_to_another_stack_is_refused_even_with_adopt() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.bucket, |bucket| bucket.owner = other());
    let plan = stack.up_adopting(&live, &Adopt::All);
    assert_eq!(lines(&plan), Vec::<String>::new());
    assert_eq!(plan.refusals.len(), 1);
    assert!(plan.refusals[0].why.contains("belongs to stack theirs"), "{:?}", plan.refusals);
}

#[test]
fn what_nobody_owns_is_refused_with_the_flag_that_takes_it() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.domain, |domain| {
        domain.owner = Owner::Nobody;
        domain.tags.clear();
    });
    let plan = stack.up(&live);
    assert_eq!(lines(&plan), Vec::<String>::new());
    assert!(plan.refusals[0].hint.contains("--adopt=domain"), "{:?}", plan.refusals);

    let adopting = stack.up_adopting(&live, &Adopt::Only(vec![Kind::Domain]));
    assert!(adopting.refusals.is_empty());
    assert_eq!(lines(&adopting), ["update domain /owner /tags/ekk:region /tags/ekk:stack"]);
    assert!(adopting.changes[0].notes[0].contains("`ekk down` will delete it"));
}

#[test]
fn down_leaves_what_is_not_ours() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.role, |role| role.owner = other());
    edit(&mut live.log_group, |group| group.owner = Owner::Nobody);
    let plan = stack.down(&live);
    assert_eq!(lines(&plan), ["delete stream", "delete domain"]);
    assert_eq!(plan.kept.len(), 3);
}

#[test]
fn an_existing_role_and_bucket_are_checked_and_never_written() {
    let stack = Stack::of("stack: logs\nrole: { existing: theirs }\nbucket: { existing: their-bucket }\n");
    let mut live = stack.live();
    assert_eq!(lines(&stack.up(&live)), Vec::<String>::new());
    edit(&mut live.role, |role| role.facts.not_allowed = vec!["s3:PutObject on their-bucket".to_owned()]);
    let plan = stack.up(&live);
    assert_eq!(lines(&plan), Vec::<String>::new());
    assert_eq!(plan.refusals.len(), 1, "{:?}", plan.refusals);
    live.bucket = Read::Absent;
    assert_eq!(stack.up(&live).refusals.len(), 2);
}

#[test]
fn a_stray_is_told_and_left() {
    let stack = Stack::article();
    let mut live = stack.live();
    live.strays = Strays::Known(vec![Stray { kind: Kind::Stream, name: "old-name".to_owned() }]);
    let plan = stack.up(&live);
    assert!(plan.is_empty());
    assert_eq!(plan.strays, live.strays);
    assert_eq!(stack.down(&live).strays, live.strays);
}

#[test]
fn tags_of_others_stay_and_a_null_tag_goes() {
    let stack = Stack::of("stack: logs\ntags: { team: platform, old: null }\n");
    let mut live = stack.live();
    edit(&mut live.stream, |stream| {
        stream.tags.insert("cost".to_owned(), "9".to_owned());
    });
    assert!(stack.up(&live).is_empty());
    edit(&mut live.stream, |stream| {
        stream.tags.insert("old".to_owned(), "x".to_owned());
        stream.tags.remove("team");
    });
    assert_eq!(lines(&stack.up(&live)), ["update stream /tags/team /tags/old"]);
}
