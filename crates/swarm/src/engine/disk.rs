//! Free space on a node's disk. No engine tells it, so over ssh `df` does.
//!
//! Without ssh it stays unknown, a local socket included: what listens there
//! may see another file system than we do, as in a container or a namespace.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use thiserror::Error;

use super::NodeEngine;
use crate::SshError;
use crate::transport::{Finished, Program};

/// A hanging network file system makes `df` hang.
const DF: Duration = Duration::from_secs(20);

/// The file system that pulls fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// The folder of images that it was looked up for.
    pub folder: PathBuf,
    /// Bytes that are free for anybody.
    pub free: u64,
    /// Bytes that it has.
    pub total: u64,
}

/// Why the free space is not known.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DiskUnknown {
    /// No engine tells it, and there is no way to ask the host.
    #[error("only a node that is reached by ssh tells its free disk")]
    NoSsh,
    /// The engine does not say where its data are.
    #[error("the engine does not say where its data are")]
    NoFolder,
    /// The ssh connection.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// `df` failed there.
    #[error("`df` on {host} failed: {words}")]
    Failed {
        /// The host.
        host: String,
        /// Its words.
        words: String,
    },
    /// What `df` says there cannot be read.
    #[error("the answer of `df` on {host} makes no sense: {line}")]
    Unintelligible {
        /// The host.
        host: String,
        /// What it says.
        line: String,
    },
}

impl DiskUnknown {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSsh => Some(
                "give the node an engine such as ssh://root@{hostname} in spec.nodes".to_owned(),
            ),
            Self::Ssh(error) => Some(error.hint()),
            Self::Failed { host, .. } | Self::Unintelligible { host, .. } => {
                Some(format!("try `ssh {host} df -Pk`"))
            }
            Self::NoFolder => None,
        }
    }
}

impl NodeEngine {
    /// The free space of the file system that holds the images.
    ///
    /// # Errors
    /// [`DiskUnknown`] says why it is not known.
    pub async fn disk(&self) -> Result<DiskSpace, DiskUnknown> {
        let ssh = self.link.ssh().ok_or(DiskUnknown::NoSsh)?;
        let folder = self.about.image_root.clone();
        let Some(path) = folder.to_str().filter(|path| path.starts_with('/')) else {
            return Err(DiskUnknown::NoFolder);
        };
        let host = ssh.host().to_owned();
        let df = Program {
            // The header is in the words of the login's language otherwise.
            name: "env",
            arguments: &["LC_ALL=C", "df", "-Pk", "--", path],
            input: None,
            within: DF,
        };
        let finished = df.run(ssh).await?;
        let words = finished.words(None);
        match finished {
            Finished::Ended {
                code: Some(0),
                output,
                ..
            } => {
                let text = String::from_utf8_lossy(output.expose_secret());
                let (free, total) = read(&text).ok_or_else(|| DiskUnknown::Unintelligible {
                    host,
                    line: text.lines().last().unwrap_or_default().to_owned(),
                })?;
                Ok(DiskSpace {
                    folder,
                    free,
                    total,
                })
            }
            Finished::Ended { .. } => Err(DiskUnknown::Failed { host, words }),
            Finished::TooSlow => Err(DiskUnknown::Failed {
                host,
                words: format!("no answer within {} s", DF.as_secs()),
            }),
        }
    }
}

/// Free and total bytes in what `df -Pk` says of one file system: a header,
/// and a line of six fields, of which the first and the last may hold spaces.
fn read(text: &str) -> Option<(u64, u64)> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (header, line) = (lines.next()?, lines.next()?);
    // POSIX: `Filesystem 1024-blocks Used Available Capacity Mounted on`.
    if lines.next().is_some() || !header.contains("1024-blocks") {
        return None;
    }
    let fields: Vec<&str> = line.split_whitespace().collect();
    // The share in use is the only field that ends so, and comes fourth.
    let share = fields.iter().rposition(|field| is_share(field))?;
    let numbers = fields.get(share.checked_sub(3)?..share)?;
    let [total, _used, free] = numbers else {
        return None;
    };
    let bytes = |field: &str| field.parse::<u64>().ok()?.checked_mul(1024);
    // A file system that is more than full has less than nothing free.
    let free = if free.starts_with('-') { "0" } else { free };
    let (free, total) = (bytes(free)?, bytes(total)?);
    (total > 0 && free <= total && share > 3 && share + 1 < fields.len()).then_some((free, total))
}

fn is_share(field: &str) -> bool {
    let digits = field.strip_suffix('%');
    digits.is_some_and(|it| !it.is_empty() && it.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::read;

    const HEAD: &str = "Filesystem     1024-blocks    Used Available Capacity Mounted on\n";

    #[test]
    fn df_is_read_strictly() {
        let gib = |n: u64| n << 30;
        let table = [
            (
                "/dev/vda1  10485760 4194304  6291456      40% /\n",
                Some((gib(6), gib(10))),
            ),
            (
                "/dev/loop7  10485760 10485760        0     100% /var/lib/docker\n",
                Some((0, gib(10))),
            ),
            (
                "/dev/vda1  10485760 10485761       -1     101% /\n",
                Some((0, gib(10))),
            ),
            (
                "//nas/my share  10485760 0 10485760 0% /mnt/my share\n",
                Some((gib(10), gib(10))),
            ),
            (
                "pool/50% full  10485760 0 10485760 0% /mnt\n",
                Some((gib(10), gib(10))),
            ),
            // A network file system that tells nothing.
            ("none 0 0 0 - /mnt\n", None),
            ("none 0 0 0 0% /mnt\n", None),
            ("/dev/vda1 10485760 4194304 6291456 40%\n", None),
            ("10485760 4194304 6291456 40% /\n", None),
            ("/dev/vda1 10485760 4194304 20971520 40% /\n", None),
            (
                "/dev/vda1 18446744073709551615 0 18446744073709551615 0% /\n",
                None,
            ),
            ("/dev/vda1 10G 4G 6G 40% /\n", None),
            ("", None),
            ("a 10 5 5 50% /a\nb 10 5 5 50% /b\n", None),
        ];
        for (line, expected) in table {
            assert_eq!(read(&format!("{HEAD}{line}")), expected, "{line}");
        }
        let blocks = "Filesystem 512-blocks Used Available Capacity Mounted on\na 10 5 5 50% /\n";
        assert_eq!(read(blocks), None);
        assert_eq!(read("motd of the day\n"), None);
    }
}
