//! The contract: wire types, routes, problem codes, guard and listener limits.
//!
//! Knows nothing of cards, SQL, the central system or the domain: handlers translate between HTTP and one
//! [`service::Service`]. The document for vendors, `openapi.yaml`, is generated from here ([`openapi_yaml`]).
//!
//! A composition root makes a [`guard::Guard`], gets a [`router`], and hands both a listener ([`serve::bind`]) and the
//! router to [`serve::serve`].

mod carriage;
mod checked;
pub mod codes;
mod compress;
pub mod entrance;
pub mod etag;
mod extract;
mod fields;
mod forms;
pub mod guard;
pub mod limits;
pub mod listeners;
pub mod page;
mod places;
pub mod problem;
mod rates;
mod ready;
mod responses;
mod routes;
mod rules;
pub mod serve;
pub mod service;
pub mod wire;
mod words;

pub use routes::{openapi, openapi_yaml, page_router, router};
