//! What can be seen while commands run: processes and files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use imgstack_tests::marked::Marks;

use super::INPUTS;

/// Looks at all processes of the machine, those of the lab's nodes and the
/// children of imgstack among them, and at all files in the story's folder, again
/// and again.
pub(super) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Sampled>,
}

#[derive(Default)]
pub(super) struct Sampled {
    /// Command lines.
    pub(super) seen: BTreeSet<String>,
    pub(super) found: BTreeSet<String>,
    /// When files were changed that have been read.
    read: BTreeMap<PathBuf, SystemTime>,
}

impl Sampler {
    pub(super) fn start(folder: &Path, marks: Marks) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, folder) = (stop.clone(), folder.to_owned());
        let thread = std::thread::spawn(move || {
            let mut sampled = Sampled::default();
            while !stopped.load(Ordering::Relaxed) {
                sampled.processes(&marks);
                sampled.files(&folder, &marks);
                std::thread::sleep(Duration::from_millis(5));
            }
            sampled.files(&folder, &marks);
            sampled
        });
        Self { stop, thread }
    }

    pub(super) fn stop(self) -> Sampled {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Sampled {
    fn processes(&mut self, marks: &Marks) {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            // A process may be gone by now, and most entries are none.
            let Ok(words) = std::fs::read(entry.path().join("cmdline")) else {
                continue;
            };
            let line = String::from_utf8_lossy(&words).replace('\0', " ");
            if self.seen.contains(&line) {
                continue;
            }
            if let Some(writing) = marks.found_in(&words) {
                self.found
                    .insert(format!("{writing}, in the process {line}"));
            }
            self.seen.insert(line);
        }
    }

    fn files(&mut self, folder: &Path, marks: &Marks) {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            // What is temporary may be gone by now.
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            for entry in entries {
                let (path, name) = (entry.path(), entry.file_name());
                if name == INPUTS || name == ".docker" {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    self.file(&path, marks);
                }
            }
        }
    }

    fn file(&mut self, path: &Path, marks: &Marks) {
        let changed = std::fs::metadata(path).and_then(|it| it.modified());
        let (Ok(changed), Ok(text)) = (changed, std::fs::read(path)) else {
            return;
        };
        if self.read.get(path) != Some(&changed) {
            if let Some(writing) = marks.found_in(&text) {
                self.found
                    .insert(format!("{writing}, in the file {}", path.display()));
            }
            self.read.insert(path.to_owned(), changed);
        }
    }
}
