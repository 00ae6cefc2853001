//! Simulators and test support: the simulated My Number card, its synthetic PKI, the invented people, the links to
//! real PC/SC. Depends on the product, never the other way round.

pub mod ambient;
pub mod card;
pub mod lane;
pub mod personas;
pub mod pki;
pub mod upstream;
