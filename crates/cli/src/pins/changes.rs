//! What becomes of the files: the spec that defines the image, and the stack
//! files of its services.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imgstack_observer::{image_in, stack_file_text};
use imgstack_planner::Trouble;
use imgstack_spec::edit::{Edit, EditError, UnreadImage, set_pin, set_stack_images, stack_image};
use imgstack_spec::{Image, ImageRef, Input, Pin, Stack, StackFile};

use super::PinError;
use super::file::Staged;
use crate::world::Seen;

/// The changes of all files.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) spec: FileChange,
    pub(crate) stack_files: Vec<StackFileChange>,
}

/// The change of a file; none where the edit is empty.
#[derive(Debug)]
pub(crate) struct FileChange {
    /// As it was named.
    pub(crate) file: PathBuf,
    pub(crate) edit: Edit,
}

/// What becomes of a stack file.
#[derive(Debug)]
pub(crate) struct StackFileChange {
    pub(crate) file: PathBuf,
    /// The services in it that are to run the image.
    pub(crate) services: Vec<String>,
    /// The edit, or why the file is left as it is.
    pub(crate) edit: Result<Edit, Trouble>,
}

/// The change of the spec: the pin of an image set, or removed.
pub(crate) fn of_spec(
    inputs: &[Input],
    stack: &Stack,
    image: &Image,
    pin: Option<&Pin>,
) -> Result<FileChange, PinError> {
    for input in inputs {
        let Some(text) = input.text() else {
            continue;
        };
        let edit = match set_pin(text, &stack.name, &image.name, pin) {
            // Names are unique, so that one of the files has both.
            Err(EditError::Missing { .. }) => continue,
            edit => edit,
        };
        let Some(file) = input.file() else {
            break;
        };
        let file = file.to_owned();
        return match edit {
            Ok(edit) => Ok(FileChange { file, edit }),
            Err(cause) => Err(PinError::Edit {
                file,
                cause: Box::new(cause),
            }),
        };
    }
    Err(PinError::NoFile(image.name.clone()))
}

impl Changes {
    /// `target` is what the stack files are to have: None where nobody can say
    /// which tag is followed.
    pub(crate) fn of(
        spec: FileChange,
        stack: &Stack,
        image: &Image,
        target: Option<&ImageRef>,
    ) -> Self {
        // Under one path, however it is written.
        let mut files: BTreeMap<PathBuf, (PathBuf, BTreeSet<&str>)> = BTreeMap::new();
        for file in stack_files(stack, image) {
            let path = file.file();
            let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            let (_, services) = files.entry(real).or_insert_with(|| (path, BTreeSet::new()));
            services.insert(&file.service);
        }
        let stack_files = files.into_values().map(|(file, services)| {
            let services: Vec<&str> = services.into_iter().collect();
            StackFileChange {
                edit: of_stack_file(&file, &services, target),
                services: services.into_iter().map(str::to_owned).collect(),
                file,
            }
        });
        Self {
            spec,
            stack_files: stack_files.collect(),
        }
    }

    /// Lets a plan see the stack files as they are going to be.
    pub(crate) fn foresee(&self, seen: &mut [Seen], image: &Image) {
        for seen in seen {
            let services = seen.connected.stack.services.iter();
            for service in services.filter(|it| it.image == image.name) {
                let Some(file) = &service.stack_file else {
                    continue;
                };
                let change = self.stack_files.iter().find(|it| {
                    it.services.contains(&file.service) && is_same(&it.file, &file.file())
                });
                if let Some(Ok(edit)) = change.map(|it| &it.edit) {
                    let found = image_in(edit.text(), file);
                    let files = &mut seen.inventory.stack_files;
                    files.insert(service.name.clone(), found);
                }
            }
        }
    }

    /// Whether every file says already what is wanted.
    pub(crate) fn is_empty(&self) -> bool {
        let mut files = self.stack_files.iter();
        self.spec.edit.is_empty() && files.all(|it| it.edit.as_ref().is_ok_and(Edit::is_empty))
    }

    /// Whether a stack file is left behind.
    pub(crate) fn is_partial(&self) -> bool {
        self.stack_files.iter().any(|it| it.edit.is_err())
    }

    /// Writes the files: all that can be written lies ready before the first is
    /// replaced. A stack file that cannot be written is left, and known by its
    /// trouble then.
    pub(crate) fn write(&mut self) -> Result<(), PinError> {
        let spec = stage(&self.spec.file, &self.spec.edit);
        let mut staged = Vec::new();
        for change in &mut self.stack_files {
            let Ok(edit) = &change.edit else {
                continue;
            };
            match stage(&change.file, edit) {
                Ok(text) => staged.extend(text.map(|text| (text, change))),
                Err(cause) => change.edit = Err(unwritten(&cause)),
            }
        }
        let put = spec.and_then(|text| text.map_or(Ok(()), Staged::put));
        put.map_err(|cause| PinError::Write {
            file: self.spec.file.clone(),
            cause: cause.to_string(),
        })?;
        for (text, change) in staged {
            if let Err(cause) = text.put() {
                change.edit = Err(unwritten(&cause));
            }
        }
        Ok(())
    }
}

/// Whether both lead to one file.
fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn stage(file: &Path, edit: &Edit) -> std::io::Result<Option<Staged>> {
    match edit.is_empty() {
        true => Ok(None),
        false => Staged::beside(file, edit.before(), edit.text()).map(Some),
    }
}

fn unwritten(cause: &std::io::Error) -> Trouble {
    Trouble {
        why: format!("it cannot be written: {cause}"),
        hint: Some("when that is mended, run the same command again".to_owned()),
    }
}

fn stack_files<'s>(stack: &'s Stack, image: &Image) -> Vec<&'s StackFile> {
    let services = stack.services.iter();
    services
        .filter(|service| service.image == image.name)
        .filter_map(|service| service.stack_file.as_ref())
        .collect()
}

fn of_stack_file(
    file: &Path,
    services: &[&str],
    target: Option<&ImageRef>,
) -> Result<Edit, Trouble> {
    let target = target.ok_or_else(|| Trouble {
        why: "which tag is to be followed is not known".to_owned(),
        hint: Some("see the plan above".to_owned()),
    })?;
    let text = stack_file_text(file)?;
    // What is no image is not replaced, nor shown: it may be anything.
    let is_other = |service: &&&str| {
        let found = stack_image(&text, service).map(|it| it.image);
        matches!(found, Ok(Err(UnreadImage::Reference(_))))
    };
    if let Some(service) = services.iter().find(is_other) {
        return Err(Trouble {
            why: format!("the image of `{service}` in it is not a reference"),
            hint: Some(format!(
                "write `image: {}` there by hand",
                target.familiar()
            )),
        });
    }
    set_stack_images(&text, services, target).map_err(|error| Trouble {
        why: error.to_string(),
        hint: Some(error.hint()),
    })
}
