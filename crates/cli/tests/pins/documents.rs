//! What `pin`, `unpin` and `rollback` tell programs, and how they end.

use super::place::Place;
use super::{TAG, pinned};

#[test]
fn a_program_gets_one_document_with_the_diffs_and_the_plan() {
    let place = Place::new();
    let before = (place.read("imgstack.yaml"), place.read("stack.yml"));
    let dry = ["pin", "s_a", "16-abc0000", "--dry-run", "-o", "json"];
    let document = place.imgstack(&dry).ends(0).document();
    assert_eq!(document["command"], "pin");
    assert_eq!(
        (&document["image"], &document["service"]),
        (&"db".into(), &"s_a".into())
    );
    assert_eq!(document["with"][0], "s_b");
    assert_eq!(document["written"], false);
    assert!(document["was"].is_null());
    assert_eq!(document["digest"], *place.builds[0]);
    let diff = document["spec"]["diff"].as_str().unwrap();
    assert!(diff.contains("+      pin: 16-abc0000"), "{diff}");
    let file = &document["stackFiles"][0];
    assert_eq!(
        (&file["file"], &file["services"][1]),
        (&"stack.yml".into(), &"b".into())
    );
    assert!(file["diff"].as_str().unwrap().contains(&place.builds[0]));
    assert_eq!(
        document["plan"]["stacks"][0]["steps"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        (place.read("imgstack.yaml"), place.read("stack.yml")),
        before
    );

    let wet = ["rollback", "db", "--to", "16-abc0000", "-o", "json"];
    let document = place.imgstack(&wet).ends(0).document();
    assert_eq!(
        (&document["command"], &document["written"]),
        (&"rollback".into(), &true.into())
    );
    assert!(document["service"].is_null());
    assert_eq!(place.read("imgstack.yaml"), pinned(&place, "16-abc0000"));
    let document = place
        .imgstack(&["unpin", "db", "-o", "json"])
        .ends(0)
        .document();
    assert_eq!(document["command"], "unpin");
    assert!(document["pin"].is_null() && !document["was"].is_null());
    assert_eq!(
        (place.read("imgstack.yaml"), place.read("stack.yml")),
        before
    );

    // What is refused says why, and so does a file that is left behind.
    place.push_major();
    let refused = place
        .imgstack(&["pin", "db", "17-fff0000", "-o", "json"])
        .ends(1);
    refused.says(&["nothing was written"]);
    let document = refused.document();
    assert_eq!(document["written"], false);
    assert!(
        !document["plan"]["stacks"][0]["report"]["findings"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(place.read("imgstack.yaml"), before.0);
    place.write("stack.yml", &place.stack_file(":${TAG:-16}"));
    let document = place
        .imgstack(&["pin", "db", "16-abc0000", "-o", "json"])
        .ends(1)
        .document();
    let file = &document["stackFiles"][0];
    assert_eq!(
        (&document["written"], &file["diff"]),
        (&true.into(), &"".into())
    );
    assert!(file["trouble"]["why"].as_str().unwrap().contains("TAG"));
}

#[test]
fn what_blocks_another_image_is_no_failure_of_a_pin() {
    let place = Place::new();
    let repository = place.repository();
    let other = format!("{TAG}\n    - {{name: other, repository: \"{repository}\", tag: nope}}");
    place.write("imgstack.yaml", &place.spec(&other));
    place
        .imgstack(&["plan"])
        .ends(1)
        .says(&["image.other", "no tag `nope`"]);
    place
        .imgstack(&["pin", "db", "16-abc0001"])
        .ends(0)
        .says(&["Blocked, see above.", "image.db is pinned to `16-abc0001`"]);
    // A service of the image itself is.
    let services = place.read("imgstack.yaml") + "    - {name: s_c, image: db}\n";
    place.write("imgstack.yaml", &services);
    place
        .imgstack(&["unpin", "db"])
        .ends(1)
        .says(&["service.s_c: there is no such service", "is pinned no more"]);
}
