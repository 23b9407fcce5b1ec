//! From paths to inputs: files, folders, standard input.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use imgstack_spec::{Input, Kind, StackSet, load, read};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn spec(name: &str) -> String {
    format!(
        "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: {name}}}\nspec: {{images: []}}\n"
    )
}

fn names(set: &StackSet) -> Vec<&str> {
    set.stacks.iter().map(|stack| stack.name.as_str()).collect()
}

fn load_all(paths: &[&Path]) -> Vec<Input> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    load(&paths, std::io::empty())
}

/// The one mistake of the inputs, with its kind.
fn mistake(inputs: &[Input]) -> (Kind, String) {
    let diagnostics = read(inputs).unwrap_err();
    let mut mistakes = diagnostics.iter();
    let mistake = mistakes.next().unwrap();
    assert_eq!(mistakes.next().map(ToString::to_string), None);
    (mistake.kind(), mistake.to_string())
}

/// Of the spec's folder, and of the working directory for standard input.
#[test]
fn what_is_built_is_found_from_where_the_spec_is() {
    let text = |name: &str| {
        let image = format!("{{name: {name}, repository: a, tag: b, build: {{context: web/.}}}}");
        spec(name).replace("[]", &format!("[{image}]"))
    };
    let folder = folder(&[("deeper/a.yaml", &text("a"))]);
    let deeper = folder.path().join("deeper");
    let paths = [deeper.clone(), PathBuf::from("-")];
    let set = read(&load(&paths, text("b").as_bytes())).unwrap();
    let builds = set.stacks.iter().map(|it| it.images[0].build.clone());
    let builds: Vec<_> = builds.map(Option::unwrap).collect();
    assert_eq!(builds[0].folder(), deeper.join("web"));
    assert_eq!(builds[1].folder(), Path::new("web"));
    // A saved plan does not tell where it was made.
    let [one, other] = [&builds[0], &builds[1]].map(|it| serde_json::to_value(it).unwrap());
    assert_eq!(one, other);
}

#[test]
fn a_folder_is_its_yaml_files_by_name() {
    let folder = folder(&[
        ("b.yaml", &spec("b")),
        ("a.yml", &spec("a")),
        ("c.YAML", "not: ours"),
        ("README.md", "not: [ours"),
        (".hidden.yaml", "not: ours"),
        ("deeper/d.yaml", "not: ours"),
        ("folder.yaml/e.txt", "not: ours"),
    ]);
    let set = read(&load_all(&[folder.path()])).unwrap();
    assert_eq!(names(&set), ["a", "b"]);
}

#[test]
fn several_paths_and_documents_are_one_set_in_the_order_given() {
    let two = spec("b") + "---\n" + &spec("c") + "---\n# an empty document is none\n";
    let folder = folder(&[("a.yaml", &spec("a")), ("two.yaml", &two)]);
    let paths = [
        folder.path().join("two.yaml"),
        PathBuf::from("-"),
        folder.path().join("a.yaml"),
    ];
    let set = read(&load(&paths, spec("stdin").as_bytes())).unwrap();
    assert_eq!(names(&set), ["b", "c", "stdin", "a"]);
}

#[test]
fn what_is_named_twice_is_read_once() {
    let folder = folder(&[("a.yaml", &spec("a"))]);
    let file = folder.path().join("a.yaml");
    let other = folder.path().join(".").join("a.yaml");
    let set = read(&load_all(&[&file, folder.path(), &other, &file])).unwrap();
    assert_eq!(names(&set), ["a"]);
    let twice = [PathBuf::from("-"), PathBuf::from("-")];
    let set = read(&load(&twice, spec("a").as_bytes())).unwrap();
    assert_eq!(names(&set), ["a"]);
}

#[test]
fn what_cannot_be_read_is_told_like_any_mistake() {
    let folder = folder(&[("empty/README.md", ""), ("wrong.yaml", "a: [")]);
    let missing = folder.path().join("missing.yaml");
    let (kind, message) = mistake(&load_all(&[&missing]));
    assert_eq!(kind, Kind::Unreadable);
    assert_eq!(
        message,
        format!("cannot read `{}`: there is no such file", missing.display())
    );
    let (kind, message) = mistake(&load_all(&[&folder.path().join("empty")]));
    assert_eq!(kind, Kind::Unreadable);
    assert!(
        message.ends_with("empty` holds no file *.yaml or *.yml"),
        "{message}"
    );
    // The others are read all the same, and each mistake names its file.
    let wrong = folder.path().join("wrong.yaml");
    let diagnostics = read(&load_all(&[&missing, &wrong])).unwrap_err();
    let files: Vec<_> = diagnostics.iter().filter_map(|it| it.file()).collect();
    assert_eq!(files, [missing.to_str().unwrap(), wrong.to_str().unwrap()]);
    assert_eq!(diagnostics.iter().nth(1).unwrap().line(), Some(1));
    assert_eq!(diagnostics.to_string(), "the spec has 2 mistakes");
}

#[test]
fn nothing_at_all_is_a_mistake() {
    assert_eq!(mistake(&[]).0, Kind::NoDocument);
    let (kind, message) = mistake(&load(&[PathBuf::from("-")], std::io::empty()));
    assert_eq!(kind, Kind::NoDocument);
    assert_eq!(message, "`<stdin>` holds no ImageStack document");
}

/// What never ends is not read to its end.
#[test]
fn an_endless_input_is_too_large() {
    let inputs = load(&[PathBuf::from("-")], std::io::repeat(b'#'));
    assert_eq!(mistake(&inputs).0, Kind::TooLarge);
    #[cfg(unix)]
    {
        // Too large before anybody looks whether it is text.
        let inputs = load_all(&[Path::new("/dev/zero")]);
        assert_eq!(mistake(&inputs).0, Kind::TooLarge);
    }
}

/// A pipe that nobody writes to would hold the program up for ever.
#[test]
fn what_is_no_file_in_a_folder_is_passed_over() {
    let folder = folder(&[("a.yaml", &spec("a"))]);
    let fifo = folder.path().join("b.yaml");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let set = read(&load_all(&[folder.path()])).unwrap();
    assert_eq!(names(&set), ["a"]);
}

#[test]
fn files_are_read_until_they_are_too_large_together() {
    let megabyte = format!("# {}", "x".repeat((1 << 20) - 2));
    let files: Vec<String> = (0..20).map(|n| format!("{n:02}.yaml")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|f| (f.as_str(), &*megabyte)).collect();
    let folder = folder(&files);
    let inputs = load_all(&[folder.path()]);
    assert_eq!(inputs.len(), 9, "read on after 8 MiB");
    let told = read(&inputs).unwrap_err();
    let told: Vec<Kind> = told.iter().map(|mistake| mistake.kind()).collect();
    assert!(told.contains(&Kind::TooLarge), "{told:?}");
}
