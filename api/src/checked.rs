//! A layer that looks at every request before it goes on: it may answer in its place.
//!
//! For checks that wait for nothing. axum's `from_fn` would clone what lies behind it and box a request, a future and an answer at
//! each layer, which is most of what a poll costs that has nothing new.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use futures_util::future::Either;
use tower::{Layer, Service};

/// The layer; the error of the check is the answer.
#[derive(Clone)]
pub(crate) struct Checked<F>(pub F);

/// What is behind the check.
#[derive(Clone)]
pub(crate) struct Behind<S, F> {
    inner: S,
    check: F,
}

impl<S, F: Clone> Layer<S> for Checked<F> {
    type Service = Behind<S, F>;

    fn layer(&self, inner: S) -> Behind<S, F> {
        Behind { inner, check: self.0.clone() }
    }
}

impl<S, F> Service<Request> for Behind<S, F>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    F: Fn(&Request) -> Result<(), Box<Response>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match (self.check)(&request) {
            Err(answer) => Either::Left(ready(Ok(*answer))),
            Ok(()) => Either::Right(self.inner.call(request)),
        }
    }
}
