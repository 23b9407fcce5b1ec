//! One connection: requests are read, faults done to them, answers recorded.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyDataStream, BodyExt as _, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{Answer, Asked, Body, Broken};
use super::{Server, Service};
use crate::{Fault, Recorded};

impl Server {
    pub(super) fn connection(
        &self,
        name: &str,
        service: &Arc<dyn Service>,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) {
        let (server, name, service) = (self.clone(), Arc::<str>::from(name), Arc::clone(service));
        self.tasks.spawn(async move {
            let stop = server.stop.clone();
            let served = service_fn(move |request| {
                let (server, name, service) = (server.clone(), name.clone(), service.clone());
                async move { server.exchange(&name, service.as_ref(), request).await }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .half_close(true)
                .serve_connection(TokioIo::new(stream), served);
            // A client that went away, or a fault, ends a connection early.
            let _ = stop.run_until_cancelled(connection).await;
        });
    }

    async fn exchange(
        &self,
        name: &str,
        service: &dyn Service,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Broken> {
        let at = self.clock.now();
        let (parts, body) = request.into_parts();
        let asked = Asked {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: body.collect().await.map_err(io::Error::other)?.to_bytes(),
        };
        let path = match asked.query.as_str() {
            "" => asked.path.clone(),
            query => format!("{}?{query}", asked.path),
        };
        let mut entry = Recorded {
            at,
            server: name.to_owned(),
            method: asked.method.to_string(),
            agent: asked.header("user-agent").map(str::to_owned),
            path,
            identity: None,
            status: None,
        };
        let fault = self.faults.hit(name, &entry.method, &entry.path);
        let answered = self.suffer(fault, service, asked).await;
        if let Ok(answer) = &answered {
            entry.status = Some(answer.status().as_u16());
            entry.identity.clone_from(&answer.identity);
        }
        self.record.add(entry);
        answered.map(|answer| answer.response)
    }

    async fn suffer(
        &self,
        fault: Option<Fault>,
        service: &dyn Service,
        asked: Asked,
    ) -> Result<Answer, Broken> {
        match fault {
            None => answered(service, asked).await,
            Some(Fault::Refuse) => Err(closed()),
            Some(Fault::Answer {
                status,
                headers,
                body,
            }) => Ok(instead(status, &headers, body)),
            Some(Fault::Delay(delay)) => {
                let answer = answered(service, asked).await?;
                tokio::time::sleep(delay).await;
                Ok(answer)
            }
            Some(Fault::Cut) => {
                answered(service, asked).await?;
                Err(closed())
            }
            Some(Fault::CutBody) => Ok(halved(answered(service, asked).await?)),
            Some(Fault::Corrupt) => Ok(corrupted(answered(service, asked).await?)),
        }
    }
}

async fn answered(service: &dyn Service, asked: Asked) -> Result<Answer, Broken> {
    let answer = service.answer(asked).await;
    match answer.silent {
        true => Err(io::Error::new(
            io::ErrorKind::ConnectionReset,
            "the host is gone",
        )),
        false => Ok(answer),
    }
}

fn closed() -> Broken {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "a fault that was asked for",
    )
}

fn instead(status: u16, headers: &[(String, String)], body: String) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = Answer::bytes(status, body).header("content-type", "application/json");
    for (name, value) in headers {
        let pair = (
            name.parse::<hyper::header::HeaderName>(),
            value.parse::<hyper::header::HeaderValue>(),
        );
        if let (Ok(name), Ok(value)) = pair {
            answer.response.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Half of a body whose length is known; of a stream, which may never end, the
/// first piece.
fn halved(answer: Answer) -> Answer {
    let Some(length) = known_length(&answer) else {
        return rewritten(answer, |body| {
            let first = body.take(1);
            first.chain(cut_off())
        });
    };
    let half = length / 2;
    let halved = rewritten(answer, |body| {
        let mut left = half;
        let cut = body.map(move |piece| {
            let mut piece = piece?;
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= piece.len() as u64;
            Ok(piece)
        });
        cut.chain(cut_off())
    });
    // The client is told how much would have come.
    with_length(halved, length)
}

/// Another last byte of the first piece, which is all of a body whose length
/// is known.
fn corrupted(answer: Answer) -> Answer {
    let length = known_length(&answer);
    let corrupted = rewritten(answer, |body| {
        let mut first = true;
        body.map(move |piece| {
            let piece = piece?;
            if !std::mem::take(&mut first) {
                return Ok(piece);
            }
            let mut bytes = piece.to_vec();
            if let Some(byte) = bytes.last_mut() {
                *byte = byte.wrapping_add(1);
            }
            Ok(bytes.into())
        })
    });
    match length {
        Some(length) => with_length(corrupted, length),
        None => corrupted,
    }
}

/// What the answer does not say of its length by itself.
fn with_length(mut answer: Answer, length: u64) -> Answer {
    let headers = answer.response.headers_mut();
    let told = headers.entry(hyper::header::CONTENT_LENGTH);
    told.or_insert(length.into());
    answer
}

/// The end of a connection, once what came before it is on its way.
fn cut_off() -> impl Stream<Item = Result<Bytes, Broken>> + Send {
    stream::once(async {
        tokio::task::yield_now().await;
        Err(closed())
    })
}

fn known_length(answer: &Answer) -> Option<u64> {
    answer.response.body().size_hint().exact()
}

/// The same answer with another body, made as the first one comes.
fn rewritten<S>(answer: Answer, change: impl FnOnce(BodyDataStream<Body>) -> S) -> Answer
where
    S: Stream<Item = Result<Bytes, Broken>> + Send + 'static,
{
    let Answer {
        response,
        identity,
        silent,
    } = answer;
    let response = response.map(|body| {
        let pieces = change(body.into_data_stream());
        UnsyncBoxBody::new(StreamBody::new(pieces.map(|piece| piece.map(Frame::data))))
    });
    Answer {
        response,
        identity,
        silent,
    }
}
