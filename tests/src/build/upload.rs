//! Pushing over the distribution API: a token when the registry asks for one,
//! then blobs and manifests.

use reqwest::header::{CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use super::image::Blob;
use super::{BuildError, Destination, Login};

/// One repository of a registry, open for writing.
pub(super) struct Repository {
    client: Client,
    /// `http://10.77.0.1:5000/v2/stacks/postgres`.
    base: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

impl Repository {
    pub(super) async fn open(destination: &Destination, name: &str) -> Result<Self, BuildError> {
        // The second time it is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().user_agent("lab-build").build()?;
        let ping = format!("{}/v2/", destination.registry.trim_end_matches('/'));
        let answer = client.get(&ping).send().await?;
        let token = if answer.status() == StatusCode::UNAUTHORIZED {
            let realm = token_url(&answer, name)?;
            Some(fetch_token(&client, realm, destination.login.as_ref()).await?)
        } else {
            expect(answer, StatusCode::OK, Method::GET).await?;
            None
        };
        Ok(Self {
            base: format!("{ping}{name}"),
            client,
            token,
        })
    }

    /// A blob that is there already is not sent again.
    pub(super) async fn upload_blob(&self, blob: &Blob) -> Result<(), BuildError> {
        let url = format!("{}/blobs/{}", self.base, blob.digest);
        let answer = self.request(Method::HEAD, &url).send().await?;
        if answer.status() == StatusCode::OK {
            return Ok(());
        }
        let url = format!("{}/blobs/uploads/", self.base);
        let answer = self.request(Method::POST, &url).send().await?;
        let answer = expect(answer, StatusCode::ACCEPTED, Method::POST).await?;
        let mut upload = location(&answer)?;
        upload.query_pairs_mut().append_pair("digest", &blob.digest);
        let answer = self
            .request(Method::PUT, upload.as_str())
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(blob.bytes.clone())
            .send()
            .await?;
        expect(answer, StatusCode::CREATED, Method::PUT).await?;
        Ok(())
    }

    /// `reference` is a tag or the manifest's digest.
    pub(super) async fn put_manifest(
        &self,
        reference: &str,
        manifest: &Blob,
    ) -> Result<(), BuildError> {
        let url = format!("{}/manifests/{reference}", self.base);
        let answer = self
            .request(Method::PUT, &url)
            .header(CONTENT_TYPE, manifest.media_type)
            .body(manifest.bytes.clone())
            .send()
            .await?;
        expect(answer, StatusCode::CREATED, Method::PUT).await?;
        Ok(())
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// Where the challenge `Bearer realm="…",service="…"` sends us.
fn token_url(answer: &Response, repository: &str) -> Result<Url, BuildError> {
    let challenge = answer
        .headers()
        .get(WWW_AUTHENTICATE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(BuildError::Incomplete("Bearer challenge"))?;
    let parameter = |wanted: &str| {
        challenge.split(',').find_map(|part| {
            let (name, value) = part.split_once('=')?;
            (name.trim() == wanted).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let realm = parameter("realm").ok_or(BuildError::Incomplete("realm"))?;
    let mut url = Url::parse(&realm).map_err(|_| BuildError::Incomplete("realm"))?;
    url.query_pairs_mut()
        .append_pair("service", &parameter("service").unwrap_or_default())
        .append_pair("scope", &format!("repository:{repository}:pull,push"));
    Ok(url)
}

async fn fetch_token(
    client: &Client,
    url: Url,
    login: Option<&Login>,
) -> Result<String, BuildError> {
    let mut request = client.get(url);
    if let Some(login) = login {
        request = request.basic_auth(&login.username, Some(&login.password));
    }
    let answer = expect(request.send().await?, StatusCode::OK, Method::GET).await?;
    Ok(answer.json::<Token>().await?.token)
}

/// The place of an upload, which may be relative.
fn location(answer: &Response) -> Result<Url, BuildError> {
    answer
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| answer.url().join(value).ok())
        .ok_or(BuildError::Incomplete("Location"))
}

async fn expect(
    answer: Response,
    wanted: StatusCode,
    method: Method,
) -> Result<Response, BuildError> {
    if answer.status() == wanted {
        return Ok(answer);
    }
    Err(BuildError::Refused {
        method: method.to_string(),
        url: answer.url().to_string(),
        status: answer.status().as_u16(),
        body: answer.text().await.unwrap_or_default(),
    })
}
