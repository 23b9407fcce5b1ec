//! The protocol's errors, in the form of the distribution specification.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::reply::Reply;

/// The codes in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    PaginationNumberInvalid,
    TooManyRequests,
    Unauthorized,
    Unsupported,
}

impl Code {
    /// Code, status and usual words, as Distribution has them.
    fn words(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::BlobUnknown => ("BLOB_UNKNOWN", S::NOT_FOUND, "blob unknown to registry"),
            Self::BlobUploadInvalid => ("BLOB_UPLOAD_INVALID", S::NOT_FOUND, "blob upload invalid"),
            Self::BlobUploadUnknown => (
                "BLOB_UPLOAD_UNKNOWN",
                S::NOT_FOUND,
                "blob upload unknown to registry",
            ),
            Self::Denied => (
                "DENIED",
                S::FORBIDDEN,
                "requested access to the resource is denied",
            ),
            Self::DigestInvalid => (
                "DIGEST_INVALID",
                S::BAD_REQUEST,
                "provided digest did not match uploaded content",
            ),
            Self::ManifestBlobUnknown => (
                "MANIFEST_BLOB_UNKNOWN",
                S::BAD_REQUEST,
                "blob unknown to registry",
            ),
            Self::ManifestInvalid => ("MANIFEST_INVALID", S::BAD_REQUEST, "manifest invalid"),
            Self::ManifestUnknown => ("MANIFEST_UNKNOWN", S::NOT_FOUND, "manifest unknown"),
            Self::NameInvalid => ("NAME_INVALID", S::BAD_REQUEST, "invalid repository name"),
            Self::NameUnknown => (
                "NAME_UNKNOWN",
                S::NOT_FOUND,
                "repository name not known to registry",
            ),
            Self::PaginationNumberInvalid => (
                "PAGINATION_NUMBER_INVALID",
                S::BAD_REQUEST,
                "invalid number of results requested",
            ),
            Self::TooManyRequests => ("TOOMANYREQUESTS", S::TOO_MANY_REQUESTS, "too many requests"),
            Self::Unauthorized => ("UNAUTHORIZED", S::UNAUTHORIZED, "authentication required"),
            Self::Unsupported => (
                "UNSUPPORTED",
                S::METHOD_NOT_ALLOWED,
                "The operation is unsupported.",
            ),
        }
    }

    /// What is usually said with a code.
    pub(super) fn usual_words(code: &str) -> Option<&'static str> {
        let known = [Self::Denied, Self::Unauthorized, Self::ManifestUnknown];
        let known = known.map(Self::words).into_iter();
        let mut known = known.filter(|(word, ..)| *word == code);
        known.next().map(|(.., message)| message)
    }

    /// With the usual words.
    pub(super) fn reply(self) -> Reply {
        self.saying(self.words().2)
    }

    /// With other words.
    pub(super) fn saying(self, message: &str) -> Reply {
        self.about(message, None)
    }

    /// With the usual words, about something.
    pub(super) fn detailing(self, detail: Value) -> Reply {
        self.about(self.words().2, Some(detail))
    }

    fn about(self, message: &str, detail: Option<Value>) -> Reply {
        let (code, status, _) = self.words();
        let mut error = json!({"code": code, "message": message});
        if let Some(detail) = detail {
            error["detail"] = detail;
        }
        Reply::json(status, &json!({"errors": [error]}))
    }
}
