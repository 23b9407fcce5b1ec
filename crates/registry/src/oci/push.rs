//! What is written: one more tag for a build that is in the registry already;
//! and, before a build is made, whether there will be a right to push it.
//!
//! A tag is given by sending the manifest again, byte for byte, so that it
//! leads to the same digest whatever tool has pushed the build.
//!
//! Writing is done in the name of the credential alone. There is no second
//! attempt in nobody's name, which helps with what is only to be read.
//!
//! Deliberately absent: pushing a build, which its builder does, and removing.

use imgstack_spec::{Digest, Repository, Tag};
use reqwest::header::LOCATION;
use reqwest::{Method, Url};

use super::classify::{Circumstances, Subject, refusal};
use super::client::{Client, Resolved, Shelf, Wanted};
use super::error::Error;
use super::host::{Host, Pass, Rights};
use super::manifest::{self, Manifest};
use super::session::at;
use crate::http::{Ask, Body, Reply, RequestKind, next_to};

/// Something to be written.
struct Deed<'a> {
    kind: RequestKind,
    method: Method,
    /// Path, from the root of the host.
    target: String,
    body: Body,
    subject: Subject<'a>,
    /// Not to be done twice.
    once: bool,
}

/// What was answered, and in whose name it was asked.
struct Done {
    reply: Reply,
    pass: Pass,
}

impl Client {
    /// Whether the credential may push to a repository: an upload is begun, and
    /// given up at once. Registries say it in no other way.
    ///
    /// # Errors
    /// Any of [`Error`]; [`Error::NoPushAccess`] when it may not.
    pub async fn may_push(&self, repository: &Repository) -> Result<(), Error> {
        let begin = Deed {
            kind: RequestKind::Upload,
            method: Method::POST,
            target: format!("/v2/{}/blobs/uploads/", repository.path()),
            body: Body {
                media_type: "application/octet-stream",
                text: String::new(),
            },
            subject: Subject::Repository,
            once: true,
        };
        let host = self.0.session.host(repository.host());
        let begun = self.write(&host, repository, &begin).await?;
        self.give_up(&host, &begun).await;
        Ok(())
    }

    /// What a tag leads to at this moment, whatever was asked before: one HEAD.
    ///
    /// # Errors
    /// Any of [`Error`] but those about content.
    pub async fn resolve_anew(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Resolved, Error> {
        let wanted = Wanted::Tag(tag.clone());
        let found = self.0.look_up(repository, &wanted).await?;
        let flight = self.0.resolved.to((repository.clone(), wanted));
        flight.put(found.clone()).await;
        Ok(found)
    }

    /// Gives a build one more tag, or moves the tag to it.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn tag(
        &self,
        repository: &Repository,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<(), Error> {
        let content = self.content(repository, digest, Shelf::Manifests).await?;
        let manifest = Manifest::read(repository, &content)?;
        let media_type = manifest::media_type(&manifest, &content);
        let not_text = |_| Error::protocol(repository.host(), "sends a manifest that is not text");
        let put = Deed {
            kind: RequestKind::Manifest,
            method: Method::PUT,
            target: format!("/v2/{}/manifests/{}", repository.path(), tag.as_str()),
            body: Body {
                media_type,
                text: String::from_utf8(content.to_vec()).map_err(not_text)?,
            },
            subject: Subject::Tag(tag),
            // The same again is the same.
            once: false,
        };
        let host = self.0.session.host(repository.host());
        self.write(&host, repository, &put).await?;
        let flight = (repository.clone(), Wanted::Tag(tag.clone()));
        let now = Resolved {
            digest: digest.clone(),
            media_type: media_type.to_owned(),
            size: Some(content.len() as u64),
        };
        self.0.resolved.to(flight).put(now).await;
        Ok(())
    }

    async fn write(
        &self,
        host: &Host,
        repository: &Repository,
        deed: &Deed<'_>,
    ) -> Result<Done, Error> {
        let session = &self.0.session;
        let credential = session.found(repository.host()).await?;
        let mut reconsidered = false;
        loop {
            let pass = host.pass(
                &session.transport,
                repository,
                credential.as_ref(),
                Rights::Push,
            );
            let pass = pass.await.map_err(about_pushing)?;
            let ask = ask(host, deed, &pass)?;
            let reply = session.transport.send(&ask).await?;
            if reply.status.is_success() {
                pass.prove();
                return Ok(Done { reply, pass });
            }
            if reply.status == 401 && reply.from_host && !reconsidered {
                reconsidered = true;
                if host.reconsider(repository, &pass, &reply).await? {
                    continue;
                }
            }
            let circumstances = Circumstances {
                repository,
                subject: deed.subject,
                sent: pass.sent(repository),
            };
            return Err(about_pushing(refusal(circumstances, &reply)));
        }
    }

    /// Gives an upload up that was begun. One that stays ends by itself.
    async fn give_up(&self, host: &Host, begun: &Done) {
        let location = begun.reply.headers.get(LOCATION);
        let upload = location
            .and_then(|it| it.to_str().ok())
            .and_then(|it| begun.pass.base.join(it).ok())
            .filter(|url| next_to(url, &begun.pass.base));
        if let Some(url) = upload {
            let ask = Ask {
                method: Method::DELETE,
                authorization: begun.pass.header.clone(),
                once: true,
                ..Ask::get(&host.name, host.plain, RequestKind::Upload, url)
            };
            let _ = self.0.session.transport.send(&ask).await;
        }
    }
}

fn ask<'a>(host: &'a Host, deed: &Deed<'_>, pass: &Pass) -> Result<Ask<'a>, Error> {
    let url: Url = at(&pass.base, &deed.target)
        .ok_or_else(|| Error::protocol(&host.name, "not a path that can be asked for"))?;
    Ok(Ask {
        method: deed.method.clone(),
        authorization: pass.header.clone(),
        body: Some(deed.body.clone()),
        once: deed.once,
        ..Ask::get(&host.name, host.plain, deed.kind, url)
    })
}

/// Whoever is refused while writing may be one who reads: what is missing is
/// the right to push, which most registries do not say.
fn about_pushing(error: Error) -> Error {
    match error {
        Error::NoPackageAccess {
            repository, answer, ..
        } => Error::NoPushAccess { repository, answer },
        other => other,
    }
}
