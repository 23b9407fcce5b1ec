//! The images of services in their stack files.
//!
//! Of a file only that scalar is kept: stack files hold secrets.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};

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
    match text(file) {
        Ok(text) => image_in(&text, file),
        Err(error) => Known::Unknown(Trouble {
            why: match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => format!("it cannot be read: {error}"),
            },
            hint: Some(format!(
                "correct `stackFile` in the spec: the path is {} from here",
                file.file().display()
            )),
        }),
    }
}

fn text(file: &StackFile) -> io::Result<String> {
    let path = file.file();
    // A pipe would be waited for when it is opened.
    if !fs::metadata(&path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)?;
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
