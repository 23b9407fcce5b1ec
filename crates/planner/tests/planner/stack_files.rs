//! Stack files against what the spec makes services run.

use imgstack_planner::{Known, StackFileImage, Trouble};
use imgstack_spec::policy::Policy;
use imgstack_spec::{Follow, Pin, StackFile};

use crate::support::{REPOSITORY, World, digest, image, said};

/// `pg` runs the build `a` by the tag `16`, which leads to `b`; its stack file
/// has `text` after the repository.
fn world(text: &str) -> World {
    let mut world = World::new('b');
    world.both("pg", &[], &image("16", 'a'));
    world.build('a', &["linux/amd64"]);
    let file = StackFile {
        path: "stack.yml".into(),
        service: "db".to_owned(),
        spec_folder: "/elsewhere".into(),
    };
    world.stack.services[0].stack_file = Some(file);
    has(&mut world, &format!("{REPOSITORY}{text}"), &[]);
    world
}

fn has(world: &mut World, image: &str, variables: &[&str]) {
    let found = StackFileImage {
        image: image.parse().ok(),
        variables: variables.iter().map(|it| (*it).to_owned()).collect(),
    };
    found_is(world, Known::Known(found));
}

fn found_is(world: &mut World, found: Known<StackFileImage>) {
    let files = &mut world.inventory.stack_files;
    files.insert("pg".parse().unwrap(), found);
}

/// What is said of the stack file.
fn told(world: &World) -> Vec<String> {
    let said = said(&world.planned());
    said.into_iter()
        .filter(|it| it.contains("stack.yml"))
        .collect()
}

fn short(digit: char) -> String {
    format!("sha256:{}…", digit.to_string().repeat(12))
}

/// The hint of the only finding of a stack file.
fn hint(world: &World) -> String {
    let plan = world.planned();
    let mut findings = plan.report.findings.iter();
    let found = findings.find(|it| it.message.contains("stack.yml"));
    found.unwrap().hint.clone().unwrap()
}

#[test]
fn a_followed_tag_is_in_step_by_its_name_or_its_build() {
    let to_run = format!("the service is to run `16` ({})", short('b'));
    let undone = "the next `docker stack deploy` would undo that";
    let table = [
        (":16".to_owned(), None),
        (format!(":16@{}", digest('b')), None),
        (format!(":old@{}", digest('b')), None),
        (format!("@{}", digest('b')), None),
        (
            format!(":16@{}", digest('a')),
            Some(format!("`16` ({})", short('a'))),
        ),
        (":16-abc1234".to_owned(), Some("`16-abc1234`".to_owned())),
        (String::new(), Some("`latest`".to_owned())),
        (
            "-other:16".to_owned(),
            Some(format!("`{REPOSITORY}-other:16`")),
        ),
    ];
    for (text, expected) in table {
        let world = world(&text);
        let expected = expected.map(|has| {
            format!("attention service.pg: `stack.yml` has {has} for `db`, and {to_run}: {undone}")
        });
        assert_eq!(told(&world), Vec::from_iter(expected.clone()), "{text}");
        if expected.is_some() {
            assert_eq!(hint(&world), "write it into the file: imgstack unpin pg");
        }
    }
}

#[test]
fn a_pinned_build_stands_until_the_line_goes() {
    let tag = Pin::Tag("16-abc1234".parse().unwrap());
    let by_digest = Pin::Digest(digest('b'));
    let undone = "the next `docker stack deploy` would undo that";
    let table = [
        (&tag, ":16-abc1234".to_owned(), None),
        (&tag, format!(":16@{}", digest('b')), None),
        (
            &tag,
            ":16".to_owned(),
            Some(("`16`", "", "imgstack pin pg 16-abc1234")),
        ),
        (&by_digest, format!(":16@{}", digest('b')), None),
        (
            &by_digest,
            ":16".to_owned(),
            Some((
                "`16`",
                " once the tag has moved",
                &*format!("imgstack pin pg {}", digest('b')),
            )),
        ),
    ];
    for (pin, text, expected) in table {
        let mut world = world(&text);
        world.pin(pin.clone());
        let name = match pin {
            Pin::Tag(tag) => tag.as_str(),
            Pin::Digest(_) => "16",
        };
        let holds = format!("the spec holds `{name}` ({})", short('b'));
        let line = expected.map(|(has, when, _)| {
            format!(
                "attention service.pg: `stack.yml` has {has} for `db`, and {holds}: {undone}{when}"
            )
        });
        assert_eq!(told(&world), Vec::from_iter(line), "{text}");
        if let Some((_, _, command)) = expected {
            assert_eq!(hint(&world), format!("write it into the file: {command}"));
        }
    }
}

#[test]
fn what_holds_a_service_back_is_not_passed_by_a_deployment() {
    // A build that is too young.
    let mut young = world(":16");
    young.built('b', 1);
    young.minimum_age(24);
    let stays = format!("the service stays at `16` ({})", short('a'));
    let line = format!(
        "attention service.pg: `stack.yml` has `16` for `db`, and {stays}: the next `docker stack deploy` would bring the other build"
    );
    assert_eq!(told(&young), std::slice::from_ref(&line));
    let hold = format!(
        "until that build may come, do not deploy the file, or hold what runs: imgstack pin pg {}",
        digest('a')
    );
    assert_eq!(hint(&young), hold);
    has(&mut young, &image("16", 'a'), &[]);
    assert_eq!(told(&young), [""; 0]);
    // Another major version.
    let mut major = world(":17");
    major.stack.images[0].follow = Follow::Tag("17".parse().unwrap());
    let asked = major.inventory.images.values_mut().next().unwrap();
    asked.reference = major.stack.images[0].reference().unwrap();
    let line = format!(
        "attention service.pg: `stack.yml` has `17` for `db`, and {stays}: the next `docker stack deploy` would undo that"
    );
    assert_eq!(told(&major), [line]);
}

#[test]
fn a_policy_is_in_step_with_the_tag_that_it_has_chosen() {
    let policy = Policy::Semver {
        range: "~16".parse().unwrap(),
        suffix: None,
    };
    for (text, is_told) in [(":16.4", false), (":16.3", true), (":16", true)] {
        let mut world = world(text);
        world.follows(policy.clone(), false);
        world.tags(&[("16.3", 'a'), ("16.4", 'b')]);
        assert_eq!(told(&world).len(), usize::from(is_told), "{text}");
    }
}

#[test]
fn variables_and_what_cannot_be_read_are_told() {
    let mut world = world("");
    let repository = |text: &str| format!("{REPOSITORY}{text}");
    has(&mut world, &repository(":16"), &["TAG"]);
    assert_eq!(
        told(&world),
        [format!(
            "note service.pg: the image of `db` in `stack.yml` is `16` ({}) as long as `${{TAG}}` is not set",
            short('b')
        )]
    );
    has(&mut world, &repository(":15"), &["NAME", "TAG"]);
    assert!(
        told(&world)[0].contains("has `15` for `db` while `${NAME}` and `${TAG}` is not set, and"),
        "{:?}",
        told(&world)
    );
    has(&mut world, "", &["TAG"]);
    assert_eq!(
        told(&world),
        [format!(
            "attention service.pg: the image of `db` in `stack.yml` depends on `${{TAG}}`: whether a deployment brings `16` ({}) is not known",
            short('b')
        )]
    );
    assert!(hint(&world).ends_with("without a variable; then: imgstack unpin pg"));
    found_is(
        &mut world,
        Known::Unknown(Trouble::new("there is no such file")),
    );
    assert_eq!(
        told(&world),
        [
            "attention service.pg: whether a deployment of `stack.yml` would undo anything is not known: there is no such file"
        ]
    );
    // Without a cluster there is nothing to compare it with.
    has(&mut world, &repository(":15"), &[]);
    world.inventory.services = Known::Unknown(Trouble::new("no answer"));
    assert_eq!(told(&world), [""; 0]);
}

#[test]
fn a_migration_names_the_stack_files() {
    let mut world = world(":16");
    world.stack.images[0].follow = Follow::Tag("17".parse().unwrap());
    let asked = world.inventory.images.values_mut().next().unwrap();
    asked.reference = world.stack.images[0].reference().unwrap();
    let mut second = world.stack.services[0].clone();
    second.name = "pg-2".parse().unwrap();
    second.stack_file.as_mut().unwrap().path = "more.yml".into();
    world.stack.services.push(second);
    let plan = world.planned();
    let procedures = plan.report.findings.iter().flat_map(|it| &it.procedure);
    let step = "Write the tag of 17 into the stack files `more.yml`, `stack.yml`, and into the spec under `tag`, `policy` or `pin`.";
    assert!(procedures.into_iter().any(|it| it == step));
}
