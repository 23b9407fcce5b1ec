//! Pins: back to a build that was good, and held there, whatever is deployed.

use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;

imgstack_tests::both! {
    a_build_that_is_gone_back_to_stands_after_the_stack_is_deployed,
    one_image_of_a_stack_file_moves_and_the_others_stay,
    without_a_name_the_last_good_build_is_gone_back_to,
    going_back_changes_one_scalar_of_each_file_and_stands_after_a_deployment,
}

/// What the operator's file says beside the images; some of it is secret.
const SETTINGS: &str = "    deploy:
      update_config: {failure_action: rollback, monitor: 1s}
    stop_grace_period: 1s
    environment: {PASSWORD: hunter2}   # to be moved into a secret
";

/// The stack file of the services `a` and `b`, with these references.
fn write_stack_file(story: &Story, images: [&str; 2]) -> String {
    let [a, b] = images;
    let text = format!(
        "# deployed by hand\nversion: \"3.8\"\nservices:\n  a:\n    image: {a}   # by its tag\n{SETTINGS}\n  \
         b:\n    image: \"{b}\"\n{SETTINGS}"
    );
    std::fs::write(story.file("stack.yml"), &text).unwrap();
    text
}

/// `docker stack deploy`, as an operator types it.
fn deploy(story: &Story) {
    let file = story.file("stack.yml").display().to_string();
    let args = ["stack", "deploy", "--detach=true", "-c", &file, &story.name];
    story.world.docker(&args);
}

/// The spec of both services, each with its place in the stack file.
fn write_spec(story: &Story) {
    let of = |service: &str| format!("      stackFile: {{path: stack.yml, service: {service}}}\n");
    story.spec(&[("a", &of("a")), ("b", &of("b"))]);
}

fn read(story: &Story, name: &str) -> String {
    std::fs::read_to_string(story.file(name)).unwrap()
}

/// The spec with a pin, every other byte as it was.
fn with_pin(spec: &str, pin: &str) -> String {
    let line = "      tag: \"16\"\n";
    spec.replacen(line, &format!("{line}      pin: {pin}\n"), 1)
}

/// What was there and what is there now, where two texts differ in one place.
fn difference<'t>(before: &'t str, after: &'t str) -> (&'t str, &'t str) {
    let same = |(a, b): &(u8, u8)| a == b;
    let start = before.bytes().zip(after.bytes()).take_while(same).count();
    let (rest, new) = (&before[start..], &after[start..]);
    let end = rest.bytes().rev().zip(new.bytes().rev());
    let end = end.take_while(same).count();
    (&rest[..rest.len() - end], &new[..new.len() - end])
}

/// Waits until both services run that image alone.
fn wait_for(story: &Story, image: &str) {
    wait_for_these(story, &["a", "b"], image);
}

fn wait_for_these(story: &Story, services: &[&str], image: &str) {
    for service in services {
        let what = format!("{service} runs {image}");
        imgstack_tests::world::wait_until(&what, std::time::Duration::from_secs(60), || {
            story.running(service) == [image]
        });
    }
}

async fn a_build_that_is_gone_back_to_stands_after_the_stack_is_deployed(world: World) {
    let story = Story::new(&world, "pins");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    let image = format!("{}:16", story.repository());
    let stack_file = write_stack_file(&story, [&image, &image]);
    deploy(&story);
    wait_for(&story, &format!("{image}@{}", good.digest));
    write_spec(&story);
    let spec = read(&story, "imgstack.yaml");
    // The tag in the file is the one that is followed.
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.never_says(&["stack.yml"]);
    let newer = story.push(Kind::Good, "abc1234").await;
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    wait_for(&story, &format!("{image}@{}", newer.digest));

    let back = ["rollback", &*story.service("a"), "--to", "16-9b1d2e7"];
    let dry = story
        .imgstack(&[&back[..], &["--dry-run"]].concat())
        .expect(0);
    dry.says(&["Nothing was written", "+      pin: 16-9b1d2e7"])
        .never_says(&["hunter2"]);
    assert_eq!(
        (read(&story, "imgstack.yaml"), read(&story, "stack.yml")),
        (spec.clone(), stack_file.clone())
    );
    story.imgstack(&back).expect(0).says(&[
        "the spec pins `16-9b1d2e7`",
        "image.pg goes back to `16-9b1d2e7`",
        "To do it: imgstack apply",
    ]);
    let held = format!("{image}-9b1d2e7@{}", good.digest);
    assert_eq!(read(&story, "imgstack.yaml"), with_pin(&spec, "16-9b1d2e7"));
    // Both services: what is between them is as it was.
    let expected = stack_file.replace(&image, &held);
    assert_eq!(read(&story, "stack.yml"), expected);
    // Nothing has moved as yet; then it does.
    wait_for(&story, &format!("{image}@{}", newer.digest));
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    wait_for(&story, &held);

    // The next deployment changes nothing of it, not even a task.
    let tasks = [story.tasks("a"), story.tasks("b")];
    deploy(&story);
    wait_for(&story, &held);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["No changes."]).never_says(&["stack.yml"]);
    assert_eq!([story.tasks("a"), story.tasks("b")], tasks);

    // With the old file it would, which the plan says beforehand.
    write_stack_file(&story, [&image, &held]);
    story.imgstack(&["plan"]).expect(0).says(&[
        &format!(
            "! service.{}: `stack.yml` has `16` for `a`, and the spec holds `16-9b1d2e7`",
            story.service("a")
        ),
        "the next `docker stack deploy` would undo that",
        "imgstack pin pg 16-9b1d2e7",
    ]);
    story.imgstack(&["pin", "pg", "16-9b1d2e7"]).expect(0);
    assert_eq!(read(&story, "stack.yml"), expected);

    story
        .imgstack(&["unpin", "pg"])
        .expect(0)
        .says(&["image.pg is pinned no more", "2 to change"]);
    assert_eq!(
        (read(&story, "imgstack.yaml"), read(&story, "stack.yml")),
        (spec, stack_file)
    );
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    deploy(&story);
    wait_for(&story, &format!("{image}@{}", newer.digest));
}

async fn one_image_of_a_stack_file_moves_and_the_others_stay(world: World) {
    let story = Story::new(&world, "one-pin");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    let image = format!("{}:16", story.repository());
    let stack_file = write_stack_file(&story, [&image, &image]);
    deploy(&story);
    wait_for(&story, &format!("{image}@{}", good.digest));
    story.push(Kind::Good, "abc1234").await;
    // The other service of the file is nobody's business.
    let of = "      stackFile: {path: stack.yml, service: a}\n";
    story.spec(&[("a", of)]);
    let spec = read(&story, "imgstack.yaml");
    // As `imgstack tags` shows it.
    let beginning = format!("{}…", &good.digest[.."sha256:".len() + 12]);
    story
        .imgstack(&["tags", "pg"])
        .expect(0)
        .says(&[&beginning["sha256:".len()..]]);
    story.imgstack(&["pin", "pg", &beginning]).expect(0);
    assert_eq!(read(&story, "imgstack.yaml"), with_pin(&spec, &good.digest));
    let held = format!("{image}@{}", good.digest);
    assert_eq!(
        read(&story, "stack.yml"),
        stack_file.replacen(&image, &held, 1)
    );
}

async fn without_a_name_the_last_good_build_is_gone_back_to(world: World) {
    let story = Story::new(&world, "last-good");
    story.push(Kind::Good, "9b1d2e7").await;
    let image = format!("{}:16", story.repository());
    let stack_file = write_stack_file(&story, [&image, &image]);
    deploy(&story);
    write_spec(&story);
    let second = story.push(Kind::Good, "abc1234").await;
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let spec = read(&story, "imgstack.yaml");
    story.push(Kind::Dying, "bad0000").await;
    story.imgstack(&["apply", "--auto-approve"]).expect(1);
    wait_for(&story, &format!("{image}@{}", second.digest));
    // Of two good builds the last, though the first was good as well.
    let service = story.service("b");
    story
        .imgstack(&["rollback", &service])
        .expect(0)
        .says(&["image.pg goes back to", &second.digest[..19]]);
    assert_eq!(
        read(&story, "imgstack.yaml"),
        with_pin(&spec, &second.digest)
    );
    let held = format!("{image}@{}", second.digest);
    assert_eq!(read(&story, "stack.yml"), stack_file.replace(&image, &held));
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    deploy(&story);
    wait_for(&story, &held);
    story
        .imgstack(&["plan", "--detailed-exitcode"])
        .expect(0)
        .never_says(&["docker stack deploy"]);
    // From a pin on, nobody can tell what is further back.
    story
        .imgstack(&["rollback", "pg"])
        .expect(1)
        .says(&["is pinned already", "--to"]);
}

/// Two good builds and a bad one: the files change by one scalar each, to the
/// byte, and who deploys the stack file restarts nothing.
async fn going_back_changes_one_scalar_of_each_file_and_stands_after_a_deployment(world: World) {
    let story = Story::new(&world, "scalar");
    let first = story.push(Kind::Good, "9b1d2e7").await;
    let image = format!("{}:16", story.repository());
    write_stack_file(&story, [&image, &image]);
    deploy(&story);
    wait_for(&story, &format!("{image}@{}", first.digest));
    // The other service of the file is nobody's business.
    story.spec(&[("a", "      stackFile: {path: stack.yml, service: a}\n")]);
    let second = story.push(Kind::Good, "abc1234").await;
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    story.push(Kind::Dying, "bad0000").await;
    story.imgstack(&["apply", "--auto-approve"]).expect(1);
    let held = format!("{image}@{}", second.digest);
    wait_for_these(&story, &["a"], &held);
    story.imgstack(&["plan"]).expect(1).says(&["held"]);

    let before = [read(&story, "imgstack.yaml"), read(&story, "stack.yml")];
    story.imgstack(&["rollback", "pg"]).expect(0);
    let after = [read(&story, "imgstack.yaml"), read(&story, "stack.yml")];
    let pin = format!("      pin: {}\n", second.digest);
    assert_eq!(after[0].replacen(&pin, "", 1), before[0]);
    assert_eq!(after[0].len(), before[0].len() + pin.len());
    let digest = format!("@{}", second.digest);
    assert_eq!(difference(&before[1], &after[1]), ("", &*digest));

    // Nothing is left to do, and nothing of it is undone.
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let tasks = story.tasks("a");
    deploy(&story);
    assert_eq!(story.running("a"), [&*held]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["No changes."])
        .never_says(&["docker stack deploy"]);
    assert_eq!(story.tasks("a"), tasks);

    // From there to the first one: another scalar in each, in the same place.
    let back = ["rollback", "pg", "--to", "16-9b1d2e7"];
    story.imgstack(&back).expect(0);
    let last = [read(&story, "imgstack.yaml"), read(&story, "stack.yml")];
    assert_eq!(last[0].replacen("16-9b1d2e7", &second.digest, 1), after[0]);
    let held = format!("{image}-9b1d2e7@{}", first.digest);
    let file = before[1].replacen(&image, &held, 1);
    assert_eq!(last[1], file);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    deploy(&story);
    assert_eq!(story.running("a"), [held]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["No changes."]);
}
