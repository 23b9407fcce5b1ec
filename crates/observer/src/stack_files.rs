//! The images of services in their stack files.
//!
//! Of a file only that scalar is kept: stack files hold secrets.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use imgstack_planner::{Known, StackFileImage, Trouble};
use imgstack_spec::edit::{UnreadImage, stack_image};
use imgstack_spec::{ServiceName, Stack, StackFile};

/// No stack file is larger, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Reads the stack files that the services of a stack name.
#[must_use]
pub fn stack_files(stack: &Stack) -> BTreeMap<ServiceName, Known<StackFileImage>> {
    let services = stack.services.iter();
    services
        .filter_map(|service| {
            let file = service.stack_file.as_ref()?;
            Some((service.name.clone(), image(file)))
        })
        .collect()
}

fn image(file: &StackFile) -> Known<StackFileImage> {
    match stack_file_text(&file.file()) {
        Ok(text) => image_in(&text, file),
        Err(trouble) => Known::Unknown(trouble),
    }
}

/// The text of a stack file.
///
/// # Errors
/// When there is no such file, or none that could be a stack file.
pub fn stack_file_text(path: &Path) -> Result<String, Trouble> {
    read(path).map_err(|error| Trouble {
        why: match error.kind() {
            io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
            _ => format!("{} cannot be read: {error}", path.display()),
        },
        hint: Some("correct `stackFile` in the spec, or the file".to_owned()),
    })
}

fn read(path: &Path) -> io::Result<String> {
    // A pipe would be waited for when it is opened.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    let mut file = File::open(path)?.take(MOST_BYTES + 1);
    file.read_to_string(&mut text)?;
    match text.len() as u64 > MOST_BYTES {
        true => Err(io::Error::other("it is larger than 1 MiB")),
        false => Ok(text),
    }
}

/// The image that the text of a stack file has for its service.
#[must_use]
pub fn image_in(text: &str, file: &StackFile) -> Known<StackFileImage> {
    let found = match stack_image(text, &file.service) {
        Ok(found) => found,
        Err(error) => {
            return Known::Unknown(Trouble {
                why: error.to_string(),
                hint: Some(error.hint()),
            });
        }
    };
    let image = match found.image {
        Ok(image) => Some(image),
        Err(UnreadImage::Variable(_)) => None,
        // The words of the error quote what stands there, which may be anything.
        Err(_) => {
            return Known::Unknown(Trouble {
                why: format!("the image of `{}` in it is not a reference", file.service),
                hint: Some("write it as REPOSITORY:TAG there".to_owned()),
            });
        }
    };
    Known::Known(StackFileImage {
        image,
        variables: found.variables,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stack_file_the_image_is_read_and_nothing_else() {
        let file = StackFile {
            path: "stack.yml".into(),
            service: "web".to_owned(),
            spec_folder: "specs".into(),
        };
        let service = |rest: &str| format!("services: {{web: {{{rest}, labels: [hunter2]}}}}");
        let known = [
            ("image: a/b:1", Some("a/b:1"), &[][..]),
            ("image: 'a/b:${TAG:-1}'", Some("a/b:1"), &["TAG"]),
            ("image: 'a/b:${TAG}'", None, &["TAG"]),
        ];
        for (rest, image, variables) in known {
            let expected = StackFileImage {
                image: image.map(|it| it.parse().unwrap()),
                variables: variables.iter().map(|it| (*it).to_owned()).collect(),
            };
            let found = image_in(&service(rest), &file);
            assert_eq!(found, Known::Known(expected), "{rest}");
        }
        let unknown = [
            (service("image: hunter2 hunter2"), "is not a reference"),
            (service("image: [hunter2]"), "a list, not text"),
            (service("build: ."), "names no image"),
            ("services: {wed: {image: a}}".to_owned(), "no service `web`"),
            ("services: [hunter2".to_owned(), "is not YAML"),
        ];
        for (text, words) in unknown {
            let Known::Unknown(trouble) = image_in(&text, &file) else {
                panic!("{text}")
            };
            assert!(trouble.why.contains(words), "{}", trouble.why);
            let said = format!("{trouble:?}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let why = |path: &str| stack_file_text(Path::new(path)).unwrap_err().why;
        assert_eq!(why("/nowhere/a.yml"), "there is no file /nowhere/a.yml");
        assert_eq!(why("/"), "/ cannot be read: it is not a file");
        assert_eq!(
            why("/dev/zero"),
            "/dev/zero cannot be read: it is not a file"
        );
    }
}
